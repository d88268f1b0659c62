package tensor

import (
	"fmt"
	"strings"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Format is how a weight matrix is stored for multiplication.
type Format uint8

// The formats. The values of F32, BF16 and F16 panels widen exactly to float32, and products
// accumulate in float32: a BF16 checkpoint gives the same bits in FormatBF16 as in FormatF32.
const (
	FormatAuto Format = iota // the checkpoint's own precision; Q8 for elements in blocks
	FormatF32
	FormatBF16
	FormatF16
	// FormatBF16Dot multiplies activations rounded to bfloat16, too, as VDPBF16PS does: see [gemm.BF16Dot]. It is for
	// processors with AVX-512 BF16 and no faster than FormatBF16 elsewhere.
	FormatBF16Dot
	FormatQ8 // 8 bits in blocks of 32 along k, activations quantised alike
	FormatQ6 // fewer bits, likewise: see [quant.Code]
	FormatQ5
	FormatQ4  // levels that are denser near zero
	FormatQ4L // evenly spaced levels above a minimum
)

// formats is the table of formats: a name, the bytes of a panel of 16 rows of k columns, and whether
// activations are quantised too.
var formats = [...]struct {
	name  string
	panel func(k int) int
	eight bool
	code  quant.Code // of fewer than 8 bits
}{
	FormatAuto:    {name: "auto"},
	FormatF32:     {name: "f32", panel: func(k int) int { return k * gemm.Rows * 4 }},
	FormatBF16:    {name: "bf16", panel: func(k int) int { return k * gemm.Rows * 2 }},
	FormatF16:     {name: "f16", panel: func(k int) int { return k * gemm.Rows * 2 }},
	FormatBF16Dot: {name: "bf16-dot", panel: func(k int) int { return (k + 1) / 2 * gemm.Rows * 4 }},
	FormatQ8:      {name: "q8", panel: quant.Q8Size, eight: true},
	FormatQ6:      {"q6", quant.Q6.Size, true, quant.Q6},
	FormatQ5:      {"q5", quant.Q5.Size, true, quant.Q5},
	FormatQ4:      {"q4", quant.Q4.Size, true, quant.Q4},
	FormatQ4L:     {"q4l", quant.Q4L.Size, true, quant.Q4L},
}

// coded reports whether weights have fewer than 8 bits.
func (f Format) coded() bool { return f > FormatQ8 }

// Quantised reports whether a format rounds weights and activations to integers.
func (f Format) Quantised() bool { return formats[f].eight }

// blockSizes returns the bytes of a quantised panel's elements of one block, and of its scales.
func (f Format) blockSizes() (elements, scales int) {
	if f == FormatQ8 {
		return quant.Block * quant.Rows, 2 * quant.Rows
	}
	return formats[f].code.BlockSize(), formats[f].code.ScaleSize()
}

// High returns the format of weights that are sensitive or looked at row by row: 8 bits where the
// format has fewer.
func (f Format) High() Format {
	if f.coded() {
		return FormatQ8
	}
	return f
}

// String returns the format's name.
func (f Format) String() string {
	if int(f) < len(formats) {
		return formats[f].name
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat returns the format with the given name; the error lists the names.
func ParseFormat(name string) (Format, error) {
	var names []string
	for f := range formats {
		if formats[f].name == name {
			return Format(f), nil
		}
		names = append(names, formats[f].name)
	}
	return 0, fmt.Errorf("tensor: unknown weight format %q: want one of %s", name, strings.Join(names, ", "))
}

// For returns the format itself, or for [FormatAuto] the one that keeps the values of a checkpoint
// type, and FormatAuto for [Packed]. Elements in blocks keep theirs exactly as Q8_0 in Q8, Q5_0 in Q5,
// IQ4_NL in Q4, Q4_0 and Q4_1 in Q4L. IQ4_XS in Q4 and Q4_K in Q4L round scales and minima, products
// of two numbers, to half precision. The rest goes to Q8, within 1/254 of the largest of 32.
func (f Format) For(t Type) Format {
	if f != FormatAuto {
		return f
	}
	switch t {
	case BF16:
		return FormatBF16
	case F16, F8E4M3, F8E5M2:
		return FormatF16
	case IQ4_NL, IQ4_XS:
		return FormatQ4
	case Q4_0, Q4_1, Q4_K:
		return FormatQ4L
	case Q5_0:
		return FormatQ5
	case Packed:
		return FormatAuto
	}
	if n, _ := t.Block(); n > 1 {
		return FormatQ8
	}
	return FormatF32
}

// Keeps reports whether a product with weights of a checkpoint type is the same in the format as in
// F32.
func (f Format) Keeps(t Type) bool {
	switch f.For(t) {
	case FormatF32:
		return true
	case FormatBF16:
		return t == BF16
	case FormatF16:
		return t == F16 || t == F8E4M3 || t == F8E5M2
	}
	return false // the others round what the weights are multiplied with, too
}
