package nn

import (
	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/tensor"
)

// headScales returns the scales of one head's codes in a page: for each panel of keys and 32 dimensions those
// of its 16 positions, [PageLen/16, ⌈KeyDim/32⌉, 16], then of each 32 dimensions of the values those of all
// positions, [⌈ValueDim/32⌉, PageLen].
func (s KVSpec) headScales() int {
	return PageLen * (quant.Blocks(s.KeyDim) + quant.Blocks(s.ValueDim))
}

// splitScales returns the scales of head h in a page's.
func (s KVSpec) splitScales(scales []uint16, h int) (keys, values []uint16) {
	n := s.headScales()
	head := scales[h*n : (h+1)*n]
	return head[:PageLen*quant.Blocks(s.KeyDim)], head[PageLen*quant.Blocks(s.KeyDim):]
}

// put8 stores one position in a page of codes.
func (s KVSpec) put8(p page, at int, k, v []float32) {
	var q [quant.Block]int8
	blocks := quant.Blocks(s.KeyDim)
	for h := range s.Heads {
		keys, values := split(s, p.Codes, h)
		keyScales, valueScales := s.splitScales(p.Halves, h)
		head := k[h*s.KeyDim : (h+1)*s.KeyDim]
		for b := range blocks {
			x := head[b*quant.Block : min((b+1)*quant.Block, s.KeyDim)]
			keyScales[(at/gemm.Rows*blocks+b)*gemm.Rows+at%gemm.Rows] = quant.Cache8(q[:len(x)], x)
			panel := keys[(at/gemm.Rows*s.KeyDim+b*quant.Block)*gemm.Rows+at%gemm.Rows:]
			for i, c := range q[:len(x)] {
				panel[i*gemm.Rows] = c
			}
		}
		head = v[h*s.ValueDim : (h+1)*s.ValueDim]
		for b := range quant.Blocks(s.ValueDim) {
			x := head[b*quant.Block : min((b+1)*quant.Block, s.ValueDim)]
			valueScales[b*PageLen+at] = quant.Cache8(q[:len(x)], x)
			for i := 0; i < len(x); i += gemm.Rows {
				copy(values[((b*quant.Block+i)/gemm.Rows*PageLen+at)*gemm.Rows:], q[i:min(i+gemm.Rows, len(x))])
			}
		}
	}
}

// head returns the keys and values of head h in the page of the given number.
func (kv *KV) head(number, h int) (keys, values panels) {
	return kv.spec.head(kv.pages[number-kv.first], h)
}

func (s KVSpec) head(p page, h int) (keys, values panels) {
	keys.format, values.format, values.values = s.Format, s.Format, true
	switch {
	case p.Floats != nil:
		keys.data, values.data = split(s, p.Floats, h)
	case p.Codes != nil:
		keys.codes, values.codes = split(s, p.Codes, h)
		keys.half, values.half = s.splitScales(p.Halves, h)
	default:
		keys.half, values.half = split(s, p.Halves, h)
	}
	return keys, values
}

// panels are keys or values in panels, as float32 or rounded to a format.
type panels struct {
	data   []float32
	half   []uint16 // or the scales of codes
	codes  []int8
	format tensor.Format
	values bool
}

// product computes dst = x·wᵀ, or adds it: see [gemm.F32]. Wide is scratch, [gemm.CacheRoom], if there are codes.
func (w panels) product(dst, x, wide []float32, d gemm.Dims, add bool) {
	switch {
	case w.data != nil:
		gemm.F32(dst, x, w.data, d, add)
	case w.codes != nil && w.values:
		gemm.Values(dst, x, w.codes, w.half, wide, d, add)
	case w.codes != nil:
		gemm.Keys(dst, x, w.codes, w.half, wide, d, add)
	case w.format == tensor.FormatBF16:
		gemm.BF16(dst, x, w.half, d, add)
	default:
		gemm.F16(dst, x, w.half, d, add)
	}
}
