package asmgen

import (
	"fmt"
	"strings"
)

// The 8-bit product: blocks of 32 along k. A panel holds, for every four k, 64 bytes: four for
// each of 16 rows, as q+128; and for every block 16 half-precision scales. The dot product of a
// block starts at -128·Σx, is exact, and is folded in by
// acc = fma(float(dot), scale_w·scale_x, acc).

var (
	q8AVX2Tiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}}
	q8VNNITiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}, {2, 6}}
)

func q8AVX2File() []byte {
	var p printer
	p.WriteString(header)
	for _, t := range q8AVX2Tiles {
		q8AVX2Tile(&p, t)
	}
	return p.Bytes()
}

// q8AVX2Tile multiplies 16-bit pairs: bytes 0 and 2 of a quad, then 1 and 3. Registers: Y0-Y7
// integer sums, Y8-Y11 weights, Y12, Y13 x, Y14 product, Y15 the mask of the even bytes. The
// float sums live in dst.
func q8AVX2Tile(p *printer, t Tile) {
	p.text(symbol("Q8", "AVX2", t), "// Requires: AVX2, FMA, F16C. Y0 up hold the sums of a block, two a token; R12 scales, R13 block sums, R14 token scales.")
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX") // blocks
	p.line("MOVQ tile_scale(AX), R12")
	p.line("MOVQ tile_sum(AX), R13")
	p.line("MOVQ tile_xscale(AX), R14")
	p.line("MOVQ tile_lds(AX), BX") // stride of sums and scales between tokens, in bytes
	p.line("VPCMPEQW Y15, Y15, Y15; VPSRLW $8, Y15, Y15")
	p.line("VXORPS Y0, Y0, Y0; MOVQ SI, DX")
	for tok := range t.Tokens {
		s := "VMOVUPS Y0, (DX); VMOVUPS Y0, 32(DX)"
		if tok+1 < t.Tokens {
			s += "; ADDQ R11, DX"
		}
		p.line("%s", s)
	}
	p.line("TESTQ CX, CX")
	p.line("JEQ  done")
	p.label("\nblock:")
	p.line("MOVQ R13, DX")
	for tok := range t.Tokens {
		s := fmt.Sprintf("VPBROADCASTD (DX), Y%d; VMOVDQA Y%d, Y%d", 2*tok, 2*tok, 2*tok+1)
		if tok+1 < t.Tokens {
			s += "; ADDQ BX, DX"
		}
		p.line("%s", s)
	}
	p.line("MOVQ $8, DX")
	p.label("\nquad:")
	p.line("VMOVDQU (DI), Y8; VPSRLW $8, Y8, Y9; VPAND Y15, Y8, Y8")
	p.line("VMOVDQU 32(DI), Y10; VPSRLW $8, Y10, Y11; VPAND Y15, Y10, Y10")
	for tok := range t.Tokens {
		p.line("VPBROADCASTD %s, Y12; VPBROADCASTD %s, Y13", row(tok, 0), row(tok, 4))
		for half := range 2 {
			acc := fmt.Sprintf("Y%d", 2*tok+half)
			p.line("VPMADDWD Y12, Y%d, Y14; VPADDD Y14, %s, %s", 8+2*half, acc, acc)
			p.line("VPMADDWD Y13, Y%d, Y14; VPADDD Y14, %s, %s", 9+2*half, acc, acc)
		}
	}
	p.line("ADDQ $64, DI")
	p.line("ADDQ $8, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $8, R9")
	}
	p.line("DECQ DX")
	p.line("JNE  quad")
	p.line("VCVTPH2PS (R12), Y8; VCVTPH2PS 16(R12), Y9")
	p.line("MOVQ R14, DX; MOVQ SI, R15")
	for tok := range t.Tokens {
		p.line("VBROADCASTSS (DX), Y10; VMULPS Y8, Y10, Y11; VMULPS Y9, Y10, Y10")
		a, b := 2*tok, 2*tok+1
		p.line("VCVTDQ2PS Y%d, Y%d; VFMADD213PS (R15), Y11, Y%d; VMOVUPS Y%d, (R15)", a, a, a, a)
		s := fmt.Sprintf("VCVTDQ2PS Y%d, Y%d; VFMADD213PS 32(R15), Y10, Y%d; VMOVUPS Y%d, 32(R15)", b, b, b, b)
		if tok+1 < t.Tokens {
			s += "; ADDQ BX, DX; ADDQ R11, R15"
		}
		p.line("%s", s)
	}
	p.line("ADDQ $32, R12")
	p.line("ADDQ $4, R13")
	p.line("ADDQ $4, R14")
	p.line("DECQ CX")
	p.line("JNE  block")
	p.label("\ndone:")
	p.end()
}

