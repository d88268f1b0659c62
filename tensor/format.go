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
	FormatQ8 // 8 bits in blocks of 32 along k, activations quantised alike
)

// formats is the table of formats: a name and the bytes of a panel of 16 rows of k columns.
var formats = [...]struct {
	name  string
	panel func(k int) int
}{
	FormatAuto: {"auto", nil},
	FormatF32:  {"f32", func(k int) int { return k * gemm.Rows * 4 }},
	FormatBF16: {"bf16", func(k int) int { return k * gemm.Rows * 2 }},
	FormatF16:  {"f16", func(k int) int { return k * gemm.Rows * 2 }},
	FormatQ8:   {"q8", quant.Q8Size},
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

// For returns the format itself, or for [FormatAuto] the one that keeps every value of a
// checkpoint type. For elements in blocks that is Q8: it keeps Q8_0, and brings others within 1/254
// of the largest of 32, an eighth of what rounding to 5 bits cost and a sixteenth of that of 4.
func (f Format) For(t Type) Format {
	if f != FormatAuto {
		return f
	}
	switch t {
	case BF16:
		return FormatBF16
	case F16, F8E4M3, F8E5M2:
		return FormatF16
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
	return false // Q8 rounds what the weights are multiplied with, too
}
