package asmgen

import (
	"fmt"
	"strings"
)

// The product of bfloat16 pairs: a 32-bit element holds columns 2i, in its lower half, and 2i+1 of a
// row, of weights and of x alike. VDPBF16PS adds the upper product and then the lower one, each
// fused; it takes denormals for zeros and rounds results that would be denormal to zero, whatever
// MXCSR says.

var (
	dot = floatFormat{name: "BF16Dot", size: 4, load: move, mul: func(w, x, acc string) string {
		return fmt.Sprintf("VDPBF16PS(%s, %s, %s)", x[1:], w[1:], acc[1:])
	}}
	avx512BF16 = isa{"AVX512BF16", 'Z', 16, 8, avx512.tiles}
	// dotTiles are those without the instruction.
	dotTiles = []Tile{{1, 1}, {1, 2}, {1, 3}, {1, 4}}
)

// dotMacro spells the instruction, EVEX.512.F3.0F38.W0 52 /r, which Go's assembler does not know.
const dotMacro = `
// VDPBF16PS, of numbers of Z registers, sources first: d += n·m, pairs of bfloat16.
#define VDPBF16PS(m, n, d) \
	BYTE $0x62; BYTE $(0xf2 ^ ((d)&8)<<4 ^ ((m)&16)<<2 ^ ((m)&8)<<2 ^ (d)&16); \
	BYTE $(0x7e ^ ((n)&15)<<3); BYTE $(0x48 ^ ((n)&16)>>1); \
	BYTE $0x52; BYTE $(0xc0 | ((d)&7)<<3 | (m)&7)`

func dotAVX2File() []byte {
	var p printer
	p.WriteString(header)
	p.label("\n// flush is an MXCSR: nothing trapped, rounding to nearest, denormals as zeros, such results to zero.")
	p.label("DATA flush<>+0(SB)/4, $0x9fc0\nGLOBL flush<>(SB), RODATA|NOPTR, $4")
	for _, t := range dotTiles {
		dotAVX2Tile(&p, t)
	}
	return p.Bytes()
}

// dotAVX2Tile: Y0, Y1 the upper weights of a panel's rows, Y2, Y3 the lower ones, Y4, Y5 those of x, Y6
// the mask of upper halves, Y8 up the sums. A shift leaves the lower half in place of the upper one.
func dotAVX2Tile(p *printer, t Tile) {
	i := isa{name: "AVX2", reg: 'Y', lanes: 8, accum: 8}
	p.text(symbol(dot.name, i.name, t), "// Requires: AVX2, FMA. Y8 up hold the sums, token by token; R8, R9 walk x, DI the panel.")
	p.pointers(t)
	p.line("MOVQ tile_k(AX), CX")
	for tok := range t.Tokens {
		p.line("%s; %s", xor(i, i.acc(t, tok, 0)), xor(i, i.acc(t, tok, 1)))
	}
	p.line("TESTQ CX, CX")
	p.line("JEQ  sum")
	p.line("STMXCSR tile_state(AX)")
	p.line("LDMXCSR flush<>(SB)")
	p.line("VPCMPEQD Y6, Y6, Y6; VPSLLD $16, Y6, Y6")
	p.label("\nloop:")
	p.line("PREFETCHT0 %d(DI)", ahead)
	for v := range 2 {
		p.line("VMOVUPS %d(DI), Y%d; VPAND Y%d, Y6, Y%d; VPSLLD $16, Y%d, Y%d", 32*v, 2+v, 2+v, v, 2+v, 2+v)
	}
	for tok := range t.Tokens {
		p.line("VBROADCASTSS %s, Y5; VPAND Y5, Y6, Y4; VPSLLD $16, Y5, Y5", row(tok, 0))
		var ops []string
		for half := range 2 {
			for v := range 2 {
				ops = append(ops, fmt.Sprintf("VFMADD231PS Y%d, Y%d, %s", 2*half+v, 4+half, i.acc(t, tok, v)))
			}
		}
		p.line("%s", strings.Join(ops, "; "))
	}
	p.line("ADDQ $64, DI")
	p.line("ADDQ $4, R8")
	if t.Tokens > 3 {
		p.line("ADDQ $4, R9")
	}
	p.line("DECQ CX")
	p.line("JNE  loop")
	p.line("LDMXCSR tile_state(AX)")
	floatStore(p, i, t)
	p.end()
}

func dotNEONFile() []byte {
	var p printer
	p.WriteString(neonTileHeader)
	for _, t := range dotTiles {
		dotNEONTile(&p, t)
	}
	return p.Bytes()
}

// fpcrFZ is the bit of FPCR by which denormals are zeros, operands and results; fpsrUFC that of FPSR
// which says that a result became one.
const (
	fpcrFZ  = 1 << 24
	fpsrUFC = 3
)

// dotNEONTile: V0 up the sums, V16-V19 upper weights, V20-V23 lower ones, V24, V25 those of x, V26 the mask of
// upper halves. This processor tells a result that is too small before it is rounded, VDPBF16PS and MXCSR after:
// they differ where it would be rounded up to the smallest normal number. So a tile in which any was flushed
// stores nothing and says so in its state.
func dotNEONTile(p *printer, t Tile) {
	r := neonRegs{t}
	p.neonText(symbol(dot.name, "NEON", t), "Requires: NEON. V0 up hold the sums, token by token; V16 up weights; V24 and V25 x.", t)
	p.neonZero(4 * t.Tokens)
	p.line("CBZ  R11, sum")
	p.line("MOVD FPCR, R14; MOVD $%d, R13; MOVD R13, FPCR; MOVD ZR, FPSR", fpcrFZ)
	p.line("MOVD $0xffff0000, R13; VDUP R13, V26.S4")
	p.label("\nloop:")
	p.line("VLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]")
	p.line("%s", each(func(v int) string { return op("and", 26, 20+v, 16+v) }))
	p.line("%s", each(func(v int) string { return op("shl", 16, 20+v, 20+v) }))
	for tok := range t.Tokens {
		p.line("FMOVS.P 4(R%d), F25; %s; %s", 6+tok, op("and", 26, 25, 24), op("shl", 16, 25, 25))
		for half := range 2 {
			p.line("%s", each(func(v int) string { return op("fmlae", 0, 24+half, 16+4*half+v, r.acc(tok, 0, v)) }))
		}
	}
	p.line("SUBS $1, R11, R11")
	p.line("BNE  loop")
	p.line("MOVD FPSR, R13; MOVD R14, FPCR")
	p.line("TBZ  $%d, R13, sum", fpsrUFC)
	p.line("MOVD $1, R13; MOVW R13, tile_state(R0)")
	p.line("RET")
	p.neonSum(t, r)
}
