package asmgen

import (
	"fmt"
	"strings"
)

// cacheTiles are those of a cache's codes: sums, scales and elements of x fill the 16 registers of AVX2.
var cacheTiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}, {2, 1}, {2, 2}}

// cacheAhead is how many bytes ahead the tiles prefetch: caches are read in the order of their memory.
const cacheAhead = 8192

// cacheFile writes the tiles of keys, whose scales are those of a panel's rows in blocks of 32 columns, or of values,
// whose scales are those of its columns.
func cacheFile(name string) []byte {
	var p printer
	p.WriteString(header)
	for _, t := range cacheTiles {
		cacheTile(&p, name, name == "Keys", t)
	}
	return p.Bytes()
}

// cacheTile writes one tile over a run of k, as [floatTile] does, and goes on to the next panels: a weight is code
// times scale, exactly.
func cacheTile(p *printer, name string, keys bool, t Tile) {
	i := avx2
	p.text(symbol(name, i.name, t), "// Requires: AVX2, FMA. Y4 up hold the sums, token by token, Y12 up scales; R8, R9 walk x, DI the panels, DX the scales.")
	p.label("\npanels:")
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX")
	p.line("MOVQ tile_scale(AX), DX")
	if keys && t.Panels > 1 {
		p.line("MOVQ tile_lds(AX), R12")
	}
	for a := range t.Tokens * i.vectors(t) {
		p.line("%s", xor(i, i.r(i.accum+a)))
	}
	p.line("TESTQ CX, CX")
	p.line("JEQ  sum")
	count := "CX" // of the columns in the inner loop
	if keys {
		count = "R13"
		p.label("\nblock:")
		for v := range i.vectors(t) {
			p.line("VPMOVZXWD %s, Y%d; VPSLLD $16, Y%[2]d, Y%[2]d", indexed("DX", "R12", v/2, v%2*16), 12+v)
		}
		p.line("ADDQ $32, DX")
		p.line("MOVQ $32, R13")
		p.line("CMPQ CX, R13")
		p.line("CMOVQLT CX, R13")
		p.line("SUBQ R13, CX")
	}
	p.label("\nloop:")
	if !keys {
		p.line("VBROADCASTSS (DX), Y12")
		p.line("ADDQ $4, DX")
	}
	cacheStep(p, i, t, keys)
	p.line("ADDQ $16, DI")
	p.line("ADDQ $4, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $4, R9")
	}
	p.line("DECQ %s", count)
	p.line("JNE  loop")
	if keys {
		p.line("TESTQ CX, CX")
		p.line("JNE  block")
	}
	floatStore(p, i, t)
	p.line("DECQ tile_times(AX)")
	p.line("JEQ  done")
	p.line("ADDQ $%d, tile_dst(AX)", 64*t.Panels)
	for _, next := range [][2]string{{"ldw", "w"}, {"lds", "scale"}} {
		p.line("MOVQ tile_%s(AX), CX", next[0])
		if t.Panels > 1 {
			p.line("ADDQ CX, CX")
		}
		p.line("ADDQ CX, tile_%s(AX)", next[1])
	}
	p.line("JMP  panels")
	p.label("\ndone:")
	p.end()
}

// cacheStep multiplies a column of the tile's panels by one element of each token.
func cacheStep(p *printer, i isa, t Tile, keys bool) {
	x := []int{0, 1, 14, 15} // registers of the tokens' elements
	for panels := range t.Panels {
		p.line("PREFETCHT0 %s", panel(panels, cacheAhead))
	}
	var ops []string
	for tok := range t.Tokens {
		ops = append(ops, fmt.Sprintf("VBROADCASTSS %s, Y%d", row(tok, 0), x[tok]))
	}
	p.line("%s", strings.Join(ops, "; "))
	for v := range i.vectors(t) {
		scale, w := 12, 2+v%2
		if keys {
			scale += v
		}
		ops = []string{fmt.Sprintf("VPMOVSXBD %s, Y%d; VCVTDQ2PS Y%[2]d, Y%[2]d; VMULPS Y%d, Y%[2]d, Y%[2]d", panel(v/2, v%2*8), w, scale)}
		for tok := range t.Tokens {
			ops = append(ops, fmt.Sprintf("VFMADD231PS Y%d, Y%d, %s", w, x[tok], i.acc(t, tok, v)))
		}
		p.line("%s", strings.Join(ops, "; "))
	}
}
