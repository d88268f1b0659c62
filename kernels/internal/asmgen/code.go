package asmgen

import (
	"fmt"
	"strings"
)

// The products of fewer than 8 bits: blocks of 32 along k, laid out as kernels/quant.Code says. A
// block's codes become bytes, level+128 or the code itself, and their dot product with 8-bit
// activations is exact. It starts at Σx times what the bytes are above the levels, and is folded in by
// acc = fma(float(dot), scale_w·scale_x, acc), then acc = fma(float(Σx), minimum·scale_x, acc).

// codeFormat is one format.
type codeFormat struct {
	name  string
	high  int // bits of a code beyond four
	shift int // the dot product starts at -128·Σx shifted right by so many bits, at 0 if negative
	least bool
	table bool
}

var codeFormats = []codeFormat{{"Q4", 0, 0, false, true}, {"Q4L", 0, -1, true, false}, {"Q5", 1, 3, false, false}, {"Q6", 2, 2, false, false}}

// levels4 are the levels of Q4, as in kernels/quant.
var levels4 = [16]int{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// size is the bytes of the codes of a panel's block; scaleSize those of its scales.
func (f codeFormat) size() int { return 256 + 64*f.high }

func (f codeFormat) scaleSize() int {
	if f.least {
		return 64
	}
	return 32
}

// constants writes what the tiles of a file load: the mask of four bits, sixteen ones, the upper bits
// of codes, and the levels.
func (f codeFormat) constants(p *printer, above int) {
	data := func(name string, words ...uint64) {
		for i, w := range words {
			p.label("DATA %s<>+%d(SB)/8, $%#016x", name, 8*i, w)
		}
		p.label("GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, 8*len(words))
	}
	same := func(b uint64) []uint64 { w := b * 0x0101010101010101; return []uint64{w, w, w, w} }
	p.label("")
	data("low4", same(15)...)
	if above == 0 {
		one := uint64(0x0001000100010001)
		data("ones", one, one, one, one)
	}
	if f.high > 0 {
		data("high", same([]uint64{0, 0x10, 0x30}[f.high])...)
	}
	if f.table {
		var t [2]uint64
		for i, l := range levels4 {
			t[i/8] |= uint64(uint8(l+above)) << (i % 8 * 8)
		}
		data("levels", t[0], t[1], t[0], t[1])
	}
}

// ymmFile writes the tiles of 256-bit registers. AVX2 alone multiplies levels of Q4 with their sign.
func (f codeFormat) ymmFile(i ymm) []byte {
	var p printer
	i.open(&p)
	above := 0
	if i.vnni {
		above = 128
	}
	f.constants(&p, above)
	for _, t := range ymmTiles {
		f.ymmTile(&p, i, t)
	}
	return p.Bytes()
}

// ymmTile: Y0-Y7 the sums of a block. The float sums live in dst.
func (f codeFormat) ymmTile(p *printer, i ymm, t Tile) {
	p.text(symbol(f.name, i.name, t), "// Requires: "+i.requires+". Y0 up hold the sums of a block, panel by panel within a token; R12 scales, R14 token scales, R13 from there to block sums.")
	p.codePointers(t)
	p.clearFloats(t)
	if f.table {
		p.line("VMOVDQU levels<>(SB), Y15")
	}
	p.line("TESTQ CX, CX")
	p.line("JEQ  done")
	p.label("\nblock:")
	short := f.short() && !i.vnni
	if !short {
		f.startYMM(p, i, t)
	}
	for v := range 4 {
		if i.vnni {
			f.quadsAVXVNNI(p, t, v)
		} else {
			f.quadsAVX2(p, t, v)
		}
	}
	if short {
		for n := range 2 * t.Panels * t.Tokens {
			p.line("VPMADDWD ones<>(SB), Y%d, Y%d", n, n)
		}
	}
	f.foldYMM(p, t)
	p.codeAdvance(f, t)
	p.label("\ndone:")
	p.end()
}

// short reports whether AVX2 sums a whole block in 16 bits: pairs of codes of four bits with numbers of
// at most 128, eight to a sum, are at most 8·2·15·128.
func (f codeFormat) short() bool { return f.high == 0 && !f.table }

// startYMM sets the sums of a block to where they begin.
func (f codeFormat) startYMM(p *printer, i ymm, t Tile) {
	sums := f.shift >= 0 && (i.vnni || !f.table)
	if sums {
		p.line("MOVQ R14, AX")
	}
	for tok := range t.Tokens {
		first := sumYMM(t, tok, 0, 0)
		ops := []string{fmt.Sprintf("VPXOR %s, %s, %s", first, first, first)}
		if sums {
			ops = []string{"VPBROADCASTD (AX)(R13*1), " + first}
			if f.shift > 0 {
				ops = append(ops, fmt.Sprintf("VPSRAD $%d, %s, %s", f.shift, first, first))
			}
		}
		for v := 1; v < 2*t.Panels; v++ {
			ops = append(ops, fmt.Sprintf("VMOVDQA %s, %s", first, sumYMM(t, tok, v/2, v%2)))
		}
		if sums {
			ops = append(ops, next(t, tok, "ADDQ R15, AX")...)
		}
		p.line("%s", strings.Join(ops, "; "))
	}
}

// quadsAVX2 adds the products of columns 4v and 16+4v, four each. With one token its activations
// stay in registers while the panels pass; with several, a panel's codes do while the tokens pass.
func (f codeFormat) quadsAVX2(p *printer, t Tile, v int) {
	if t.Tokens == 1 {
		p.line("VPBROADCASTD %s, Y12; VPBROADCASTD %s, Y13", row(0, 4*v), row(0, 16+4*v))
		if f.table {
			p.line("VPABSB Y12, Y10; VPABSB Y13, Y11")
		}
	}
	if t.Panels == 1 {
		p.line("PREFETCHT0 %d(DI)", ahead+64*v)
	}
	for pan := range t.Panels {
		if t.Tokens == 1 {
			for half := range 2 {
				p.joined(func() { f.oneTokenAVX2(p, pan, half, v, sumYMM(t, 0, pan, half)) })
			}
			continue
		}
		p.joined(func() { f.unpackYMM(p, pan, 0, v, "Y8", "Y9", "Y12") })
		p.joined(func() { f.unpackYMM(p, pan, 1, v, "Y10", "Y11", "Y12") })
		for tok := range t.Tokens {
			p.joined(func() { f.tokenAVX2(p, t, tok, pan, v) })
		}
	}
}

// oneTokenAVX2 adds the products of eight rows with the one token.
func (f codeFormat) oneTokenAVX2(p *printer, pan, half, v int, sum string) {
	f.unpackYMM(p, pan, half, v, "Y8", "Y9", "Y14")
	if f.table {
		f.multiplyAVX2(p, "Y10", "Y12", "Y8", "Y8", sum)
		f.multiplyAVX2(p, "Y11", "Y13", "Y9", "Y9", sum)
	} else {
		f.multiplyBothAVX2(p, v, "Y12", "Y13", "Y8", "Y9", "Y8", "Y9", sum)
	}
}

// tokenAVX2 adds the products of one token with a panel's codes in Y8-Y11.
func (f codeFormat) tokenAVX2(p *printer, t Tile, tok, pan, v int) {
	if !f.table {
		p.line("VPBROADCASTD %s, Y12; VPBROADCASTD %s, Y13", row(tok, 4*v), row(tok, 16+4*v))
		f.multiplyBothAVX2(p, v, "Y12", "Y13", "Y8", "Y9", "Y14", "Y15", sumYMM(t, tok, pan, 0))
		f.multiplyBothAVX2(p, v, "Y12", "Y13", "Y10", "Y11", "Y14", "Y15", sumYMM(t, tok, pan, 1))
		return
	}
	for i := range 2 {
		p.line("VPBROADCASTD %s, Y12; VPABSB Y12, Y13", row(tok, 4*v+16*i))
		for half := range 2 {
			f.multiplyAVX2(p, "Y13", "Y12", fmt.Sprintf("Y%d", 8+2*half+i), "Y14", sumYMM(t, tok, pan, half))
		}
	}
}

// unpackYMM makes bytes of the codes of eight rows: of columns 4v in lo, of 16+4v in hi.
func (f codeFormat) unpackYMM(p *printer, pan, half, v int, lo, hi, tmp string) {
	p.line("VMOVDQU %s, %s; VPSRLW $4, %s, %s; VPAND low4<>(SB), %s, %s; VPAND low4<>(SB), %s, %s", panel(pan, 64*v+32*half), lo, lo, hi, lo, lo, hi, hi)
	if f.table {
		p.line("VPSHUFB %s, Y15, %s; VPSHUFB %s, Y15, %s", lo, lo, hi, hi)
	}
	for i, dst := range []string{lo, hi} {
		if f.high == 0 {
			break
		}
		at, shift := f.plane(v, i)
		op := fmt.Sprintf("VPSLLW $%d, %s, %s", shift, tmp, tmp)
		if shift < 0 {
			op = fmt.Sprintf("VPSRLW $%d, %s, %s", -shift, tmp, tmp)
		}
		p.line("VMOVDQU %s, %s; %s; VPAND high<>(SB), %s, %s; VPOR %s, %s, %s", panel(pan, at+32*half), tmp, op, tmp, tmp, tmp, dst, dst)
	}
}

// plane says where the upper bits of columns 4v, or with i 16+4v, are, and how far to the left of
// them they belong.
func (f codeFormat) plane(v, i int) (at, shift int) {
	if f.high == 1 {
		return 256, 4 - v - 4*i
	}
	return 256 + 64*i, 4 - 2*v
}

// multiplyAVX2 adds x·level as |x|·(level with the sign of x): products of bytes of which one is
// unsigned. |x| ≤ 128 and |level| ≤ 127: a pair's sum does not saturate.
func (f codeFormat) multiplyAVX2(p *printer, magnitude, x, level, tmp, sum string) {
	p.line("VPSIGNB %s, %s, %s; VPMADDUBSW %s, %s, %s; VPMADDWD ones<>(SB), %s, %s; VPADDD %s, %s, %s", x, level, tmp, tmp, magnitude, tmp, tmp, tmp, tmp, sum, sum)
}

// multiplyBothAVX2 adds the products of two quads of codes of at most six bits: the sum of two pairs
// is at most 4·63·128 and fits 16 bits. Short sums begin with those of v = 0.
func (f codeFormat) multiplyBothAVX2(p *printer, v int, x0, x1, w0, w1, tmp0, tmp1, sum string) {
	switch {
	case !f.short():
		p.line("VPMADDUBSW %s, %s, %s; VPMADDUBSW %s, %s, %s; VPADDW %s, %s, %s; VPMADDWD ones<>(SB), %s, %s; VPADDD %s, %s, %s",
			x0, w0, tmp0, x1, w1, tmp1, tmp1, tmp0, tmp0, tmp0, tmp0, tmp0, sum, sum)
	case v == 0:
		p.line("VPMADDUBSW %s, %s, %s; VPMADDUBSW %s, %s, %s; VPADDW %s, %s, %s", x0, w0, sum, x1, w1, tmp1, tmp1, sum, sum)
	default:
		p.line("VPMADDUBSW %s, %s, %s; VPADDW %s, %s, %s; VPMADDUBSW %s, %s, %s; VPADDW %s, %s, %s", x0, w0, tmp0, tmp0, sum, sum, x1, w1, tmp1, tmp1, sum, sum)
	}
}

// foldYMM folds a block's sums into dst.
func (f codeFormat) foldYMM(p *printer, t Tile) {
	if f.least {
		p.line("MOVL $%#x, AX; VMOVD AX, X15; VBROADCASTSS X15, Y15", minus128th)
	}
	for pan := range t.Panels {
		if pan == 3 {
			p.line("LEAQ (R12)(BX*2), AX; ADDQ BX, AX")
		}
		p.line("VCVTPH2PS %s, Y8; VCVTPH2PS %s, Y9", scales(pan, 0), scales(pan, 16))
		if f.least {
			p.line("VCVTPH2PS %s, Y12; VCVTPH2PS %s, Y13", scales(pan, 32), scales(pan, 48))
		}
		dst, scale := "SI", "R14"
		if t.Tokens > 1 {
			// A fourth panel comes with one token only: DX is free.
			dst, scale = "AX", "DX"
			p.line("MOVQ SI, AX; MOVQ R14, DX")
		}
		for tok := range t.Tokens {
			p.joined(func() { f.foldTokenYMM(p, t, tok, pan, dst, scale) })
		}
	}
}

// foldTokenYMM folds the sums of one token and panel into dst.
func (f codeFormat) foldTokenYMM(p *printer, t Tile, tok, pan int, dst, scale string) {
	p.line("VBROADCASTSS (%s), Y10; VMULPS Y8, Y10, Y11; VMULPS Y9, Y10, Y14", scale)
	for half, w := range []string{"Y11", "Y14"} {
		a, mem := sumYMM(t, tok, pan, half), indexed(dst, "", 0, 64*pan+32*half)
		p.line("VCVTDQ2PS %s, %s; VFMADD213PS %s, %s, %s", a, a, mem, w, a)
	}
	if f.least {
		p.line("VPBROADCASTD (%s)(R13*1), Y11; VCVTDQ2PS Y11, Y11; VMULPS Y15, Y11, Y11", scale)
		for half := range 2 {
			p.line("VMULPS Y%d, Y10, Y14; VFMADD231PS Y14, Y11, %s", 12+half, sumYMM(t, tok, pan, half))
		}
	}
	for half := range 2 {
		p.line("VMOVUPS %s, %s", sumYMM(t, tok, pan, half), indexed(dst, "", 0, 64*pan+32*half))
	}
	if tok+1 < t.Tokens {
		p.line("ADDQ R15, DX; ADDQ R11, AX")
	}
}

// minus128th is -1/128 as a float32: what makes Σx of -128·Σx.
const minus128th = 0xbc000000

// codePointers loads what the tiles need beside the pointers of all tiles: CX blocks, R12 scales, R14
// block scales of x, R15 their stride between tokens, R13 what leads from there to the block sums. AX is then
// free, and DX too unless there is a fourth panel.
func (p *printer) codePointers(t Tile) {
	p.q8Pointers(t)
	p.line("SUBQ R14, R13")
}

// codeAdvance moves on by one block and closes the loop over them.
func (p *printer) codeAdvance(f codeFormat, t Tile) {
	p.line("ADDQ $%d, DI", f.size())
	if t.Panels > 3 {
		p.line("ADDQ $%d, DX", f.size())
	}
	p.line("ADDQ $32, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $32, R9")
	}
	p.line("ADDQ $%d, R12", f.scaleSize())
	p.line("ADDQ $4, R14")
	p.line("DECQ CX")
	p.line("JNE  block")
}
