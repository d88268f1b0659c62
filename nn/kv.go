package nn

import (
	"fmt"
	"iter"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/tensor"
)

// KVSpec is what a softmax attention keeps of every token.
type KVSpec struct {
	Heads    int // heads that have keys, 0 for none
	KeyDim   int
	ValueDim int
	Window   int // positions a query sees, itself included; 0 for all

	// Format is how the numbers are held: FormatF32, which FormatAuto is too, or rounded, FormatBF16
	// or FormatF16, in half the memory, or FormatQ8, in little more than a quarter: of each position,
	// 32 numbers of a key or value share a scale, see [quant.Cache8]. Sums are in float32 always.
	Format tensor.Format
}

// half reports whether numbers take 16 bits.
func (s KVSpec) half() bool { return s.Format == tensor.FormatBF16 || s.Format == tensor.FormatF16 }

// PageLen is the number of positions of a page, which is also the block of the online softmax.
const PageLen = 64

// PageFloats returns the size of one page: for each head the keys in panels of 16 positions,
// [PageLen/16, KeyDim, 16], then the values in panels of 16 dimensions, [⌈ValueDim/16⌉, PageLen, 16].
func (s KVSpec) PageFloats() int { return s.Heads * s.headFloats() }

func (s KVSpec) headFloats() int {
	return PageLen * (s.KeyDim + gemm.Panels(s.ValueDim)*gemm.Rows)
}

// BytesPerToken returns the memory that one position takes.
func (s KVSpec) BytesPerToken() int { return s.PageBytes() / PageLen }

// PageBytes returns the memory of one page, a multiple of 64.
func (s KVSpec) PageBytes() int {
	switch {
	case s.half():
		return 2 * s.PageFloats()
	case s.Format == tensor.FormatQ8:
		return s.PageFloats() + 2*s.Heads*s.headScales()
	}
	return 4 * s.PageFloats()
}

// first is the number of the first page that the query at position pos sees.
func (s KVSpec) first(pos int) int {
	if s.Window == 0 {
		return 0
	}
	return max(0, pos-s.Window+1) / PageLen
}

// KV holds one sequence's keys and values for one attention, in pages: those that the next query
// sees. Forks share pages until one of them writes.
type KV struct {
	spec  KVSpec
	pages []page // those held, then those reserved
	first int    // the number of pages[0]: pages before it have left the window
	len   int    // positions absorbed
	spare page
}

// Page is PageLen positions: float32 numbers, or rounded ones.
type Page struct {
	Floats []float32
	Halves []uint16 // in the cache's format; beside codes their scales, as bfloat16
	Codes  []int8
}

// page is a page of a cache. One that is not owned is shared and copied before a write.
type page struct {
	Page
	owned bool
}

// NewKV returns an empty cache.
func NewKV(spec KVSpec) *KV { return &KV{spec: spec} }

// Len returns the number of positions absorbed.
func (kv *KV) Len() int { return kv.len }

// Bytes returns the memory of the pages that this cache alone holds.
func (kv *KV) Bytes() int64 {
	var n int64
	for _, p := range kv.pages {
		if p.owned {
			n += int64(kv.spec.PageBytes())
		}
	}
	return n
}

// held returns the pages that hold positions.
func (kv *KV) held() []page { return kv.pages[:(kv.len+PageLen-1)/PageLen-kv.first] }

// Clone returns a cache of the same contents; both then share their pages.
func (kv *KV) Clone() *KV {
	held := kv.held()
	for i := range held {
		if held[i].owned { // a clone that was never written to can be cloned from several threads
			held[i].owned = false
		}
	}
	return &KV{spec: kv.spec, pages: append([]page(nil), held...), first: kv.first, len: kv.len}
}

// Pages yields the pages held, in order. They must not be modified. Caches of the same sequence hold
// the same numbers, however it was fed.
func (kv *KV) Pages() iter.Seq[Page] {
	return func(yield func(Page) bool) {
		for _, p := range kv.held() {
			if !yield(p.Page) {
				return
			}
		}
	}
}

