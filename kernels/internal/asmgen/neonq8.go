package asmgen

import (
	"fmt"
	"strings"
)

// The 8-bit tiles for arm64 take weights less 128 as signed bytes, so that a block's sum starts at
// 0, and keep the float sums in dst. R16 is the scales, R17 the tokens' scales, R19 the latter's
// stride, R20 the panels' stride.

// neonQ8Header adds to the header what folds the sums of a block into dst.
const neonQ8Header = neonTileHeader + `
// FOLD: the four rows at off(R13) += float(d)·(w·x), by way of t and V31.
#define FOLD(x, w, t, d, off) \
	fmule(0, x, w, t) \
	scvtf(d, d) \
	ldq(off, 13, 31) \
	fmla(t, d, 31) \
	stq(off, 13, 31)
`

func neonQ8File() []byte {
	var p printer
	p.WriteString(neonQ8Header)
	for _, t := range neonQ8Tiles {
		neonQ8Tile(&p, t)
	}
	return p.Bytes()
}

func neonDotFile() []byte {
	var p printer
	p.WriteString(neonQ8Header)
	for _, t := range neonDotTiles {
		neonDotTile(&p, t)
	}
	return p.Bytes()
}

// neonQ8Begin opens the loop over blocks with 0x80 in every byte of register 31.
func (p *printer) neonQ8Begin(t Tile) {
	p.line("VMOVI $128, V31.B16")
	p.neonQ8Clear(t)
}

// neonQ8Clear loads the scales' pointers and strides, clears dst unless it is added to, and opens the
// loop over blocks.
func (p *printer) neonQ8Clear(t Tile) {
	p.line("MOVD tile_scale(R0), R16")
	p.line("MOVD tile_xscale(R0), R17")
	p.line("MOVD tile_lds(R0), R19")
	p.line("MOVD tile_ldw(R0), R20")
	p.line("MOVBU tile_add(R0), R13")
	p.line("CBNZ R13, sums")
	p.neonZero(4)
	p.neonDst(t, func(_, _ int) string { return "VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R14)" })
	p.label("\nsums:")
	p.line("CBZ  R11, done")
	p.label("\nblock:")
}

// neonQ8End folds a block's sums, in the registers that dot says, into dst, and closes the loop.
// Registers w to w+3 are free, and x and x+1.
func (p *printer) neonQ8End(t Tile, w, x int, dot func(tok, pan, v int) int) {
	p.line("MOVD R16, R15")
	for pan := range t.Panels {
		p.line("VLD1 (R15), [V%d.H8, V%d.H8]", w+2, w+3)
		p.line("%s; %s; %s; %s", op("fcvtl", w+2, w), op("fcvtl2", w+2, w+1), op("fcvtl", w+3, w+2), op("fcvtl2", w+3, w+3))
		if pan+1 < t.Panels {
			p.line("ADD  R20, R15, R15")
		}
		p.line("MOVD R1, R13; MOVD R17, R14")
		for tok := range t.Tokens {
			p.line("FMOVS (R14), F%d; %s%s", x, each(func(v int) string {
				return op("FOLD", x, w+v, x+1, dot(tok, pan, v), 64*pan+16*v)
			}), strings.Join(append([]string{""}, next(t, tok, "ADD R12, R13, R13; ADD R19, R14, R14")...), "; "))
		}
	}
	p.line("VMOVI $128, V31.B16")
	p.line("ADD  $32, R16, R16")
	p.line("ADD  $4, R17, R17")
	p.line("SUBS $1, R11, R11")
	p.line("BNE  block")
	p.label("\ndone:")
	p.line("RET")
}

// neonSigned loads four columns of a panel into registers w to w+3 as signed bytes.
func (p *printer) neonSigned(pan, w int) {
	p.line("VLD1.P 64(R%d), [V%d.B16, V%d.B16, V%d.B16, V%d.B16]; %s", 2+pan, w, w+1, w+2, w+3,
		each(func(v int) string { return op("eor", 31, w+v, w+v) }))
}

// neonDotTile multiplies four columns by one instruction: a register of x holds sixteen.
func neonDotTile(p *printer, t Tile) {
	r := neonRegs{t}
	p.neonText(symbol("Q8", "NEONDOT", t), fmt.Sprintf("Requires: NEON, ASIMDDP. V0 up hold the sums of a block, token by token; V%d up x; V%d up weights.", r.x(0), r.w()), t)
	p.neonQ8Begin(t)
	p.neonZero(4 * t.Panels * t.Tokens)
	p.line("MOVD $2, R15")
	p.label("\nhalf:")
	for tok := range t.Tokens {
		p.line("FMOVQ.P 16(R%d), F%d", 6+tok, r.x(tok))
	}
	p.line("PRFM %d(R2), PLDL1KEEP", ahead)
	for k := range 4 {
		for pan := range t.Panels {
			p.neonSigned(pan, r.w())
			for tok := range t.Tokens {
				p.line("%s", each(func(v int) string { return op("sdote", k, r.x(tok), r.w()+v, r.acc(tok, pan, v)) }))
			}
		}
	}
	p.line("SUBS $1, R15, R15")
	p.line("BNE  half")
	p.neonQ8End(t, r.w(), r.w()+4, r.acc)
}

// neonQ8Tile multiplies eight columns at a time: the products of two quads fit in 16 bits together,
// since weights are within ±127, and their pairs are added to 32. Registers 0 up hold two sums of
// pairs for each two rows, 16 up the weights, 24 and 25 x, 26 the products.
func neonQ8Tile(p *printer, t Tile) {
	p.neonText(symbol("Q8", "NEON", t), "Requires: NEON. V0 up hold the sums of a block, in pairs; V16 up weights; V24, V25 x; V26 products.", t)
	p.neonQ8Begin(t)
	p.neonZero(8 * t.Tokens)
	p.line("MOVD $4, R15")
	p.label("\nquads:")
	p.line("PRFM %d(R2), PLDL1KEEP", ahead)
	p.neonSigned(0, 16)
	p.neonSigned(0, 20)
	for tok := range t.Tokens {
		p.line("%s; ADD $4, R%d, R%d; %s; ADD $4, R%d, R%d", op("ld1r", 6+tok, 24), 6+tok, 6+tok, op("ld1r", 6+tok, 25), 6+tok, 6+tok)
		for v := range 4 {
			a := 8*tok + 2*v
			p.line("%s; %s; %s", op("smull", 24, 16+v, 26), op("smlal", 25, 20+v, 26), op("sadalp", 26, a))
			p.line("%s; %s; %s", op("smull2", 24, 16+v, 27), op("smlal2", 25, 20+v, 27), op("sadalp", 27, a+1))
		}
	}
	p.line("SUBS $1, R15, R15")
	p.line("BNE  quads")
	dot := func(tok, _, v int) int { return 8*tok + 2*v }
	for tok := range t.Tokens {
		p.line("%s", each(func(v int) string { a := dot(tok, 0, v); return op("addp", a+1, a, a) }))
	}
	p.neonQ8End(t, 16, 24, dot)
}
