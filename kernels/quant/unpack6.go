package quant

// Unpack6 unpacks 256 codes of six bits and subtracts 32 from each. In each half, of four times 32 codes, the
// low four bits lie two to a byte of 64, the high two four to a byte of 32 that follow those of both halves.
//
// Source: block_q6_K of ggml-org/llama.cpp@01243c5, ggml/src/ggml-common.h, and dequantize_row_q6_K in ggml-quants.c.
func Unpack6(codes *[256]byte, q *[192]byte) { unpack6(codes, q) }

func unpack6Generic(codes *[256]byte, q *[192]byte) {
	for h := range 2 {
		lows, highs, c := (*[64]byte)(q[h*64:]), (*[32]byte)(q[128+h*32:]), (*[128]byte)(codes[h*128:])
		for i, high := range highs {
			v, w := lows[i], lows[32+i]
			c[i] = (v&15 | high&3<<4) - 32
			c[32+i] = (w&15 | high&12<<2) - 32
			c[64+i] = (v>>4 | high&48) - 32
			c[96+i] = (w>>4 | high&192>>2) - 32
		}
	}
}