func q8VNNIFile() []byte {
	var p printer
	p.WriteString(header)
	for _, t := range q8VNNITiles {
		q8VNNITile(&p, t)
	}
	return p.Bytes()
}

// q8VNNITile: Z8 up hold the integer sums, Z20 up the float sums, panel by panel within a token.
func q8VNNITile(p *printer, t Tile) {
	dot := func(tok, pan int) string { return fmt.Sprintf("Z%d", 8+tok*t.Panels+pan) }
	acc := func(tok, pan int) string { return fmt.Sprintf("Z%d", 20+tok*t.Panels+pan) }
	p.text(symbol("Q8", "AVX512VNNI", t), "// Requires: AVX512F, VNNI. Z8 up hold the sums of a block, Z20 up the float sums; R12 scales, R13 block sums, R14 token scales.")
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX")
	p.line("MOVQ tile_scale(AX), R12")
	p.line("MOVQ tile_sum(AX), R13")
	p.line("MOVQ tile_xscale(AX), R14")
	p.line("MOVQ tile_lds(AX), R15")
	each := func(sep string, op func(tok, pan int) string) {
		for tok := range t.Tokens {
			var ops []string
			for pan := range t.Panels {
				ops = append(ops, op(tok, pan))
			}
			if sep != "" && tok+1 < t.Tokens {
				ops = append(ops, sep)
			}
			p.line("%s", strings.Join(ops, "; "))
		}
	}
	each("", func(tok, pan int) string { a := acc(tok, pan); return fmt.Sprintf("VPXORD %s, %s, %s", a, a, a) })
	p.line("TESTQ CX, CX")
	p.line("JEQ  store")
	p.label("\nblock:")
	p.line("MOVQ R13, DX")
	each("ADDQ R15, DX", func(tok, pan int) string { return fmt.Sprintf("VPBROADCASTD (DX), %s", dot(tok, pan)) })
	p.line("MOVQ $8, DX")
	p.label("\nquad:")
	for pan := range t.Panels {
		p.line("VMOVDQU32 %s, Z%d", panel(pan, 0), pan)
	}
	each("", func(tok, pan int) string {
		return fmt.Sprintf("VPDPBUSD.BCST %s, Z%d, %s", row(tok, 0), pan, dot(tok, pan))
	})
	p.line("ADDQ $64, DI")
	p.line("ADDQ $4, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $4, R9")
	}
	p.line("DECQ DX")
	p.line("JNE  quad")
	for pan := range t.Panels {
		p.line("VCVTPH2PS %s, Z%d", indexed("R12", "BX", pan, 0), pan)
	}
	p.line("MOVQ R14, DX")
	for tok := range t.Tokens {
		p.line("VBROADCASTSS (DX), Z4")
		for pan := range t.Panels {
			d, a := dot(tok, pan), acc(tok, pan)
			p.line("VMULPS Z%d, Z4, Z5; VCVTDQ2PS %s, %s; VFMADD231PS %s, Z5, %s", pan, d, d, d, a)
		}
		if tok+1 < t.Tokens {
			p.line("ADDQ R15, DX")
		}
	}
	p.line("ADDQ $32, R12")
	p.line("ADDQ $4, R13")
	p.line("ADDQ $4, R14")
	p.line("DECQ CX")
	p.line("JNE  block")
	p.label("\nstore:")
	each("ADDQ R11, SI", func(tok, pan int) string {
		return fmt.Sprintf("VMOVUPS %s, %s", acc(tok, pan), indexed("SI", "", 0, 64*pan))
	})
	p.end()
}
