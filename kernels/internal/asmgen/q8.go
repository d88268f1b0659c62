package asmgen

import (
	"fmt"
	"strings"
)

// The 8-bit product: blocks of 32 along k. A panel holds, for every four k, 64 bytes: four for
// each of 16 rows, as q+128; and for every block 16 half-precision scales. The dot product of a
// block starts at -128·Σx, is exact, and is folded in by
// acc = fma(float(dot), scale_w·scale_x, acc), from 0 or from dst.

var (
	ymmTiles    = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 2}, {4, 1}}
	q8VNNITiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {2, 1}, {2, 2}, {2, 3}, {2, 4}, {2, 5}, {2, 6}, {4, 1}}
)

// ymm is an instruction set with sixteen registers of 256 bits: a panel is two.
type ymm struct {
	name, requires string
	vnni           bool // bytes are multiplied by VPDPBUSD
}

var (
	ymmAVX2 = ymm{"AVX2", "AVX2, FMA, F16C", false}
	ymmVNNI = ymm{"AVXVNNI", "AVX2, FMA, F16C, AVX-VNNI", true}
)

// open writes what a file begins with.
func (i ymm) open(p *printer) {
	p.WriteString(header)
	if i.vnni {
		p.label("#include %q", vnniHeaderName)
	}
}

func q8YMMFile(i ymm) []byte {
	var p printer
	i.open(&p)
	for _, t := range ymmTiles {
		q8YMMTile(&p, i, t)
	}
	return p.Bytes()
}

// q8YMMTile multiplies bytes by VPDPBUSD or, with AVX2, 16-bit pairs: bytes 0 and 2 of a quad, then 1 and 3.
// Registers: Y0-Y7 integer sums, Y8-Y13 weights and x, Y14 product, Y15 the mask of the even bytes. The float
// sums live in dst.
func q8YMMTile(p *printer, i ymm, t Tile) {
	acc := func(tok, pan, half int) string { return sumYMM(t, tok, pan, half) }
	p.text(symbol("Q8", i.name, t), "// Requires: "+i.requires+". Y0 up hold the sums of a block, panel by panel within a token; R12 scales, R13 block sums, R14 token scales.")
	p.q8Pointers(t)
	if !i.vnni {
		p.line("VPCMPEQW Y15, Y15, Y15; VPSRLW $8, Y15, Y15")
	}
	p.clearFloats(t)
	p.line("TESTQ CX, CX")
	p.line("JEQ  done")
	p.label("\nblock:")
	p.line("MOVQ R13, AX")
	for tok := range t.Tokens {
		ops := []string{"VPBROADCASTD (AX), " + acc(tok, 0, 0)}
		for v := 1; v < 2*t.Panels; v++ {
			ops = append(ops, fmt.Sprintf("VMOVDQA %s, %s", acc(tok, 0, 0), acc(tok, v/2, v%2)))
		}
		p.line("%s", strings.Join(append(ops, next(t, tok, "ADDQ R15, AX")...), "; "))
	}
	p.line("MOVQ $8, AX")
	p.label("\nquad:")
	if i.vnni {
		q8QuadAVXVNNI(p, t, acc)
		p.q8Advance(t, 4)
	} else {
		q8QuadAVX2(p, t, acc)
		p.q8Advance(t, 8)
	}
	for pan := range t.Panels {
		if pan == 3 {
			p.line("LEAQ (R12)(BX*2), AX; ADDQ BX, AX")
		}
		p.line("VCVTPH2PS %s, Y8; VCVTPH2PS %s, Y9", scales(pan, 0), scales(pan, 16))
		dst, scale := "SI", "R14"
		if t.Tokens > 1 {
			dst, scale = "AX", "DX"
			p.line("MOVQ SI, AX; MOVQ R14, DX")
		}
		for tok := range t.Tokens {
			p.line("VBROADCASTSS (%s), Y10; VMULPS Y8, Y10, Y11; VMULPS Y9, Y10, Y10", scale)
			for half, w := range []string{"Y11", "Y10"} {
				a, mem := acc(tok, pan, half), indexed(dst, "", 0, 64*pan+32*half)
				p.line("VCVTDQ2PS %s, %s; VFMADD213PS %s, %s, %s; VMOVUPS %s, %s", a, a, mem, w, a, a, mem)
			}
			if tok+1 < t.Tokens {
				p.line("ADDQ R15, DX; ADDQ R11, AX")
			}
		}
	}
	p.line("ADDQ $32, R12")
	p.line("ADDQ $4, R14")
	p.line("ADDQ $4, R13")
	p.line("DECQ CX")
	p.line("JNE  block")
	p.label("\ndone:")
	p.end()
}