// PagesAt returns the number of pages that a cache holds after n positions.
func (s KVSpec) PagesAt(n int) int { return (n+PageLen-1)/PageLen - s.first(n) }

// NewPage returns a page of zeros, which is cut from a slab or, if that is nil, has memory of its own.
func (s KVSpec) NewPage(slab *tensor.Slab) Page {
	switch {
	case s.half():
		return Page{Halves: tensor.Cut[uint16](slab, s.PageFloats())}
	case s.Format == tensor.FormatQ8:
		return Page{Codes: tensor.Cut[int8](slab, s.PageFloats()), Halves: tensor.Cut[uint16](slab, s.Heads*s.headScales())}
	}
	return Page{Floats: tensor.Cut[float32](slab, s.PageFloats())}
}

// Restore fills an empty cache with pages as [KV.Pages] gives them after n positions; the cache
// then owns them.
func (kv *KV) Restore(n int, pages []Page) error {
	if n < 0 || len(pages) != kv.spec.PagesAt(n) {
		return fmt.Errorf("nn: %d pages of keys and values for %d positions", len(pages), n)
	}
	for _, p := range pages {
		if got := 4*len(p.Floats) + 2*len(p.Halves) + len(p.Codes); got != kv.spec.PageBytes() {
			return fmt.Errorf("nn: page of %d bytes, want %d", got, kv.spec.PageBytes())
		}
		kv.pages = append(kv.pages, page{p, true})
	}
	kv.len, kv.first = n, kv.spec.first(n)
	return nil
}

// Reserve makes room for n more positions, so that appending them does not allocate.
func (kv *KV) Reserve(n int) {
	for from, last := kv.len/PageLen, (kv.len+n-1)/PageLen; n > 0 && from <= last; from++ {
		kv.own(from)
	}
}

// Append adds the next position: k [Heads, KeyDim] and v [Heads, ValueDim].
func (kv *KV) Append(k, v []float32) {
	kv.extend(1)
	kv.put(kv.len-1, row(k), row(v))
}

// extend makes the next n positions part of the cache. Every one of them must then be put.
func (kv *KV) extend(n int) {
	kv.Reserve(n)
	kv.len += n
}

// Skip makes the next n positions part of the cache with keys and values of zero.
func (kv *KV) Skip(n int) {
	for ; n > 0; n -= PageLen {
		kv.extend(min(n, PageLen))
		kv.slide()
	}
}

// put stores positions that the cache was extended by, a row each, all of them in one panel of keys. Different ones
// may be put at the same time.
func (kv *KV) put(pos int, k, v tensor.Mat) {
	p, at := kv.pages[pos/PageLen-kv.first], pos%PageLen
	if p.Floats != nil {
		kv.spec.putFloats(p.Floats, at, k, v)
		return
	}
	for i := range k.Rows {
		kv.spec.put(p, at+i, k.Row(i), v.Row(i))
	}
}

// put stores one position in a page.
func (s KVSpec) put(p page, at int, k, v []float32) {
	switch {
	case p.Floats != nil:
		s.putFloats(p.Floats, at, row(k), row(v))
	case p.Codes != nil:
		s.put8(p, at, k, v)
	case s.Format == tensor.FormatBF16:
		s.putHalf(p.Halves, at, k, v, tensor.BFloat16)
	default:
		s.putHalf(p.Halves, at, k, v, tensor.Float16)
	}
}

// row returns a matrix of one row.
func row(x []float32) tensor.Mat { return tensor.Mat{Rows: 1, Cols: len(x), Stride: len(x), Data: x} }

