package nn

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
)

// KVSpec is what a softmax attention keeps of every token.
type KVSpec struct {
	Heads    int // heads that have keys, 0 for none
	KeyDim   int
	ValueDim int
	Window   int // positions a query sees, itself included; 0 for all
}

// PageLen is the number of positions of a page, which is also the block of the online softmax.
const PageLen = 64

// PageFloats returns the size of one page: for each head the keys in panels of 16 positions,
// [PageLen/16, KeyDim, 16], then the values in panels of 16 dimensions, [⌈ValueDim/16⌉, PageLen, 16].
func (s KVSpec) PageFloats() int { return s.Heads * s.headFloats() }

func (s KVSpec) headFloats() int {
	return PageLen * (s.KeyDim + gemm.Panels(s.ValueDim)*gemm.Rows)
}

// FloatsPerToken returns the numbers one position takes.
func (s KVSpec) FloatsPerToken() int { return s.PageFloats() / PageLen }

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
	spare []float32
}

// page is PageLen positions. A page that is not owned is shared and copied before a write.
type page struct {
	data  []float32
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
			n += int64(4 * len(p.data))
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

// Pages returns the contents of the pages held, in order. The slices must not be modified. Caches
// of the same sequence hold the same numbers, however it was fed.
func (kv *KV) Pages() (pages [][]float32) {
	for _, p := range kv.held() {
		pages = append(pages, p.data)
	}
	return pages
}

// PagesAt returns the number of pages that a cache holds after n positions.
func (s KVSpec) PagesAt(n int) int { return (n+PageLen-1)/PageLen - s.first(n) }

// Restore fills an empty cache with pages as [KV.Pages] gives them after n positions; the cache
// then owns them.
func (kv *KV) Restore(n int, pages [][]float32) error {
	if n < 0 || len(pages) != kv.spec.PagesAt(n) {
		return fmt.Errorf("nn: %d pages of keys and values for %d positions", len(pages), n)
	}
	for _, p := range pages {
		if len(p) != kv.spec.PageFloats() {
			return fmt.Errorf("nn: page of %d numbers, want %d", len(p), kv.spec.PageFloats())
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
	kv.put(kv.len-1, k, v)
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

// put stores a position that the cache was extended by. Different ones may be put at the same time.
func (kv *KV) put(pos int, k, v []float32) {
	data, at := kv.pages[pos/PageLen-kv.first].data, pos%PageLen
	for h := range kv.spec.Heads {
		keys, values := kv.split(data, h)
		for i, x := range k[h*kv.spec.KeyDim : (h+1)*kv.spec.KeyDim] {
			keys[(at/gemm.Rows*kv.spec.KeyDim+i)*gemm.Rows+at%gemm.Rows] = x
		}
		for i, x := range v[h*kv.spec.ValueDim : (h+1)*kv.spec.ValueDim] {
			values[(i/gemm.Rows*PageLen+at)*gemm.Rows+i%gemm.Rows] = x
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
		kv.wipe(kv.own(n/PageLen), at)
	}
}

// wipe clears the positions of a page from at on.
func (kv *KV) wipe(data []float32, at int) {
	for h := range kv.spec.Heads {
		keys, values := kv.split(data, h)
		for pos := at; pos < PageLen; pos++ {
			for i := range kv.spec.KeyDim {
				keys[(pos/gemm.Rows*kv.spec.KeyDim+i)*gemm.Rows+pos%gemm.Rows] = 0
			}
			for i := range kv.spec.ValueDim {
				values[(i/gemm.Rows*PageLen+pos)*gemm.Rows+i%gemm.Rows] = 0
			}
		}
	}
}

// own returns the page of the given number for writing: a new one, or a copy of a shared one.
func (kv *KV) own(number int) []float32 {
	i := number - kv.first
	if i < len(kv.pages) && kv.pages[i].owned {
		return kv.pages[i].data
	}
	data := kv.spare
	kv.spare = nil
	if data == nil {
		data = make([]float32, kv.spec.PageFloats())
	}
	if i < len(kv.pages) {
		copy(data, kv.pages[i].data)
		kv.pages[i] = page{data, true}
		return data
	}
	clear(data) // what a page holds does not depend on what it held before
	kv.pages = append(kv.pages, page{data, true})
	return data
}

// slide drops the pages that no query from the next position on sees.
func (kv *KV) slide() {
	for kv.first < kv.spec.first(kv.len) {
		if kv.pages[0].owned {
			kv.spare = kv.pages[0].data
		}
		kv.pages = append(kv.pages[:0], kv.pages[1:]...)
		kv.first++
	}
}

// head returns the keys and values of head h in the page of the given number.
func (kv *KV) head(number, h int) (keys, values []float32) {
	return kv.split(kv.pages[number-kv.first].data, h)
}

// split returns the parts of head h in a page.
func (kv *KV) split(data []float32, h int) (keys, values []float32) {
	n := kv.spec.headFloats()
	head := data[h*n : (h+1)*n]
	return head[:PageLen*kv.spec.KeyDim], head[PageLen*kv.spec.KeyDim:]
}
