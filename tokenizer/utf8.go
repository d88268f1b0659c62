package tokenizer

import "unicode/utf8"

const replacement = "\uFFFD"

// sequence measures the UTF-8 sequence that begins at s[0]: its length, and whether it is a whole
// character (ok) or one that may still become one if more bytes follow (partial). Otherwise it
// is a maximal ill-formed subsequence.
// Source: The Unicode Standard, table 3-7 and "U+FFFD substitution of maximal subparts".
func sequence[T string | []byte](s T) (n int, ok, partial bool) {
	b := s[0]
	if b < utf8.RuneSelf {
		return 1, true, false
	}
	need, lo, hi := 0, byte(0x80), byte(0xBF)
	switch {
	case 0xC2 <= b && b <= 0xDF:
		need = 2
	case 0xE0 <= b && b <= 0xEF:
		need = 3
	case 0xF0 <= b && b <= 0xF4:
		need = 4
	default:
		return 1, false, false
	}
	switch b {
	case 0xE0:
		lo = 0xA0
	case 0xED:
		hi = 0x9F
	case 0xF0:
		lo = 0x90
	case 0xF4:
		hi = 0x8F
	}
	for n = 1; n < need; n++ {
		if n == len(s) {
			return n, false, true
		}
		if s[n] < lo || s[n] > hi {
			return n, false, false
		}
		lo, hi = 0x80, 0xBF
	}
	return n, true, false
}

// appendLossy appends s to dst with U+FFFD for each maximal ill-formed subsequence or, with perByte,
// for each byte of it. Unless final,
// it stops before an incomplete character at the end, which it returns as rest: 0 to 3 bytes.
// The first two bytes of an encoded surrogate count as incomplete, although no third byte makes
// them a character: the reference streams, made with CPython's incremental decoder, wait for it.
func appendLossy[T string | []byte](dst []byte, s T, final, perByte bool) (out []byte, rest T) {
	for i := 0; i < len(s); {
		n, ok, partial := sequence(s[i:])
		switch {
		case ok:
			dst = append(dst, s[i:i+n]...)
		case !final && (partial || i+2 == len(s) && s[i] == 0xED && s[i+1]&0xE0 == 0xA0):
			return dst, s[i:]
		default:
			dst = append(dst, replacement...)
			for k := 1; perByte && k < n; k++ {
				dst = append(dst, replacement...)
			}
		}
		i += n
	}
	return dst, s[len(s):]
}
