package asmgen

import (
	"fmt"
	"strings"
)

func (f codeFormat) vnniFile() []byte {
	var p printer
	p.WriteString(header)
	f.constants(&p, 128)
	for _, t := range q8VNNITiles {
		f.vnniTile(&p, t)
	}
	return p.Bytes()
}

// vnniTile: Z0, Z1 codes, Z2 the mask of four bits, Z3 levels or the mask of the upper bits, Z4-Z6
// scratch, Z7 -1/128.
func (f codeFormat) vnniTile(p *printer, t Tile) {
	p.text(symbol(f.name, "AVX512VNNI", t), "// Requires: AVX512F, BW, VNNI. Z8 up hold the sums of a block, Z20 up the float sums; R12 scales, R14 token scales, R13 from there to block sums.")
	p.codePointers(t)
	each := func(step string, op func(tok, pan int) string) { p.each(t, step, op) }
	p.loadFloats(t)
	f.vnniConstants(p)
	p.line("TESTQ CX, CX")
	p.line("JEQ  store")
	p.label("\nblock:")
	if f.shift < 0 {
		each("", func(tok, pan int) string { d := dotVNNI(t, tok, pan); return fmt.Sprintf("VPXORD %s, %s, %s", d, d, d) })
	} else {
		p.line("MOVQ R14, AX")
		each("ADDQ R15, AX", func(tok, pan int) string {
			d := dotVNNI(t, tok, pan)
			if f.shift > 0 {
				return fmt.Sprintf("VPBROADCASTD (AX)(R13*1), %s; VPSRAD $%d, %s, %s", d, f.shift, d, d)
			}
			return fmt.Sprintf("VPBROADCASTD (AX)(R13*1), %s", d)
		})
	}
	for v := range 4 {
		for pan := range t.Panels {
			p.joined(func() { f.vnniUnpack(p, t, v, pan) })
			p.joined(func() {
				for tok := range t.Tokens {
					d := dotVNNI(t, tok, pan)
					p.line("VPDPBUSD.BCST %s, Z0, %s; VPDPBUSD.BCST %s, Z1, %s", row(tok, 4*v), d, row(tok, 16+4*v), d)
				}
			})
		}
	}
	f.vnniFold(p, t)
	p.codeAdvance(f, t)
	p.label("\nstore:")
	p.storeFloats(t)
	p.end()
}

// vnniConstants loads the constants.
func (f codeFormat) vnniConstants(p *printer) {
	p.line("VBROADCASTI32X4 low4<>(SB), Z2")
	switch {
	case f.table:
		p.line("VBROADCASTI32X4 levels<>(SB), Z3")
	case f.high > 0:
		p.line("VBROADCASTI32X4 high<>(SB), Z3")
	}
	if f.least {
		p.line("MOVL $%#x, AX; VMOVD AX, X7; VBROADCASTSS X7, Z7", minus128th)
	}
}

// vnniUnpack makes bytes of a panel's codes: of columns 4v in Z0, of 16+4v in Z1, four each.
func (f codeFormat) vnniUnpack(p *printer, t Tile, v, pan int) {
	if t.Panels == 1 {
		p.line("PREFETCHT0 %d(DI)", ahead+64*v)
	}
	p.line("VMOVDQU32 %s, Z0; VPSRLW $4, Z0, Z1; VPANDD Z2, Z0, Z0; VPANDD Z2, Z1, Z1", panel(pan, 64*v))
	if f.table {
		p.line("VPSHUFB Z0, Z3, Z0; VPSHUFB Z1, Z3, Z1")
	}
	for i := range 2 {
		if f.high == 0 {
			break
		}
		at, shift := f.plane(v, i)
		op := fmt.Sprintf("VPSLLW $%d", shift)
		if shift < 0 {
			op = fmt.Sprintf("VPSRLW $%d", -shift)
		}
		// Z0 or Z1 takes in what the mask leaves of the upper bits.
		p.line("%s, %s, Z%d; VPTERNLOGD $0xf8, Z3, Z%d, Z%d", op, panel(pan, at), 4+i, 4+i, i)
	}
}

// vnniFold folds a block's sums into the float sums.
func (f codeFormat) vnniFold(p *printer, t Tile) {
	for pan := range t.Panels {
		scale := "R14"
		if pan == 3 {
			p.line("LEAQ (R12)(BX*2), AX; ADDQ BX, AX")
		}
		p.line("VCVTPH2PS %s, Z0", scales(pan, 0))
		if f.least {
			p.line("VCVTPH2PS %s, Z1", scales(pan, 32))
		}
		if t.Tokens > 1 {
			scale = "AX"
			p.line("MOVQ R14, AX")
		}
		for tok := range t.Tokens {
			d, a := dotVNNI(t, tok, pan), accVNNI(t, tok, pan)
			ops := []string{fmt.Sprintf("VMULPS.BCST (%s), Z0, Z4; VCVTDQ2PS %s, %s; VFMADD231PS %s, Z4, %s", scale, d, d, d, a)}
			if f.least {
				ops = append(ops, fmt.Sprintf("VMULPS.BCST (%s), Z1, Z4; VCVTDQ2PS.BCST (%s)(R13*1), Z5; VMULPS Z7, Z5, Z5; VFMADD231PS Z5, Z4, %s", scale, scale, a))
			}
			p.line("%s", strings.Join(append(ops, next(t, tok, "ADDQ R15, AX")...), "; "))
		}
	}
}
