package asmgen

import (
	"fmt"
	"strings"
)

// neonOp is a vector instruction that Go's assembler for arm64 does not know. The macro of its
// name, in small letters as in the processor's manual, takes register numbers, sources first, in
// the assembler's order: m, n, d for d = n op m.
type neonOp struct {
	name string
	code uint32 // with all registers 0
	form neonForm
	does string
}

// neonForm says which operands an instruction has and where they go.
type neonForm struct{ params, fields string }

var (
	three = neonForm{"m, n, d", "(m)<<16 | (n)<<5 | (d)"}
	two   = neonForm{"n, d", "(n)<<5 | (d)"}
	lane  = neonForm{"i, m, n, d", "((i)&1)<<21 | ((i)>>1)<<11 | (m)<<16 | (n)<<5 | (d)"}
	left  = neonForm{"i, n, d", "(i)<<16 | (n)<<5 | (d)"}
	right = neonForm{"i, n, d", "(32-(i))<<16 | (n)<<5 | (d)"}
	dup   = neonForm{"i, n, d", "(i)<<19 | (n)<<5 | (d)"}
	slide = neonForm{"i, m, n, d", "(m)<<16 | (i)<<11 | (n)<<5 | (d)"}
	quad  = neonForm{"off, n, d", "(off)/16<<10 | (n)<<5 | (d)"}
)

// neonOps work on four lanes of 32 bits if the description says nothing else.
var neonOps = []neonOp{
	{"ldq", 0x3dc00000, quad, "d = 16 bytes at off(Rn)"},
	{"stq", 0x3d800000, quad, "16 bytes at off(Rn) = d"},
	{"ld1r", 0x4d40c800, two, "every lane of d = the lane at (Rn)"},
	{"mov", 0x0ea01c00 | 1<<30, neonForm{"n, d", "(n)<<16 | (n)<<5 | (d)"}, "d = n"},
	{"zero", 0x6e201c00, neonForm{"d", "(d)<<16 | (d)<<5 | (d)"}, "d = 0"},
	{"dup", 0x4e040400, dup, "every lane of d = lane i of n"},
	{"ext", 0x6e000000, slide, "d = bytes i to i+15 of n and m end to end"},

	{"fadd", 0x4e20d400, three, "d = n + m"},
	{"fsub", 0x4ea0d400, three, "d = n - m"},
	{"fmul", 0x6e20dc00, three, "d = n·m"},
	{"fmule", 0x4f809000, lane, "d = n·m[i]"},
	{"fdiv", 0x6e20fc00, three, "d = n / m"},
	{"fmla", 0x4e20cc00, three, "d += n·m, fused"},
	{"fmls", 0x4ea0cc00, three, "d -= n·m, fused"},
	{"fmlae", 0x4f801000, lane, "d += n·m[i], fused"},
	{"fmlse", 0x4f805000, lane, "d -= n·m[i], fused"},
	{"fmax", 0x4e20f400, three, "d = max(n, m), NaN if either is"},
	{"fmin", 0x4ea0f400, three, "d = min(n, m), NaN if either is"},
	{"fmaxv", 0x6e30f800, two, "the first lane of d = the largest of n, NaN if any is"},
	{"fabs", 0x4ea0f800, two, "d = |n|"},
	{"fneg", 0x6ea0f800, two, "d = -n"},
	{"frintn", 0x4e218800, two, "d = n to a whole number, ties to even"},
	{"fcvtns", 0x4e21a800, two, "d = n to an integer, ties to even"},
	{"scvtf", 0x4e21d800, two, "d = n, an integer, as a float"},
	{"fcvtl", 0x0e217800, two, "d = the lower four halves of n"},
	{"fcvtl2", 0x4e217800, two, "d = the upper four halves of n"},
	{"fcvtn", 0x0e216800, two, "the lower half of d = n in half precision, ties to even"},
	{"fcvtn2", 0x4e216800, two, "the upper half of d = n in half precision, ties to even"},
	{"fcmeq", 0x4e20e400, three, "mask d = n == m"},
	{"fcmgt", 0x6ea0e400, three, "mask d = n > m"},
	{"fcmgt0", 0x4ea0c800, two, "mask d = n > 0"},
	{"fcmeq0", 0x4ea0d800, two, "mask d = n == 0"},
	{"fcmlt0", 0x4ea0e800, two, "mask d = n < 0"},
	{"facgt", 0x6ea0ec00, three, "mask d = |n| > |m|"},

	{"and", 0x4e201c00, three, "d = n & m"},
	{"bic", 0x4e601c00, three, "d = n &^ m"},
	{"orr", 0x4ea01c00, three, "d = n | m"},
	{"eor", 0x6e201c00, three, "d = n ^ m"},
	{"bit", 0x6ea01c00, three, "d = n where m is set"},
	{"bif", 0x6ee01c00, three, "d = n where m is clear"},
	{"bsl", 0x6e601c00, three, "d = n where d is set, m where it is clear"},
	{"add", 0x4ea08400, three, "d = n + m, integers"},
	{"sub", 0x6ea08400, three, "d = n - m, integers"},
	{"addp", 0x4ea0bc00, three, "d = the sums of neighbours of n, then m, integers"},
	{"addv", 0x4eb1b800, two, "the first lane of d = the sum of n, integers"},
	{"umax", 0x6ea06400, three, "d = max(n, m), unsigned integers"},
	{"umaxv", 0x6eb0a800, two, "the first lane of d = the largest of n, unsigned integers"},
	{"shl", 0x4f205400, left, "d = n << i"},
	{"sshr", 0x4f200400, right, "d = n >> i, signed"},
	{"ushr", 0x6f200400, right, "d = n >> i"},
	{"shlb", 0x4f085400, left, "d = bytes of n << i"},
	{"ushrb", 0x6f000400, neonForm{"i, n, d", "(16-(i))<<16 | (n)<<5 | (d)"}, "d = bytes of n >> i"},
	{"shll", 0x2e613800, two, "d = the lower four 16-bit lanes of n, << 16"},
	{"shll2", 0x6e613800, two, "d = the upper four 16-bit lanes of n, << 16"},

	{"shrn", 0x0f108400, two, "the lower half of d = the upper 16 bits of n"},
	{"shrn2", 0x4f108400, two, "the upper half of d = the upper 16 bits of n"},
	{"sqxtn", 0x0e614800, two, "the lower half of d = n in 16 bits, saturated"},
	{"sqxtn2", 0x4e614800, two, "the upper half of d = n in 16 bits, saturated"},
	{"sqxtnb", 0x0e214800, two, "the lower half of d = eight 16-bit lanes in 8, saturated"},
	{"sqxtnb2", 0x4e214800, two, "the upper half of d = eight 16-bit lanes in 8, saturated"},
	{"sxtlb", 0x0f08a400, two, "d = the lower eight bytes of n in 16 bits"},
	{"sxtlb2", 0x4f08a400, two, "d = the upper eight bytes of n in 16 bits"},
	{"sxtl", 0x0f10a400, two, "d = the lower four 16-bit lanes of n"},
	{"sxtl2", 0x4f10a400, two, "d = the upper four 16-bit lanes of n"},
	{"saddlpb", 0x4e202800, two, "d = the sums of neighbouring bytes of n, in 16 bits"},
	{"saddlp", 0x4e602800, two, "d = the sums of neighbouring 16-bit lanes of n"},
	{"sadalp", 0x4e606800, two, "d += the sums of neighbouring 16-bit lanes of n"},
	{"smull", 0x0e20c000, three, "d = n·m, the lower eight bytes, in 16 bits"},
	{"smull2", 0x4e20c000, three, "d = n·m, the upper eight bytes, in 16 bits"},
	{"smlal", 0x0e208000, three, "d += n·m, the lower eight bytes, in 16 bits"},
	{"smlal2", 0x4e208000, three, "d += n·m, the upper eight bytes, in 16 bits"},
	{"sdote", 0x4f80e000, lane, "d += n·m[i], each lane the products of four bytes; needs ASIMDDP"},
}

