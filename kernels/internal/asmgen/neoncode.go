package asmgen

import (
	"fmt"
	"strings"
)

// The products of fewer than 8 bits for arm64: bytes of levels, or of codes whose levels' offset is
// made good at the end of a block. Registers: 0 up the sums of a block, then x; 16 and 17 products
// without SDOT; 20 to 27 the levels of columns 4v and 16+4v; 28 scratch, 29 upper bits, 30 levels, 31
// low four bits.

var (
	neonCodeTiles    = []Tile{{1, 1}, {1, 2}}
	neonCodeDotTiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {4, 1}}
)

// neonCodeFile writes a format's tiles, with SDOT or without.
func (f codeFormat) neonFile(dot bool) []byte {
	var p printer
	p.WriteString(neonTileHeader)
	if f.table {
		p.label("\n// levels are those of the sixteen codes.")
		var t [2]uint64
		for i, l := range levels4 {
			t[i/8] |= uint64(uint8(l)) << (i % 8 * 8)
		}
		p.label("DATA levels<>+0(SB)/8, $%#016x\nDATA levels<>+8(SB)/8, $%#016x\nGLOBL levels<>(SB), RODATA|NOPTR, $16", t[0], t[1])
	}
	p.label("\n// FOLD: the four rows at off(R13) += float(d)·(w·V18)%s, by way of V19 and V28.", map[bool]string{true: " + V17·(l·V18)"}[f.least])
	p.label("#define FOLD(w, l, d, off) \\")
	if f.shift >= 0 && !f.table {
		p.line("add(17, d, d) \\")
	}
	p.label("\tfmule(0, 18, w, 19) \\\n\tscvtf(d, d) \\\n\tldq(off, 13, 28) \\\n\tfmla(19, d, 28) \\")
	if f.least {
		p.label("\tfmule(0, 18, l, 19) \\\n\tfmla(19, 17, 28) \\")
	}
	p.line("stq(off, 13, 28)")
	tiles := neonCodeTiles
	if dot {
		tiles = neonCodeDotTiles
	}
	for _, t := range tiles {
		f.neonTile(&p, t, dot)
	}
	return p.Bytes()
}

func (f codeFormat) neonTile(p *printer, t Tile, dot bool) {
	r := neonRegs{t}
	isa, requires := "NEON", "NEON"
	if dot {
		isa, requires = "NEONDOT", "NEON, ASIMDDP"
	}
	p.neonText(symbol(f.name, isa, t), "Requires: "+requires+". V0 up hold the sums of a block; V20 up levels; R16 scales, R17 token scales, R21 block sums.", t)
	p.line("MOVD tile_sum(R0), R21")
	if f.least {
		p.line("FMOVS $-0.0078125, F29 // -1/128")
	}
	if f.high > 0 {
		p.line("VMOVI $%d, V29.B16", []int{0, 0x10, 0x30}[f.high])
	}
	if f.table {
		p.line("MOVD $levels<>(SB), R13; VLD1 (R13), [V30.B16]")
	}
	p.line("VMOVI $15, V31.B16")
	p.neonQ8Clear(t)
	sums := 4 * t.Panels * t.Tokens
	if !dot {
		sums *= 2
	}
	p.neonZero(sums)
	if dot {
		for tok := range t.Tokens {
			x := r.x(0) + 2*tok
			p.line("FMOVQ.P 16(R%d), F%d; FMOVQ.P 16(R%d), F%d", 6+tok, x, 6+tok, x+1)
		}
	}
	for v := range 4 {
		p.line("PRFM %d(R2), PLDL1KEEP", ahead+64*v)
		for pan := range t.Panels {
			p.line("%s", f.neonUnpack(pan, v))
			for tok := range t.Tokens {
				if dot {
					p.line("%s", each(func(j int) string {
						return op("sdote", v, r.x(0)+2*tok, 20+j, r.acc(tok, pan, j)) + "; " + op("sdote", v, r.x(0)+2*tok+1, 24+j, r.acc(tok, pan, j))
					}))
				} else {
					p.line("%s", neonCodePairs(tok, v))
				}
			}
		}
	}
	f.neonFold(p, t, dot)
}

