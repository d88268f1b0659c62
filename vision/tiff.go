package vision

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/image/tiff"
)

// tiffHeader is what golang.org/x/image/tiff leaves undone.
type tiffHeader struct {
	orientation int  // 1 to 8, 0 if there is none
	invert      bool // fax code whose white runs are black: the decoder makes them white always
}

// readTIFFHeader reads the size and the orientation of the first picture.
func readTIFFHeader(data []byte) (header, error) {
	c, err := tiff.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return header{}, err
	}
	h := header{width: c.Width, height: c.Height}
	const orientationTag, compression, photometric = 274, 259, 262
	if v, ok := shortTag(data, orientationTag); ok && v <= 8 {
		h.tiff.orientation = v
	}
	code, _ := shortTag(data, compression)
	zero, _ := shortTag(data, photometric)
	const group3, group4, blackIsZero = 3, 4, 1
	h.tiff.invert = (code == group3 || code == group4) && zero == blackIsZero
	if h.tiff.orientation >= 5 {
		h.width, h.height = h.height, h.width
	}
	return h, nil
}

// shortTag returns the value of a tag of type SHORT in the first directory, which is known to be
// readable.
func shortTag(data []byte, tag uint16) (v int, ok bool) {
	var order binary.ByteOrder = binary.LittleEndian
	if data[0] == 'M' {
		order = binary.BigEndian
	}
	directory := data[order.Uint32(data[4:]):]
	for i := range int(order.Uint16(directory)) {
		entry := directory[2+12*i:]
		const short = 3
		if order.Uint16(entry) == tag && order.Uint16(entry[2:]) == short {
			return int(order.Uint16(entry[8:])), true
		}
	}
	return 0, false
}

func decodeTIFF(data []byte, h header) (*Image, error) {
	m, err := tiff.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	out := toRGB(m, false)
	if h.tiff.invert {
		for i := range out.Pix {
			out.Pix[i] = 255 - out.Pix[i]
		}
	}
	return out.orient(h.tiff.orientation), nil
}

// orient turns a stored picture upright. The orientation names the sides of the picture at which the
// first row and column lie: 1 top left, 2 top right, 3 bottom right, 4 bottom left, 5 left top, 6
// right top, 7 right bottom, 8 left bottom (TIFF 6.0, page 36).
func (m *Image) orient(orientation int) *Image {
	if orientation <= 1 {
		return m
	}
	out := newImage(m.Width, m.Height)
	if orientation >= 5 {
		out = newImage(m.Height, m.Width)
	}
	for y := range m.Height {
		for x := range m.Width {
			var tx, ty int
			right, bottom := m.Width-1-x, m.Height-1-y
			switch orientation {
			case 2:
				tx, ty = right, y
			case 3:
				tx, ty = right, bottom
			case 4:
				tx, ty = x, bottom
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = bottom, x
			case 7:
				tx, ty = bottom, right
			case 8:
				tx, ty = y, right
			}
			copy(out.row(ty)[3*tx:3*tx+3], m.row(y)[3*x:3*x+3])
		}
	}
	return out
}
