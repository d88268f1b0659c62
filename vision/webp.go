package vision

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"

	"golang.org/x/image/webp"
)

// decodeWebP decodes a still picture, or the first frame of an animation on a black canvas.
func decodeWebP(data []byte, h header) (*Image, error) {
	frame, at, err := firstFrame(data)
	if err != nil {
		return nil, err
	}
	if frame == nil {
		return decodeStill(data)
	}
	if !at.In(image.Rect(0, 0, h.width, h.height)) {
		return nil, errors.New("the first frame lies outside the canvas")
	}
	part, err := decodeStill(frame)
	if err != nil {
		return nil, err
	}
	if part.Width == h.width && part.Height == h.height {
		return part, nil
	}
	canvas := newImage(h.width, h.height)
	canvas.paste(part, at.Min.X, at.Min.Y)
	return canvas, nil
}

// firstFrame returns the first frame of an animation as a file of its own, and where it lies on the
// canvas; nil if the file is no animation (RFC 9649, section 2.7).
func firstFrame(data []byte) (frame []byte, on image.Rectangle, err error) {
	const extended, animated, alpha = "VP8X", 1 << 1, 1 << 4
	if string(data[12:16]) != extended || len(data) < 30 || data[20]&animated == 0 {
		return nil, on, nil
	}
	for at := 12; at+8 <= len(data); {
		size := int64(binary.LittleEndian.Uint32(data[at+4:]))
		if size > int64(len(data)-at-8) {
			break
		}
		chunk := data[at+8:][:size]
		if string(data[at:at+4]) != "ANMF" || size < 24 {
			at += 8 + int(size+size&1)
			continue
		}
		flags := byte(0)
		if string(chunk[16:20]) == "ALPH" {
			flags = alpha
		}
		frame = append(frame, "RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00"...)
		frame = append(frame, flags, 0, 0, 0)
		frame = append(append(frame, chunk[6:12]...), chunk[16:]...) // width, height, frame data
		binary.LittleEndian.PutUint32(frame[4:], uint32(len(frame)-8))
		x, y := 2*int24(chunk), 2*int24(chunk[3:])
		return frame, image.Rect(x, y, x+int24(chunk[6:])+1, y+int24(chunk[9:])+1), nil
	}
	return nil, on, io.ErrUnexpectedEOF
}

func int24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

func decodeStill(data []byte) (*Image, error) {
	m, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := m.(type) {
	case *image.NRGBA:
		return toRGB(m, false), nil
	case *image.YCbCr:
		return lossyWebP(m), nil
	case *image.NYCbCrA:
		return lossyWebP(&m.YCbCr), nil
	}
	return nil, fmt.Errorf("colour model %T", m)
}

// lossyWebP converts the 4:2:0 planes of a VP8 frame as libwebp does (src/dsp/upsampling.c and yuv.h of
// libwebp 1.6): chroma by a triangle filter, colours of limited range.
func lossyWebP(m *image.YCbCr) *Image {
	out := newImage(m.Rect.Dx(), m.Rect.Dy())
	columns, rows := (out.Width+1)/2, (out.Height+1)/2
	u, v := make([]uint8, 2*columns), make([]uint8, 2*columns)
	for y := range out.Height {
		near := y / 2
		far := min(max(near-1+y%2*2, 0), rows-1)
		spread(u, m.Cb[near*m.CStride:][:columns], m.Cb[far*m.CStride:][:columns])
		spread(v, m.Cr[near*m.CStride:][:columns], m.Cr[far*m.CStride:][:columns])
		dst := out.row(y)
		for x, l := range m.Y[y*m.YStride:][:out.Width] {
			l, u, v := int32(l)*19077>>8, int32(u[x]), int32(v[x])
			dst[3*x] = clip((l + v*26149>>8 - 14234) >> 6)
			dst[3*x+1] = clip((l - u*6419>>8 - v*13320>>8 + 8708) >> 6)
			dst[3*x+2] = clip((l + u*33050>>8 - 17685) >> 6)
		}
	}
	return out
}

// spread doubles a row of chroma between its own row and its neighbour: weights 9, 3, 3 and 1 of 16,
// 3 and 1 of 4 at the ends, with the intermediate roundings of libwebp.
func spread(dst, near, far []uint8) {
	last := len(near) - 1
	for i := 1; i <= last; i++ {
		a, b, c, d := int(near[i-1]), int(near[i]), int(far[i-1]), int(far[i])
		sum := a + b + c + d + 8
		dst[2*i-1] = uint8(((sum+2*(b+c))>>3 + a) >> 1)
		dst[2*i] = uint8(((sum+2*(a+d))>>3 + b) >> 1)
	}
	dst[0] = uint8((3*int(near[0]) + int(far[0]) + 2) >> 2)
	dst[2*last+1] = uint8((3*int(near[last]) + int(far[last]) + 2) >> 2)
}