// putFloats stores positions of one panel of keys in a page's numbers, a cache line after the other.
func (s KVSpec) putFloats(data []float32, at int, k, v tensor.Mat) {
	for h := range s.Heads {
		keys, values := split(s, data, h)
		keys = keys[at/gemm.Rows*s.KeyDim*gemm.Rows+at%gemm.Rows:]
		for i := range s.KeyDim {
			line, column := keys[i*gemm.Rows:][:k.Rows], k.Data[h*s.KeyDim+i:]
			for r := range line {
				line[r] = column[r*k.Stride]
			}
		}
		for r := range v.Rows {
			x := v.Row(r)[h*s.ValueDim : (h+1)*s.ValueDim]
			for i := 0; i < len(x); i += gemm.Rows {
				copy(values[(i/gemm.Rows*PageLen+at+r)*gemm.Rows:], x[i:min(i+gemm.Rows, len(x))])
			}
		}
	}
}

// putHalf stores one position in a page's rounded numbers.
func (s KVSpec) putHalf(data []uint16, at int, k, v []float32, as func(float32) uint16) {
	for h := range s.Heads {
		keys, values := split(s, data, h)
		for i, x := range k[h*s.KeyDim : (h+1)*s.KeyDim] {
			keys[(at/gemm.Rows*s.KeyDim+i)*gemm.Rows+at%gemm.Rows] = as(x)
		}
		for i, x := range v[h*s.ValueDim : (h+1)*s.ValueDim] {
			values[(i/gemm.Rows*PageLen+at)*gemm.Rows+i%gemm.Rows] = as(x)
		}
	}
}

// CanTruncate reports whether the cache holds at least n positions and, of those, all that the next
// query would see: some may have left the window.
func (kv *KV) CanTruncate(n int) bool { return n >= 0 && n <= kv.len && kv.spec.first(n) >= kv.first }

// Truncate forgets the positions from n on. The cache then holds the numbers of one that never had
// them. It panics unless [KV.CanTruncate].
func (kv *KV) Truncate(n int) {
	if !kv.CanTruncate(n) {
		panic(fmt.Sprintf("nn.Truncate: %d of %d positions", n, kv.len))
	}
	if n == kv.len {
		return
	}
	pages := (n+PageLen-1)/PageLen - kv.first
	kv.pages, kv.len = kv.pages[:min(len(kv.pages), pages)], n
	if at := n % PageLen; at > 0 {
		p, zeros := kv.own(n/PageLen), make([]float32, kv.spec.Heads*max(kv.spec.KeyDim, kv.spec.ValueDim))
		for ; at < PageLen; at++ {
			kv.spec.put(p, at, zeros, zeros)
		}
	}
}

// own returns the page of the given number for writing: a new one, or a copy of a shared one.
func (kv *KV) own(number int) page {
	i := number - kv.first
	if i < len(kv.pages) && kv.pages[i].owned {
		return kv.pages[i]
	}
	p := kv.spare
	kv.spare = page{}
	if !p.owned {
		p = page{kv.spec.NewPage(nil), true}
	}
	if i < len(kv.pages) {
		copy(p.Floats, kv.pages[i].Floats)
		copy(p.Halves, kv.pages[i].Halves)
		copy(p.Codes, kv.pages[i].Codes)
		kv.pages[i] = p
		return p
	}
	clear(p.Floats) // what a page holds does not depend on what it held before
	clear(p.Halves)
	clear(p.Codes)
	kv.pages = append(kv.pages, p)
	return p
}

// slide drops the pages that no query from the next position on sees.
func (kv *KV) slide() {
	for kv.first < kv.spec.first(kv.len) {
		if kv.pages[0].owned {
			kv.spare = kv.pages[0]
		}
		kv.pages = append(kv.pages[:0], kv.pages[1:]...)
		kv.first++
	}
}

// split returns the keys and values of head h in a page's data.
func split[T float32 | uint16 | int8](s KVSpec, data []T, h int) (keys, values []T) {
	n := s.headFloats()
	head := data[h*n : (h+1)*n]
	return head[:PageLen*s.KeyDim], head[PageLen*s.KeyDim:]
}
