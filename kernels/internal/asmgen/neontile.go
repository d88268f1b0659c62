package asmgen

import (
	"fmt"
	"strings"
)

// Tiles for arm64, whose registers hold four rows: a panel's column is four of them, a token's
// elements come four k to a register and are multiplied by lane. R1 is dst, R2 up the panels, R6
// up the tokens' x, R11 what is left of k, R12 dst's stride; R13 up is scratch.

var (
	neonFloatTiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {2, 2}, {4, 1}}
	neonQ8Tiles    = []Tile{{1, 1}, {1, 2}}
	neonDotTiles   = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {2, 2}, {4, 1}}
)

// neonFloat is a weight format: the load of a panel's column into registers w to w+3.
var neonFloat = []struct {
	name string
	load func(pan, w int) string
}{
	{"F32", func(pan, w int) string {
		return fmt.Sprintf("VLD1.P 64(R%d), [V%d.S4, V%d.S4, V%d.S4, V%d.S4]", 2+pan, w, w+1, w+2, w+3)
	}},
	{"BF16", halves("shll")},
	{"F16", halves("fcvtl")},
}

// halves loads 16-bit weights and widens them with an instruction and its twin for the upper half.
func halves(widen string) func(pan, w int) string {
	return func(pan, w int) string {
		return fmt.Sprintf("VLD1.P 32(R%d), [V%d.H8, V%d.H8]; ", 2+pan, w+2, w+3) + strings.Join([]string{
			op(widen, w+2, w), op(widen+"2", w+2, w+1), op(widen, w+3, w+2), op(widen+"2", w+3, w+3)}, "; ")
	}
}

// neonRegs is the use of vector registers: sums from 0, then x of the tokens, then one column's weights.
type neonRegs struct{ Tile }

func (r neonRegs) acc(tok, pan, v int) int { return 4*(tok*r.Panels+pan) + v }
func (r neonRegs) x(tok int) int           { return 4*r.Panels*r.Tokens + tok }
func (r neonRegs) w() int                  { return r.x(r.Tokens) }

// each joins what f writes for the four registers of a panel's rows.
func each(f func(v int) string) string {
	return strings.Join([]string{f(0), f(1), f(2), f(3)}, "; ")
}

const neonTileHeader = header + "#include \"neon_arm64.h\"\n"

// neonText opens a function and loads the pointers.
func (p *printer) neonText(name, comment string, t Tile) {
	p.label("\n// func %s(a *tile)\n// %s", name, comment)
	p.label("TEXT ·%s(SB), NOSPLIT, $0-8", name)
	p.line("MOVD a+0(FP), R0")
	p.line("MOVD tile_dst(R0), R1")
	p.line("MOVD tile_w(R0), R2")
	p.line("MOVD tile_x(R0), R6")
	p.line("MOVD tile_k(R0), R11")
	p.neonStride("tile_ldw", 2, t.Panels)
	p.neonStride("tile_ldx", 6, t.Tokens)
	if t.Tokens > 1 {
		p.line("MOVD tile_ldd(R0), R12")
	}
}

// neonStride makes registers first+1 up the rows after the first one.
func (p *printer) neonStride(field string, first, n int) {
	if n == 1 {
		return
	}
	p.line("MOVD %s(R0), R13", field)
	for i := 1; i < n; i++ {
		p.line("ADD  R13, R%d, R%d", first+i-1, first+i)
	}
}

func neonFloatFile(format int) []byte {
	var p printer
	p.WriteString(neonTileHeader)
	for _, t := range neonFloatTiles {
		neonFloatTile(&p, format, t)
	}
	return p.Bytes()
}

// neonFloatTile writes one tile over a run of k: acc = fma(w, x, acc) for k in sequence, four and
// then one at a time, then dst = acc, or dst += acc.
func neonFloatTile(p *printer, format int, t Tile) {
	f, r := neonFloat[format], neonRegs{t}
	p.neonText(symbol(f.name, "NEON", t), fmt.Sprintf("Requires: NEON. V0 up hold the sums, token by token; V%d up x; V%d up weights.", r.x(0), r.w()), t)
	p.neonZero(4 * t.Panels * t.Tokens)
	p.line("SUBS $4, R11, R11")
	p.line("BLT  rest")
	p.label("\nloop4:")
	for tok := range t.Tokens {
		p.line("FMOVQ.P 16(R%d), F%d", 6+tok, r.x(tok))
	}
	p.line("PRFM %d(R2), PLDL1KEEP", ahead)
	for k := range 4 {
		neonColumn(p, f.load, r, k)
	}
	p.line("SUBS $4, R11, R11")
	p.line("BGE  loop4")
	p.label("\nrest:")
	p.line("ADDS $4, R11, R11")
	p.line("BEQ  sum")
	p.label("\nloop1:")
	for tok := range t.Tokens {
		p.line("FMOVS.P 4(R%d), F%d", 6+tok, r.x(tok))
	}
	neonColumn(p, f.load, r, 0)
	p.line("SUBS $1, R11, R11")
	p.line("BNE  loop1")
	p.neonSum(t, r)
}

// neonSum adds dst where asked, and stores.
func (p *printer) neonSum(t Tile, r neonRegs) {
	p.label("\nsum:")
	p.line("MOVBU tile_add(R0), R13")
	p.line("CBZ  R13, store")
	p.neonDst(t, func(tok, pan int) string {
		w := r.w()
		return fmt.Sprintf("VLD1.P 64(R14), [V%d.S4, V%d.S4, V%d.S4, V%d.S4]; ", w, w+1, w+2, w+3) +
			each(func(v int) string { a := r.acc(tok, pan, v); return op("fadd", w+v, a, a) })
	})
	p.label("\nstore:")
	p.neonDst(t, func(tok, pan int) string {
		a := r.acc(tok, pan, 0)
		return fmt.Sprintf("VST1.P [V%d.S4, V%d.S4, V%d.S4, V%d.S4], 64(R14)", a, a+1, a+2, a+3)
	})
	p.line("RET")
}

// neonZero clears the first n registers.
func (p *printer) neonZero(n int) {
	for v := 0; v < n; v += 4 {
		p.line("%s", each(func(i int) string { return op("zero", v+i) }))
	}
}

// neonDst walks the tile's part of dst, row by row, with R14 at each panel's rows.
func (p *printer) neonDst(t Tile, f func(tok, pan int) string) {
	row := "R1"
	for tok := range t.Tokens {
		ops := []string{"MOVD " + row + ", R14"}
		for pan := range t.Panels {
			ops = append(ops, f(tok, pan))
		}
		if tok+1 < t.Tokens {
			ops = append(ops, "ADD R12, "+row+", R13")
		}
		row = "R13"
		p.line("%s", strings.Join(ops, "; "))
	}
}

// neonColumn multiplies one column of the panels by lane k of every token.
func neonColumn(p *printer, load func(pan, w int) string, r neonRegs, k int) {
	w := r.w()
	for pan := range r.Panels {
		p.line("%s", load(pan, w))
		for tok := range r.Tokens {
			p.line("%s", each(func(v int) string { return op("fmlae", k, r.x(tok), w+v, r.acc(tok, pan, v)) }))
		}
	}
}
