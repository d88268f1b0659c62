package vision

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
)

// jpegHeader is what the segments before the first scan say.
type jpegHeader struct {
	components int
	rgb        bool // three components are red, green and blue
	subsampled bool // the first component has more samples than the second
	ycck       bool // four components are luma, chroma and black
	scan       int  // offset of the first scan's marker
}

// readJPEGHeader walks the segments up to the first scan. The colour space is what libjpeg takes
// the file for (jdapimin.c).
func readJPEGHeader(data []byte) (h header, err error) {
	var jfif, adobe bool
	var transform byte
	var ids string
	for at := 2; ; {
		marker, body, next := segment(data, at)
		switch {
		case next == 0:
			return h, io.ErrUnexpectedEOF
		case marker == 0xd9:
			return h, jpeg.FormatError("no scan")
		case marker == 0xda:
			h.jpeg.scan = at
			h.jpeg.rgb = !jfif && (adobe && transform == 0 || !adobe && ids == "RGB")
			h.jpeg.ycck = adobe && transform != 0
			return h, h.jpeg.check(data[at:])
		case marker == 0xe0 && bytes.HasPrefix(body, []byte("JFIF\x00")):
			jfif = true
		case marker == 0xee && len(body) >= 12 && bytes.HasPrefix(body, []byte("Adobe")):
			adobe, transform = true, body[11]
		case marker >= 0xc0 && marker <= 0xc2:
			if ids, err = h.frame(body); err != nil {
				return h, err
			}
		}
		at = next
	}
}

// frame reads the header of a frame and returns the names of its components.
func (h *header) frame(body []byte) (ids string, err error) {
	if h.jpeg.components != 0 {
		return "", jpeg.FormatError("two frames")
	}
	if len(body) < 6 || len(body) != 6+3*int(body[5]) {
		return "", jpeg.FormatError("frame header of a wrong length")
	}
	h.height, h.width = int(body[1])<<8|int(body[2]), int(body[3])<<8|int(body[4])
	h.jpeg.components = int(body[5])
	for c := body[6:]; len(c) > 0; c = c[3:] {
		ids += string(rune(c[0]))
	}
	h.jpeg.subsampled = len(body) >= 12 && body[7] != body[10]
	return ids, nil
}

// maxScans bounds the scans of a file. Each goes through every block, however few bytes it has;
// encoders write up to a few dozen.
const maxScans = 256

// check judges the frame and counts the scans: in coded data 0xff is followed by 0.
func (j *jpegHeader) check(scans []byte) error {
	if n := bytes.Count(scans, []byte("\xff\xda")); n > maxScans {
		return fmt.Errorf("%d scans, at most %d are allowed: %w", n, maxScans, ErrLimit)
	}
	switch j.components {
	case 0:
		return jpeg.FormatError("no frame before the first scan")
	case 1, 3, 4:
		return nil
	}
	return jpeg.UnsupportedError("number of components")
}

// segment finds the next marker from at on. The body is nil for markers without one; next is 0 at
// the end of the data.
func segment(data []byte, at int) (marker byte, body []byte, next int) {
	for at+1 < len(data) {
		marker = data[at+1]
		switch {
		case data[at] != 0xff || marker == 0 || marker == 0xff:
			at++
			continue
		case marker >= 0xd0 && marker <= 0xd9:
			return marker, nil, at + 2
		}
		if at+4 > len(data) {
			break
		}
		n := int(data[at+2])<<8 | int(data[at+3])
		if n < 2 || at+2+n > len(data) {
			break
		}
		return marker, data[at+4 : at+2+n], at + 2 + n
	}
	return 0, nil, 0
}

// plainPlanes are two segments that, before the first scan, have image/jpeg return the planes as
// they are: JFIF keeps three components from being taken for red, green and blue, and Adobe's
// transform 0 keeps four from being converted.
const plainPlanes = "\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" +
	"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"

func decodeJPEG(data []byte, h header) (*Image, error) {
	r := io.MultiReader(bytes.NewReader(data[:h.jpeg.scan]), bytes.NewReader([]byte(plainPlanes)), bytes.NewReader(data[h.jpeg.scan:]))
	m, err := jpeg.Decode(r)
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.Gray:
		return toRGB(m, false), nil
	case *image.YCbCr:
		out := newImage(h.width, h.height)
		up := newUpsampler(m)
		for y := range out.Height {
			row, cb, cr := m.Y[y*m.YStride:][:m.Rect.Dx()], up.row(m.Cb, y, 0), up.row(m.Cr, y, 1)
			if h.jpeg.rgb {
				interleave(out.row(y), row, cb, cr)
			} else {
				yccRow(out.row(y), row, cb, cr)
			}
		}
		return out, nil
	case *image.CMYK:
		return fourComponents(m, h), nil
	}
	return nil, errors.New("a colour model that the header does not announce")
}

// fourComponents converts the planes of a CMYK or YCCK picture, which Adobe's programs store inverted
// and image/jpeg inverts once more, to RGB.
func fourComponents(m *image.CMYK, h header) *Image {
	ratio := image.YCbCrSubsampleRatio444
	step := 1
	if h.jpeg.subsampled {
		ratio, step = image.YCbCrSubsampleRatio420, 2
	}
	planes := image.NewYCbCr(m.Rect, ratio)
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			p := m.Pix[y*m.Stride+4*x:]
			planes.Y[y*planes.YStride+x] = 255 - p[0]
			if x%step == 0 && y%step == 0 {
				c := y/step*planes.CStride + x/step
				planes.Cb[c], planes.Cr[c] = 255-p[1], 255-p[2]
			}
		}
	}
	out := newImage(m.Rect.Dx(), m.Rect.Dy())
	up := newUpsampler(planes)
	for y := range out.Height {
		dst := out.row(y)
		row, second, third := planes.Y[y*planes.YStride:][:out.Width], up.row(planes.Cb, y, 0), up.row(planes.Cr, y, 1)
		if h.jpeg.ycck {
			yccRow(dst, row, second, third) // red, green and blue are the stored inks' complements: the inks
		} else {
			interleave(dst, row, second, third)
			for i := range dst {
				dst[i] = 255 - dst[i]
			}
		}
		for x := range out.Width {
			paper := 255 - int(m.Pix[y*m.Stride+4*x+3])
			for c := range 3 {
				dst[3*x+c] = uint8(max(paper-div255(int(dst[3*x+c])*paper), 0))
			}
		}
	}
	return out
}

// div255 divides a product of two bytes by 255, rounded to nearest.
func div255(v int) int {
	v += 128
	return (v>>8 + v) >> 8
}