// sumYMM is the register of a tile's integer sums of token tok, panel pan, rows from 8·half.
func sumYMM(t Tile, tok, pan, half int) string {
	return fmt.Sprintf("Y%d", 2*(tok*t.Panels+pan)+half)
}

// clearFloats begins with float sums of 0 in dst, unless the tile adds to it, and opens sums.
func (p *printer) clearFloats(t Tile) {
	p.line("CMPB tile_add(AX), $0")
	p.line("JNE  sums")
	p.line("VXORPS Y0, Y0, Y0; MOVQ SI, AX")
	for tok := range t.Tokens {
		var ops []string
		for v := range 2 * t.Panels {
			ops = append(ops, "VMOVUPS Y0, "+indexed("AX", "", 0, 32*v))
		}
		p.line("%s", strings.Join(append(ops, next(t, tok, "ADDQ R11, AX")...), "; "))
	}
	p.label("\nsums:")
}

// ahead is how many bytes of weights a tile of one panel prefetches: a single stream does not draw
// on the memory's whole bandwidth by itself.
const ahead = 2048

// next is what moves on to the token after tok, nothing after the last.
func next(t Tile, tok int, op string) []string {
	if tok+1 < t.Tokens {
		return []string{op}
	}
	return nil
}

// scales is the address of a panel's scales of the present block.
func scales(pan, d int) string {
	if pan == 3 {
		return indexed("AX", "", 0, d)
	}
	return indexed("R12", "BX", pan, d)
}

// q8QuadAVX2 adds the products of four columns. With one panel its weights stay in registers and the
// tokens pass; with several, the tokens stay and the weights pass.
func q8QuadAVX2(p *printer, t Tile, acc func(tok, pan, half int) string) {
	multiply := func(x, w, a string) string {
		return fmt.Sprintf("VPMADDWD %s, %s, Y14; VPADDD Y14, %s, %s", x, w, a, a)
	}
	if t.Panels == 1 {
		p.line("PREFETCHT0 %d(DI)", ahead)
		p.line("VMOVDQU (DI), Y8; VPSRLW $8, Y8, Y9; VPAND Y15, Y8, Y8")
		p.line("VMOVDQU 32(DI), Y10; VPSRLW $8, Y10, Y11; VPAND Y15, Y10, Y10")
		for tok := range t.Tokens {
			p.line("VPBROADCASTD %s, Y12; VPBROADCASTD %s, Y13", row(tok, 0), row(tok, 4))
			for half := range 2 {
				a := acc(tok, 0, half)
				p.line("%s; %s", multiply("Y12", fmt.Sprintf("Y%d", 8+2*half), a), multiply("Y13", fmt.Sprintf("Y%d", 9+2*half), a))
			}
		}
		return
	}
	for tok := range t.Tokens {
		p.line("VPBROADCASTD %s, Y%d; VPBROADCASTD %s, Y%d", row(tok, 0), 10+2*tok, row(tok, 4), 11+2*tok)
	}
	for pan := range t.Panels {
		for half := range 2 {
			p.line("VMOVDQU %s, Y8; VPSRLW $8, Y8, Y9; VPAND Y15, Y8, Y8", panel(pan, 32*half))
			for tok := range t.Tokens {
				a := acc(tok, pan, half)
				p.line("%s; %s", multiply(fmt.Sprintf("Y%d", 10+2*tok), "Y8", a), multiply(fmt.Sprintf("Y%d", 11+2*tok), "Y9", a))
			}
		}
	}
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
	dot := func(tok, pan int) string { return dotVNNI(t, tok, pan) }
	acc := func(tok, pan int) string { return accVNNI(t, tok, pan) }
	p.text(symbol("Q8", "AVX512VNNI", t), "// Requires: AVX512F, VNNI. Z8 up hold the sums of a block, Z20 up the float sums; R12 scales, R13 block sums, R14 token scales.")
	p.q8Pointers(t)
	each := func(step string, op func(tok, pan int) string) { p.each(t, step, op) }
	p.loadFloats(t)
	p.line("TESTQ CX, CX")
	p.line("JEQ  store")
	p.label("\nblock:")
	p.line("MOVQ R13, AX")
	each("ADDQ R15, AX", func(tok, pan int) string { return fmt.Sprintf("VPBROADCASTD (AX), %s", dot(tok, pan)) })
	p.line("MOVQ $8, AX")
	p.label("\nquad:")
	for pan := range t.Panels {
		p.line("VMOVDQU32 %s, Z%d", panel(pan, 0), pan)
	}
	each("", func(tok, pan int) string {
		return fmt.Sprintf("VPDPBUSD.BCST %s, Z%d, %s", row(tok, 0), pan, dot(tok, pan))
	})
	p.q8Advance(t, 4)
	for pan := range t.Panels {
		if pan == 3 {
			p.line("LEAQ (R12)(BX*2), AX; ADDQ BX, AX")
		}
		p.line("VCVTPH2PS %s, Z%d", scales(pan, 0), pan)
	}
	p.line("MOVQ R14, AX")
	for tok := range t.Tokens {
		p.line("VBROADCASTSS (AX), Z4")
		for pan := range t.Panels {
			d, a := dot(tok, pan), acc(tok, pan)
			p.line("VMULPS Z%d, Z4, Z5; VCVTDQ2PS %s, %s; VFMADD231PS %s, Z5, %s", pan, d, d, d, a)
		}
		if tok+1 < t.Tokens {
			p.line("ADDQ R15, AX")
		}
	}
	p.line("ADDQ $32, R12")
	p.line("ADDQ $4, R13")
	p.line("ADDQ $4, R14")
	p.line("DECQ CX")
	p.line("JNE  block")
	p.label("\nstore:")
	p.storeFloats(t)
	p.end()
}

