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
		keys, values := split(s, p.codes, h)
		keyScales, valueScales := s.splitScales(p.half, h)
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

// widen gives the numbers of a page.
func (s KVSpec) widen(dst []float32, p page) {
	if p.codes == nil {
		tensor.Widen(dst, p.half, s.Format)
		return
	}
	for h := range s.Heads {
		keys, values := s.head(p, h)
		wideKeys, wideValues := split(s, dst, h)
		for panel := range PageLen / gemm.Rows {
			at := panel * s.KeyDim * gemm.Rows
			quant.CacheRows(wideKeys[at:], keys.codes[at:], keys.half[panel*quant.Blocks(s.KeyDim)*gemm.Rows:], s.KeyDim)
		}
		for panel := range gemm.Panels(s.ValueDim) {
			at := panel * PageLen * gemm.Rows
			quant.CacheColumns(wideValues[at:], values.codes[at:], values.half[panel*gemm.Rows/quant.Block*PageLen:], PageLen)
		}
	}
}

// narrow returns a page that holds numbers as [KVSpec.widen] gives them, or is those themselves.
func (s KVSpec) narrow(wide []float32) page {
	switch {
	case s.half():
		p := s.newPage()
		tensor.Narrow(p.half, wide, s.Format)
		return p
	case s.Format != tensor.FormatQ8:
		return page{data: wide, owned: true}
	}
	p := s.newPage()
	k, v := make([]float32, s.Heads*s.KeyDim), make([]float32, s.Heads*s.ValueDim)
	for at := range PageLen {
		for h := range s.Heads {
			keys, values := split(s, wide, h)
			for i := range s.KeyDim {
				k[h*s.KeyDim+i] = keys[(at/gemm.Rows*s.KeyDim+i)*gemm.Rows+at%gemm.Rows]
			}
			for i := range s.ValueDim {
				v[h*s.ValueDim+i] = values[(i/gemm.Rows*PageLen+at)*gemm.Rows+i%gemm.Rows]
			}
		}
		s.put8(p, at, k, v)
	}
	return p
}

// head returns the keys and values of head h in the page of the given number.
func (kv *KV) head(number, h int) (keys, values panels) {
	return kv.spec.head(kv.pages[number-kv.first], h)
}

func (s KVSpec) head(p page, h int) (keys, values panels) {
	keys.format, values.format, values.values = s.Format, s.Format, true
	switch {
	case p.data != nil:
		keys.data, values.data = split(s, p.data, h)
	case p.codes != nil:
		keys.codes, values.codes = split(s, p.codes, h)
		keys.half, values.half = s.splitScales(p.half, h)
	default:
		keys.half, values.half = split(s, p.half, h)
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