// neonPackages are the packages of kernels that take a copy of the macros: the build notices only
// changes of headers in the package's own folder.
var neonPackages = []string{"gemm", "vec", "norm", "quant", "attn", "conv", "delta", "linattn", "scan", "peak"}

// neonFiles adds what is generated for arm64.
func neonFiles(files map[string][]byte) {
	addSwitches(files, "arm64", "Q8", group{"NEON", neonQ8Tiles}, group{"NEONDOT", neonDotTiles})
	for i, f := range neonFloat {
		addSwitches(files, "arm64", f.name, group{"NEON", neonFloatTiles})
		files["tile_"+strings.ToLower(f.name)+"_neon_arm64.s"] = neonFloatFile(i)
	}
	addSwitches(files, "arm64", dot.name, group{"NEON", dotTiles})
	files["tile_bf16dot_neon_arm64.s"] = dotNEONFile()
	for _, f := range codeFormats {
		addSwitches(files, "arm64", f.name, group{"NEON", neonCodeTiles}, group{"NEONDOT", neonCodeDotTiles})
		files["tile_"+strings.ToLower(f.name)+"_neon_arm64.s"] = f.neonFile(false)
		files["tile_"+strings.ToLower(f.name)+"_neondot_arm64.s"] = f.neonFile(true)
	}
	files["tile_q8_neon_arm64.s"] = neonQ8File()
	files["tile_q8_neondot_arm64.s"] = neonDotFile()
	for _, p := range neonPackages {
		files["../"+p+"/neon_arm64.h"] = neonHeader()
	}
}

// neonHeader writes the macros.
func neonHeader() []byte {
	var p printer
	p.label("// Code generated by kernels/internal/asmgen. DO NOT EDIT.\n")
	p.label("// Vector instructions that the assembler does not know, as macros of register numbers, sources first.")
	p.label("// d, n and m are registers of four 32-bit lanes if nothing else is said.\n")
	for _, op := range neonOps {
		p.label("// %s: %s.", op.name, op.does)
		p.label("#define %s(%s) WORD $(%#08x | %s)", op.name, op.form.params, op.code, op.form.fields)
	}
	return p.Bytes()
}

// op formats one macro call.
func op(name string, operands ...int) string {
	s := name + "("
	for i, o := range operands {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(o)
	}
	return s + ")"
}