// dotVNNI and accVNNI are the registers of a tile's integer and float sums.
func dotVNNI(t Tile, tok, pan int) string { return fmt.Sprintf("Z%d", 8+tok*t.Panels+pan) }

func accVNNI(t Tile, tok, pan int) string { return fmt.Sprintf("Z%d", 20+tok*t.Panels+pan) }

// each writes a line for each token with op for every panel, then what moves on to the next token.
func (p *printer) each(t Tile, step string, op func(tok, pan int) string) {
	for tok := range t.Tokens {
		var ops []string
		for pan := range t.Panels {
			ops = append(ops, op(tok, pan))
		}
		if step != "" {
			ops = append(ops, next(t, tok, step)...)
		}
		p.line("%s", strings.Join(ops, "; "))
	}
}

// loadFloats begins with float sums of 0, or of dst where the tile adds to it, and opens sums.
func (p *printer) loadFloats(t Tile) {
	p.each(t, "", func(tok, pan int) string { a := accVNNI(t, tok, pan); return fmt.Sprintf("VPXORD %s, %s, %s", a, a, a) })
	p.line("CMPB tile_add(AX), $0")
	p.line("JEQ  sums")
	p.line("MOVQ SI, AX")
	p.each(t, "ADDQ R11, AX", func(tok, pan int) string {
		return fmt.Sprintf("VMOVUPS %s, %s", indexed("AX", "", 0, 64*pan), accVNNI(t, tok, pan))
	})
	p.label("\nsums:")
}

// storeFloats writes the float sums to dst.
func (p *printer) storeFloats(t Tile) {
	p.each(t, "ADDQ R11, SI", func(tok, pan int) string {
		return fmt.Sprintf("VMOVUPS %s, %s", accVNNI(t, tok, pan), indexed("SI", "", 0, 64*pan))
	})
}

// q8Pointers loads what the 8-bit tiles need beside the pointers of all tiles: CX blocks, R12
// scales, R13 block sums of x, R14 block scales of x, R15 their stride between tokens. AX is then
// free, and DX too unless there is a fourth panel.
func (p *printer) q8Pointers(t Tile) {
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX")
	p.line("MOVQ tile_scale(AX), R12")
	p.line("MOVQ tile_sum(AX), R13")
	p.line("MOVQ tile_xscale(AX), R14")
	p.line("MOVQ tile_lds(AX), R15")
}

// q8Advance moves on by four columns, of which x takes the given bytes, and closes the loop over
// a block's eight.
func (p *printer) q8Advance(t Tile, x int) {
	p.line("ADDQ $64, DI")
	if t.Panels > 3 {
		p.line("ADDQ $64, DX")
	}
	p.line("ADDQ $%d, R8", x)
	if t.Tokens > 3 {
		p.line("ADDQ $%d, R9", x)
	}
	p.line("DECQ AX")
	p.line("JNE  quad")
}