// neonCodePairs adds the products of columns 4v and 16+4v of a token, pairs of two products in 16
// bits each: levels are within ±127.
func neonCodePairs(tok, v int) string {
	return fmt.Sprintf("ADD $%d, R%d, R13; %s; ADD $16, R13, R13; %s; ", 4*v, 6+tok, op("ld1r", 13, 16), op("ld1r", 13, 17)) +
		each(func(j int) string {
			a := 8*tok + 2*j
			return strings.Join([]string{
				op("smull", 16, 20+j, 18), op("smlal", 17, 24+j, 18), op("sadalp", 18, a),
				op("smull2", 16, 20+j, 19), op("smlal2", 17, 24+j, 19), op("sadalp", 19, a+1)}, "; ")
		})
}

// neonUnpack makes bytes of a panel's columns 4v, in registers 20 up, and 16+4v, in 24 up.
func (f codeFormat) neonUnpack(pan, v int) string {
	return each(func(j int) string {
		lo, hi := 20+j, 24+j
		ops := []string{op("ldq", 64*v+16*j, 2+pan, hi), op("and", 31, hi, lo), op("ushrb", 4, hi, hi)}
		for i, d := range []int{lo, hi} {
			if f.table {
				ops = append(ops, fmt.Sprintf("VTBL V%d.B16, [V30.B16], V%d.B16", d, d))
			}
			if f.high > 0 {
				at, shift := f.plane(v, i)
				move := op("shlb", shift, 28, 28)
				if shift < 0 {
					move = op("ushrb", -shift, 28, 28)
				}
				ops = append(ops, op("ldq", at+16*j, 2+pan, 28), move, op("and", 29, 28, 28), op("orr", 28, d, d))
			}
		}
		return strings.Join(ops, "; ")
	})
}

// neonFold folds a block's sums into dst, moves on by one block and closes the loop.
func (f codeFormat) neonFold(p *printer, t Tile, dot bool) {
	r := neonRegs{t}
	sum := r.acc
	if !dot {
		sum = func(tok, _, v int) int { return 8*tok + 2*v }
		for tok := range t.Tokens {
			p.line("%s", each(func(v int) string { a := sum(tok, 0, v); return op("addp", a+1, a, a) }))
		}
	}
	widen := func(from int) string {
		return fmt.Sprintf("VLD1.P 32(R14), [V%d.H8, V%d.H8]; %s; %s; %s; %s", from+2, from+3,
			op("fcvtl", from+2, from), op("fcvtl2", from+2, from+1), op("fcvtl", from+3, from+2), op("fcvtl2", from+3, from+3))
	}
	for pan := range t.Panels {
		load := "MOVD R16, R14; "
		if pan > 0 {
			load = "ADD R20, R15, R14; "
		}
		p.line("%sMOVD R14, R15; %s", load, widen(20))
		if f.least {
			p.line("%s", widen(24))
		}
		p.line("MOVD R1, R13; MOVD R17, R14; MOVD R21, R22")
		for tok := range t.Tokens {
			ops := []string{"FMOVS (R14), F18"}
			if f.least {
				ops = append(ops, op("ld1r", 22, 17), op("scvtf", 17, 17), op("fmule", 0, 29, 17, 17))
			} else if !f.table {
				ops = append(ops, op("ld1r", 22, 17), op("sshr", f.shift, 17, 17))
			}
			ops = append(ops, each(func(v int) string { return op("FOLD", 20+v, 24+v, sum(tok, pan, v), 64*pan+16*v) }))
			p.line("%s", strings.Join(append(ops, next(t, tok, "ADD R12, R13, R13; ADD R19, R14, R14; ADD R19, R22, R22")...), "; "))
		}
	}
	for pan := range t.Panels {
		p.line("ADD  $%d, R%d, R%d", f.size(), 2+pan, 2+pan)
	}
	if !dot {
		for tok := range t.Tokens {
			p.line("ADD  $32, R%d, R%d", 6+tok, 6+tok)
		}
	}
	p.line("ADD  $%d, R16, R16", f.scaleSize())
	p.line("ADD  $4, R17, R17; ADD $4, R21, R21")
	p.line("SUBS $1, R11, R11")
	p.line("BNE  block")
	p.label("\ndone:")
	p.line("RET")
}
