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

// KV holds one sequence's keys and values for one attention, in pages. Forks share pages until
// one of them writes.
type KV struct {
	spec  KVSpec
	pages []page
	first int // the number of pages[0]: pages before it have left the window
	len   int // positions held, from 0 on
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

// Clone returns a cache of the same contents; both then share their pages.
func (kv *KV) Clone() *KV {
	for i := range kv.pages {
		kv.pages[i].owned = false
	}
	c := *kv
	c.pages = append([]page(nil), kv.pages...)
	c.spare = nil
	return &c
}

// Pages calls f with the position of the first page held and the pages' contents, in order. The
// slices must not be modified.
func (kv *KV) Pages() (first int, pages [][]float32) {
	for _, p := range kv.pages {
		pages = append(pages, p.data)
	}
	return kv.first * PageLen, pages
}

// Restore fills an empty cache with pages as [KV.Pages] gives them, which it then owns.
func (kv *KV) Restore(length, first int, pages [][]float32) error {
	if length < 0 || first < 0 || first%PageLen != 0 || first/PageLen+len(pages) != (length+PageLen-1)/PageLen || first > length ||
		kv.spec.Window == 0 && first != 0 || kv.spec.Window > 0 && first > max(0, length-kv.spec.Window) {
		return fmt.Errorf("nn: %d pages from position %d cannot hold %d positions", len(pages), first, length)
	}
	for _, p := range pages {
		if len(p) != kv.spec.PageFloats() {
			return fmt.Errorf("nn: page of %d numbers, want %d", len(p), kv.spec.PageFloats())
		}
		kv.pages = append(kv.pages, page{p, true})
	}
	kv.len, kv.first = length, first/PageLen
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
	data, at := kv.own(kv.len/PageLen), kv.len%PageLen
	for h := range kv.spec.Heads {
		keys, values := kv.split(data, h)
		for i, x := range k[h*kv.spec.KeyDim : (h+1)*kv.spec.KeyDim] {
			keys[(at/gemm.Rows*kv.spec.KeyDim+i)*gemm.Rows+at%gemm.Rows] = x
		}
		for i, x := range v[h*kv.spec.ValueDim : (h+1)*kv.spec.ValueDim] {
			values[(i/gemm.Rows*PageLen+at)*gemm.Rows+i%gemm.Rows] = x
		}
	}
	kv.len++
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
	} else {
		kv.pages = append(kv.pages, page{data, true})
	}
	return data
}

// slide drops the pages that no query from position pos on sees.
func (kv *KV) slide(pos int) {
	if kv.spec.Window == 0 {
		return
	}
	for (kv.first+1)*PageLen <= pos-kv.spec.Window+1 && len(kv.pages) > 0 {
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
