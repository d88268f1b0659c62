package asmgen

import (
	"fmt"
	"strings"
)

// floatFormat is a weight format whose values widen exactly to float32.
type floatFormat struct {
	name string
	size int                                  // bytes of one weight
	load func(mem, reg string, z bool) string // widens one register of weights
	mul  func(w, x, acc string) string        // acc += w·x; nil for VFMADD231PS
}

// fma adds to acc the product of one register of weights and of x.
func (f floatFormat) fma(w, x, acc string) string {
	if f.mul != nil {
		return f.mul(w, x, acc)
	}
	return fmt.Sprintf("VFMADD231PS %s, %s, %s", w, x, acc)
}

var floatFormats = []floatFormat{
	{name: "F32", size: 4, load: move},
	{name: "BF16", size: 2, load: func(mem, reg string, _ bool) string {
		return fmt.Sprintf("VPMOVZXWD %s, %s; VPSLLD $16, %s, %s", mem, reg, reg, reg)
	}},
	{name: "F16", size: 2, load: func(mem, reg string, _ bool) string { return fmt.Sprintf("VCVTPH2PS %s, %s", mem, reg) }},
}

func move(mem, reg string, _ bool) string { return fmt.Sprintf("VMOVUPS %s, %s", mem, reg) }

// twoAhead is how many weights ahead a tile of two panels prefetches: two panels of 128 columns, a page of
// keys, or one of 256, a run.
const twoAhead = 2 * 128 * 16

// isa describes a register file.
type isa struct {
	name  string
	reg   byte // 'Y' or 'Z'
	lanes int
	accum int // the first accumulator register
	tiles []Tile
}

var (
	avx2 = isa{"AVX2", 'Y', 8, 4, []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {2, 2}, {2, 3}, {4, 1}}}
	// Four panels by six tokens fill 24 of 32 registers.
	avx512 = isa{"AVX512", 'Z', 16, 8, []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}, {4, 1}, {4, 2}, {4, 3}, {4, 4}, {4, 5}, {4, 6}}}
)

func (i isa) r(n int) string { return fmt.Sprintf("%c%d", i.reg, n) }

// acc is the accumulator of token t and register v of the tile's rows.
func (i isa) acc(tile Tile, t, v int) string {
	return i.r(i.accum + t*i.vectors(tile) + v)
}

// vectors is the number of registers that hold one token's rows.
func (i isa) vectors(t Tile) int { return t.Panels * 16 / i.lanes }

func floatFile(f floatFormat, i isa) []byte {
	var p printer
	p.WriteString(header)
	if f.name == dot.name {
		p.label("%s", dotMacro)
	}
	for _, t := range i.tiles {
		floatTile(&p, f, i, t)
	}
	return p.Bytes()
}

// floatTile writes one tile over a run of k: acc = fma(w, x, acc) for k in sequence, then
// dst = acc, or dst += acc.
func floatTile(p *printer, f floatFormat, i isa, t Tile) {
	p.text(symbol(f.name, i.name, t), fmt.Sprintf(
		"// Requires: %s. %s up hold the sums, token by token; R8, R9 walk x, DI, DX the panels.", requires(f, i), i.r(i.accum)))
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX")
	for tok := range t.Tokens {
		var zero []string
		for v := range i.vectors(t) {
			a := i.acc(t, tok, v)
			zero = append(zero, xor(i, a))
		}
		p.line("%s", strings.Join(zero, "; "))
	}
	p.line("TESTQ CX, CX")
	p.line("JEQ  sum")
	p.label("\nloop:")
	floatStep(p, f, i, t)
	p.line("ADDQ $%d, DI", 16*f.size)
	if t.Panels > 3 {
		p.line("ADDQ $%d, DX", 16*f.size)
	}
	p.line("ADDQ $4, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $4, R9")
	}
	p.line("DECQ CX")
	p.line("JNE  loop")
	floatStore(p, i, t)
	p.end()
}

func requires(f floatFormat, i isa) string {
	s := map[string]string{"AVX2": "AVX2, FMA", "AVX512": "AVX512F, DQ", "AVX512BF16": "AVX512F, AVX512_BF16"}[i.name]
	if f.name == "F16" && i.name == "AVX2" {
		s += ", F16C"
	}
	return s
}

func xor(i isa, r string) string {
	if i.reg == 'Z' {
		return fmt.Sprintf("VPXORD %s, %s, %s", r, r, r)
	}
	return fmt.Sprintf("VXORPS %s, %s, %s", r, r, r)
}

// floatStep multiplies one column of the tile's panels by one element of each token.
func floatStep(p *printer, f floatFormat, i isa, t Tile) {
	n := i.vectors(t)
	weight := func(v int) string { return panel(v*i.lanes/16, v*i.lanes%16*f.size) }
	if i.reg == 'Y' && t.Panels > 1 {
		// Few tokens, many rows: the tokens stay in registers and the weights pass through one.
		w := i.r(t.Tokens)
		for tok := range t.Tokens {
			p.line("VBROADCASTSS %s, %s", row(tok, 0), i.r(tok))
		}
		if t.Panels == 2 {
			p.line("PREFETCHT0 %s", panel(0, twoAhead*f.size))
			p.line("PREFETCHT0 %s", panel(1, twoAhead*f.size))
		}
		for v := range n {
			ops := []string{f.load(weight(v), w, false)}
			for tok := range t.Tokens {
				ops = append(ops, f.fma(w, i.r(tok), i.acc(t, tok, v)))
			}
			p.line("%s", strings.Join(ops, "; "))
		}
		return
	}
	if t.Panels == 1 {
		p.line("PREFETCHT0 %d(DI)", ahead)
	}
	for v := range n {
		p.line("%s", f.load(weight(v), i.r(v), i.reg == 'Z'))
	}
	for tok := range t.Tokens {
		x := i.r(n + tok%2)
		ops := []string{fmt.Sprintf("VBROADCASTSS %s, %s", row(tok, 0), x)}
		for v := range n {
			ops = append(ops, f.fma(i.r(v), x, i.acc(t, tok, v)))
		}
		p.line("%s", strings.Join(ops, "; "))
	}
}

// floatStore adds dst where asked, and stores.
func floatStore(p *printer, i isa, t Tile) {
	bytes := i.lanes * 4
	p.label("\nsum:")
	p.line("CMPB tile_add(AX), $0")
	p.line("JEQ  store")
	each := func(op func(mem, acc string) string) {
		for tok := range t.Tokens {
			var ops []string
			for v := range i.vectors(t) {
				ops = append(ops, op(indexed("R8", "", 0, v*bytes), i.acc(t, tok, v)))
			}
			if tok+1 < t.Tokens {
				ops = append(ops, "ADDQ R11, R8")
			}
			p.line("%s", strings.Join(ops, "; "))
		}
	}
	p.line("MOVQ SI, R8")
	each(func(mem, acc string) string { return fmt.Sprintf("VADDPS %s, %s, %s", mem, acc, acc) })
	p.label("\nstore:")
	p.line("MOVQ SI, R8")
	each(func(mem, acc string) string { return fmt.Sprintf("VMOVUPS %s, %s", acc, mem) })
}
