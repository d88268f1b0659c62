package vision

import "image"

// upsampler brings the chroma rows of a JPEG to the width of its luma as libjpeg does (jdsample.c
// of libjpeg-turbo 3.1): by a triangle filter where a side is halved, else by repetition.
type upsampler struct {
	width, rows     int // of the picture; chroma rows
	columns, stride int // of the chroma planes
	h, v            int // subsampling
	out             [2][]uint8
	sums            []int32 // [columns]
}

func newUpsampler(m *image.YCbCr) *upsampler {
	u := &upsampler{width: m.Rect.Dx(), stride: m.CStride, h: 1, v: 1}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		u.h = 2
	case image.YCbCrSubsampleRatio420:
		u.h, u.v = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.v = 2
	case image.YCbCrSubsampleRatio411:
		u.h = 4
	case image.YCbCrSubsampleRatio410:
		u.h, u.v = 4, 2
	}
	u.columns, u.rows = (u.width+u.h-1)/u.h, (m.Rect.Dy()+u.v-1)/u.v
	u.sums = make([]int32, u.columns)
	for i := range u.out {
		u.out[i] = make([]uint8, u.columns*u.h)
	}
	return u
}

// row returns row y of a chroma plane: [width]. It is valid until the next call with the same slot,
// 0 or 1.
func (u *upsampler) row(plane []uint8, y, slot int) []uint8 {
	r := y / u.v
	near := plane[r*u.stride:][:u.columns]
	far := near
	if n := r - 1 + y%2*2; u.v == 2 && n >= 0 && n < u.rows {
		far = plane[n*u.stride:][:u.columns]
	}
	dst := u.out[slot]
	switch {
	case u.h == 1 && u.v == 1:
		return near
	case u.h == 1:
		for i, n := range near {
			dst[i] = uint8((3*int(n) + int(far[i]) + 1 + y%2) >> 2)
		}
	case u.h == 2 && u.v == 1 && u.columns > 2:
		triangle(dst, near)
	case u.h == 2 && u.v == 2 && u.columns > 2:
		for i, n := range near {
			u.sums[i] = 3*int32(n) + int32(far[i])
		}
		triangleSums(dst, u.sums)
	default:
		for i := range dst {
			dst[i] = near[i/u.h]
		}
	}
	return dst[:u.width]
}

// triangle doubles a row: dst[2n] from src[n], n > 2.
func triangle(dst, src []uint8) {
	last := len(src) - 1
	for i := 1; i <= last; i++ {
		a, b := int(src[i-1]), int(src[i])
		dst[2*i-1] = uint8((3*a + b + 2) >> 2)
		dst[2*i] = uint8((3*b + a + 1) >> 2)
	}
	dst[0], dst[2*last+1] = src[0], src[last]
}

// triangleSums doubles a row of sums of four.
func triangleSums(dst []uint8, sums []int32) {
	last := len(sums) - 1
	for i := 1; i <= last; i++ {
		a, b := sums[i-1], sums[i]
		dst[2*i-1] = uint8((3*a + b + 7) >> 4)
		dst[2*i] = uint8((3*b + a + 8) >> 4)
	}
	dst[0], dst[2*last+1] = uint8((4*sums[0]+8)>>4), uint8((4*sums[last]+7)>>4)
}

// yccRow converts a row as libjpeg does (jdcolor.c), in fixed point of 16 bits.
func yccRow(dst, luma, cb, cr []uint8) {
	const (
		redCr, blueCb   = 91881, 116130 // 1.402 and 1.772
		greenCb, greenC = 22554, 46802  // 0.34414 and 0.71414
		round           = 1 << 15
	)
	cb, cr = cb[:len(luma)], cr[:len(luma)]
	dst = dst[:3*len(luma)]
	for i, y := range luma {
		y, b, r := int32(y), int32(cb[i])-128, int32(cr[i])-128
		dst[3*i] = clip(y + (redCr*r+round)>>16)
		dst[3*i+1] = clip(y + (round-greenCb*b-greenC*r)>>16)
		dst[3*i+2] = clip(y + (blueCb*b+round)>>16)
	}
}

// interleave makes pixels of three planes.
func interleave(dst, a, b, c []uint8) {
	for i := range a {
		dst[3*i], dst[3*i+1], dst[3*i+2] = a[i], b[i], c[i]
	}
}

// clip saturates to a byte.
func clip(v int32) uint8 {
	if uint32(v) <= 255 {
		return uint8(v)
	}
	return uint8(^v >> 31) // all ones above, zero below
}
