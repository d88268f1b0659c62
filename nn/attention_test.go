package nn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/tensor"
)

// approx is a number with a bound of the error that float32 arithmetic may have made of it.
type approx struct{ v, err float64 }

// dot is Σ a·b, of which n roundings each change a sum of at most Σ|a·b|.
func dot(a, b []approx) approx {
	var s approx
	var size float64
	for i := range a {
		s.v += a[i].v * b[i].v
		s.err += math.Abs(a[i].v)*b[i].err + math.Abs(b[i].v)*a[i].err + a[i].err*b[i].err
		size += math.Abs(a[i].v * b[i].v)
	}
	s.err += float64(len(a)+2) * unit * size
	return s
}

// exact returns numbers without an error.
func exact(x []float32) []approx {
	a := make([]approx, len(x))
	for i, v := range x {
		a[i].v = float64(v)
	}
	return a
}

func mulRows(x []approx, w *tensor.Weight) []approx {
	y, row := make([]approx, w.Rows), make([]float32, w.Cols)
	for i := range y {
		w.Row(row, i)
		y[i] = dot(x, exact(row))
	}
	return y
}

// rotate applies the rotary embedding to a head: four roundings of each product.
func rotate(x []approx, pos int) []approx {
	half := len(x) / 2
	y := make([]approx, len(x))
	for i := range half {
		sin, cos := math.Sincos(float64(pos) * math.Pow(10000, -2*float64(i)/float64(len(x))))
		a, b := x[i], x[half+i]
		err := a.err + b.err + 4*unit*(math.Abs(a.v)+math.Abs(b.v))
		y[i], y[half+i] = approx{a.v*cos - b.v*sin, err}, approx{b.v*cos + a.v*sin, err}
	}
	return y
}

// project is x·Wᵀ + b.
func project(x []approx, l *Linear) []approx {
	y := mulRows(x, l.W)
	for i, b := range l.Bias {
		y[i].v += float64(b)
		y[i].err += unit * math.Abs(y[i].v)
	}
	return y
}

// normalised is x/√(mean(x²) + eps)·w in groups of len(w).
func (n Norm) normalised(x []approx) (y []approx) {
	for w := len(n.Weight); w > 0 && len(x) > 0; x = x[w:] {
		square := dot(x[:w], x[:w])
		mean := square.v/float64(w) + float64(n.Eps)
		relative := square.err/float64(w)/mean/2*1.01 + 8*unit
		for i, v := range x[:w] {
			f := float64(n.Weight[i]) / math.Sqrt(mean)
			y = append(y, approx{v.v * f, math.Abs(f) * (v.err + relative*(math.Abs(v.v)+v.err))})
		}
	}
	if n.Weight == nil {
		return x
	}
	return y
}

// gated multiplies by σ(g), whose slope is at most ¼.
func gated(o, g []approx) {
	for i := range o {
		s := 1 / (1 + math.Exp(-g[i].v))
		o[i].err = o[i].err*s + math.Abs(o[i].v)*(g[i].err/4+8*unit)
		o[i].v *= s
	}
}

// reference computes an attention over a sequence from the definition.
func (a *Attention) reference(x tensor.Mat) []approx {
	var q, k, v [][]approx // per position, all heads
	var out []approx
	group := a.Heads / a.KVHeads
	for t := range x.Rows {
		h := project(exact(x.Row(t)), a.QKV)
		normed := a.QNorm.normalised(h[:a.Heads*a.Dim])
		normed = append(normed, a.KNorm.normalised(h[a.Heads*a.Dim:][:a.KVHeads*a.Dim])...)
		copy(h, normed)
		heads := make([][]approx, a.Heads+2*a.KVHeads)
		for i := range heads {
			heads[i] = h[i*a.Dim : (i+1)*a.Dim]
			if a.Rope != nil && i < a.Heads+a.KVHeads {
				heads[i] = rotate(heads[i], t)
			}
		}
		q, k, v = heads[:a.Heads], append(k, heads[a.Heads:a.Heads+a.KVHeads]...), append(v, heads[a.Heads+a.KVHeads:]...)
		from := 0
		if a.Window > 0 {
			from = max(0, t-a.Window+1)
		}
		var o []approx
		for i := range a.Heads {
			o = append(o, a.attendTo(q[i], from, t, func(pos int) ([]approx, []approx) {
				return k[pos*a.KVHeads+i/group], v[pos*a.KVHeads+i/group]
			})...)
		}
		if a.Gated {
			gated(o, h[(a.Heads+2*a.KVHeads)*a.Dim:])
		}
		out = append(out, mulRows(o, a.Out.W)...)
	}
	return out
}

// attendTo is softmax(q·k/√d)·v over positions from to to. An error δ of the scores changes the
// weights by a factor within e^±2δ; exponentials, rescalings at each of the blocks, and sums of n
// terms add their roundings.
func (a *Attention) attendTo(q []approx, from, to int, at func(pos int) (k, v []approx)) []approx {
	var scores []approx
	top, delta, sum := math.Inf(-1), 0.0, 0.0
	for pos := from; pos <= to; pos++ {
		k, _ := at(pos)
		s := dot(q, k)
		scale := 1 / math.Sqrt(float64(a.Dim))
		if a.Scale != 0 {
			scale = float64(a.Scale)
		}
		s.v *= scale
		s.err = s.err*scale + 4*unit*math.Abs(s.v)
		scores, top, delta = append(scores, s), max(top, s.v), max(delta, s.err)
	}
	for i := range scores {
		scores[i].v = math.Exp(scores[i].v - top)
		sum += scores[i].v
	}
	n := float64(to - from + 1)
	relative := math.Expm1(2*delta) + (2*n+8*(n/PageLen+2)+16)*unit
	var o []approx
	for i, s := range scores {
		_, v := at(from + i)
		if o == nil {
			o = make([]approx, len(v))
		}
		for j := range o {
			p := s.v / sum
			o[j].v += p * v[j].v
			o[j].err += p * (v[j].err + relative*(math.Abs(v[j].v)+v[j].err))
		}
	}
	return o
}

// TestAttention compares every attention of the table with its definition in float64, over
// several pages and window edges.
func TestAttention(t *testing.T) {
	for _, row := range mixers {
		w := newWeights(row.width)
		a, ok := row.build(w).(*Attention)
		if !ok {
			continue
		}
		w.p.Load(&w.arena, nil, nil)
		x := tensor.NewMat(270, row.width)
		copy(x.Data, gaussian(w.rng, len(x.Data), 0.1))
		out := feed(a, new(tensor.Workspace), piece{newTimeline(a), x})[0]
		for i, want := range a.reference(x) {
			err := math.Abs(float64(out[i]) - want.v)
			if !(err <= want.err) {
				t.Fatalf("%s: position %d, output %d = %v, want %v ± %.2g", row.name, i/x.Cols, i%x.Cols, out[i], want.v, want.err)
			}
			if i == len(out)-1 {
				t.Logf("%s: last output %.4g ± %.2g, error %.2g", row.name, want.v, want.err, err)
			}
		}
	}
}

// TestAttendShares holds single tokens, whose segments and shares of heads are spread over parts, to
// the same tokens two at a time, one part for each key head.
func TestAttendShares(t *testing.T) {
	for _, c := range []heads{
		{Heads: 9, KVHeads: 3}, {Heads: 16, KVHeads: 8}, {Heads: 40, KVHeads: 2}, {Heads: 20, KVHeads: 20}, {Heads: 10, KVHeads: 5, Window: 700},
	} {
		c.KeyDim, c.ValueDim, c.Scale = 16, 24, 0.25
		const n = 1602
		w := newWeights(1)
		kv := NewKV(KVSpec{Heads: c.KVHeads, KeyDim: c.KeyDim, ValueDim: c.ValueDim, Window: 0})
		for range n {
			kv.Append(gaussian(w.rng, c.KVHeads*c.KeyDim, 1), gaussian(w.rng, c.KVHeads*c.ValueDim, 1))
		}
		q, o := tensor.NewMat(2, c.Heads*c.KeyDim), tensor.NewMat(2, c.Heads*c.ValueDim)
		copy(q.Data, gaussian(w.rng, len(q.Data), 1))
		attend(c, o, q, []Span{{From: 0, To: 2, Pos: n - 2, State: State{KV: kv}}}, new(tensor.Workspace))
		for threads := 1; threads <= 9; threads += 4 { // more threads take fewer shares together
			ws := &tensor.Workspace{Pool: tensor.NewPool(threads)}
			single := tensor.NewMat(2, o.Cols)
			attend(c, single, q, []Span{{From: 0, To: 1, Pos: n - 2, State: State{KV: kv}}, {From: 1, To: 2, Pos: n - 1, State: State{KV: kv}}}, ws)
			ws.Pool.Close()
			if !slices.Equal(single.Data, o.Data) {
				t.Errorf("%d heads, %d with keys, %d threads: single tokens differ", c.Heads, c.KVHeads, threads)
			}
		}
	}
}

func TestKVPages(t *testing.T) {
	for _, c := range []struct{ window, n, pages int }{
		{0, 0, 0}, {0, 1, 1}, {0, 64, 1}, {0, 65, 2}, {0, 1000, 16},
		{1, 63, 1}, {1, 64, 0}, {1, 65, 1}, {1, 128, 0},
		{16, 78, 2}, {16, 79, 1}, {16, 80, 1}, {16, 128, 1}, {16, 129, 2},
		{64, 127, 1}, {64, 128, 1}, {65, 128, 1}, {66, 128, 2}, {65, 129, 2}, {1000, 300, 5},
	} {
		if got := (KVSpec{Heads: 1, KeyDim: 1, ValueDim: 1, Window: c.window}).PagesAt(c.n); got != c.pages {
			t.Errorf("window %d: %d pages after %d positions, want %d", c.window, got, c.n, c.pages)
		}
	}
}

func TestKVRestoreRefuses(t *testing.T) {
	spec := KVSpec{Heads: 2, KeyDim: 4, ValueDim: 20, Window: 70}
	page := spec.NewPage(nil)
	if n := 2 * (PageLen*4 + 2*16*PageLen); len(page.Floats) != n {
		t.Fatalf("a page has %d numbers, want %d", len(page.Floats), n)
	}
	for _, c := range []struct {
		n     int
		pages []Page
		ok    bool
	}{
		{0, nil, true}, {64, []Page{page}, true}, {65, []Page{page, page}, true}, {200, []Page{page, page}, true},
		{-1, nil, false}, {1, nil, false}, {64, []Page{page, page}, false}, {200, []Page{page, page, page, page}, false},
		{65, []Page{page, {Floats: page.Floats[1:]}}, false}, {math.MaxInt, nil, false},
	} {
		if err := NewKV(spec).Restore(c.n, c.pages); (err == nil) != c.ok {
			t.Errorf("%d positions in %d pages: %v", c.n, len(c.pages), err)
		}
	}
}

// TestKVFormats: a cache that rounds gives the bits of one that holds the rounded numbers as float32,
// for a token and for several, also when it was restored, and takes less memory.
func TestKVFormats(t *testing.T) {
	formats := []tensor.Format{tensor.FormatBF16, tensor.FormatF16, tensor.FormatQ8}
	for i, a := range slices.Repeat([]heads{{KeyDim: 20, ValueDim: 36}, {KeyDim: 64, ValueDim: 96}, {KeyDim: 300, ValueDim: 7, Window: 70}}, len(formats)) {
		a.Heads, a.KVHeads, a.Scale = 4, 2, 0.1
		testKVFormat(t, a, formats[i/len(formats)])
	}
}

func testKVFormat(t *testing.T, a heads, format tensor.Format) {
	const n = 300
	spec := KVSpec{Heads: a.KVHeads, KeyDim: a.KeyDim, ValueDim: a.ValueDim}
	wide := NewKV(spec)
	spec.Format = format
	narrow, w := NewKV(spec), newWeights(3)
	for range n {
		k, v := gaussian(w.rng, a.KVHeads*a.KeyDim, 1), gaussian(w.rng, a.KVHeads*a.ValueDim, 1)
		narrow.Append(k, v)
		for h := range a.KVHeads {
			rounded(k[h*a.KeyDim:(h+1)*a.KeyDim], format)
			rounded(v[h*a.ValueDim:(h+1)*a.ValueDim], format)
		}
		wide.Append(k, v)
	}
	restored := NewKV(spec)
	if err := restored.Restore(n, pages(narrow)); err != nil {
		t.Fatal(err)
	}
	bytes := wide.Bytes() / 2
	if format == tensor.FormatQ8 {
		bytes = wide.Bytes()/4 + 5*PageLen*2*2*int64((a.KeyDim+31)/32+(a.ValueDim+31)/32)
	}
	if narrow.Bytes() != bytes || narrow.Bytes() != int64(5*PageLen*spec.BytesPerToken()) {
		t.Errorf("%v: %d bytes, want %d, %d a token", format, narrow.Bytes(), bytes, spec.BytesPerToken())
	}
	for _, tokens := range []int{1, 40} {
		q := tensor.NewMat(tokens, a.Heads*a.KeyDim)
		copy(q.Data, gaussian(w.rng, len(q.Data), 1))
		out := func(kv *KV) []float32 {
			o := tensor.NewMat(tokens, a.Heads*a.ValueDim)
			attend(a, o, q, []Span{{From: 0, To: tokens, Pos: n - tokens, State: State{KV: kv}}}, new(tensor.Workspace))
			return o.Data
		}
		want := out(wide)
		name := fmt.Sprintf("%v: %d tokens", format, tokens)
		same(t, name, out(narrow), want)
		same(t, name+", restored", out(restored), want)
		same(t, name+", cloned", out(narrow.Clone()), want)
	}
}

// rounded rounds a key or value to what a cache holds of it.
func rounded(x []float32, format tensor.Format) {
	if format != tensor.FormatQ8 {
		bits := make([]uint16, len(x))
		tensor.Narrow(bits, x, format)
		tensor.Widen(x, bits, format)
		return
	}
	for block := range slices.Chunk(x, quant.Block) {
		q := make([]int8, len(block))
		scale := math.Float32frombits(uint32(quant.Cache8(q, block)) << 16)
		for i := range block {
			block[i] = float32(q[i]) * scale
		}
	}
}

// TestKVQ8 holds attention to keys and values in 8 bits to its definition with those that were rounded: each is off by
// half a step of its block of 32, max/127 and the scale's own rounding.
func TestKVQ8(t *testing.T) {
	const n, dim = 200, 72
	a := Attention{Heads: 2, KVHeads: 1, Dim: dim}
	w := newWeights(3)
	kv := NewKV(KVSpec{Heads: 1, KeyDim: dim, ValueDim: dim, Format: tensor.FormatQ8})
	steps := func(x []float32) (y []approx) {
		for block := range slices.Chunk(x, quant.Block) {
			top := float64(max(slices.Max(block), -slices.Min(block)))
			for _, v := range block {
				y = append(y, approx{float64(v), top / 127 * (1 + 0x1p-8) * (0.5 + 0x1p-14)})
			}
		}
		return y
	}
	var keys, values [][]approx
	for range n {
		k, v := gaussian(w.rng, dim, 1), gaussian(w.rng, dim, 1)
		for i := range v {
			v[i] += float32(i)
		}
		kv.Append(k, v)
		keys, values = append(keys, steps(k)), append(values, steps(v))
	}
	q, o := tensor.NewMat(1, 2*dim), tensor.NewMat(1, 2*dim)
	copy(q.Data, gaussian(w.rng, 2*dim, 0.1))
	attend(heads{Heads: 2, KVHeads: 1, KeyDim: dim, ValueDim: dim, Scale: a.scale()}, o, q, []Span{{From: 0, To: 1, Pos: n - 1, State: State{KV: kv}}}, new(tensor.Workspace))
	for i, got := range o.Data {
		h := i / dim
		want := a.attendTo(exact(q.Data[h*dim:(h+1)*dim]), 0, n-1, func(pos int) (k, v []approx) { return keys[pos], values[pos] })[i%dim]
		if err := math.Abs(float64(got) - want.v); !(err <= want.err) {
			t.Fatalf("head %d, output %d is %v, want %v ± %.2g", h, i%dim, got, want.v, want.err)
		} else if i == dim-1 {
			t.Logf("output %.4g ± %.2g, error %.2g", want.v, want.err, err)
		}
	}
}

// pages returns copies of a cache's pages.
func pages(kv *KV) (all []Page) {
	for p := range kv.Pages() {
		all = append(all, Page{slices.Clone(p.Floats), slices.Clone(p.Halves), slices.Clone(p.Codes)})
	}
	return all
}

// equalPages reports whether caches hold the same bits, not counting the sign of a zero.
func equalPages(a, b *KV) bool {
	return slices.EqualFunc(pages(a), pages(b), func(a, b Page) bool {
		return slices.Equal(a.Floats, b.Floats) && slices.Equal(a.Halves, b.Halves) && slices.Equal(a.Codes, b.Codes)
	})
}

// TestKVReserve checks that room is not contents, and that forks do not take it over.
func TestKVReserve(t *testing.T) {
	spec := KVSpec{Heads: 1, KeyDim: 2, ValueDim: 2}
	k, v := []float32{1, 2}, []float32{3, 4}
	kv := NewKV(spec)
	for range 70 {
		kv.Append(k, v)
	}
	before := kv.Bytes()
	kv.Reserve(0)
	if kv.Bytes() != before {
		t.Error("a reservation of nothing takes memory")
	}
	fork := kv.Clone()
	if fork.Bytes() != 0 || kv.Bytes() != 0 {
		t.Errorf("shared pages count: %d and %d bytes", fork.Bytes(), kv.Bytes())
	}
	kv.Reserve(200)
	if n := len(pages(kv)); n != 2 || kv.Len() != 70 {
		t.Errorf("%d pages, %d positions after a reservation, want 2 and 70", n, kv.Len())
	}
	room := func() {
		for range 100 {
			kv.Append(k, v)
		}
	}
	if n := testing.AllocsPerRun(1, room); n != 0 { // which runs it twice
		t.Errorf("%v allocations in the room reserved", n)
	}
	for range 200 {
		fork.Append(k, v)
	}
	got, want := pages(fork), pages(kv)
	if len(got) != len(want) || len(got) != 5 {
		t.Fatalf("%d and %d pages, want 5", len(got), len(want))
	}
	for i := range got {
		same(t, "page", got[i].Floats, want[i].Floats)
	}
}

// TestKVTruncate compares a cache that was cut with one that never was longer: contents, whatever
// page the cut is in, also after both go on, and forks that share the pages stay as they were.
func TestKVTruncate(t *testing.T) {
	for i, format := range []tensor.Format{tensor.FormatF32, tensor.FormatF16, tensor.FormatQ8, tensor.FormatQ8} {
		window := i % 2 * 70
		spec := KVSpec{Heads: 2, KeyDim: 3, ValueDim: 18, Window: window, Format: format}
		fill := func(n int) *KV {
			kv := NewKV(spec)
			for pos := range n {
				k, v := make([]float32, 6), make([]float32, 36)
				for i := range v {
					v[i] = float32(pos*100 + i)
				}
				copy(k, v)
				kv.Append(k, v)
				kv.slide()
			}
			return kv
		}
		same := func(a, b *KV) bool {
			return a.Len() == b.Len() && equalPages(a, b)
		}
		for _, c := range []struct {
			long, n int
			window  bool // a window of 70 can be cut so
		}{{5, 3, true}, {5, 5, true}, {64, 63, true}, {65, 64, true}, {66, 65, true}, {129, 128, true}, {130, 64, true}, {70, 0, true}, {200, 130, false}, {200, 1, false}, {200, 199, true}} {
			kv, fork := fill(c.long), fill(c.long)
			shared := fork.Clone()
			if ok := window == 0 || c.window; kv.CanTruncate(c.n) != ok {
				t.Errorf("window %d: %d to %d: can truncate: %v", window, c.long, c.n, !ok)
			}
			if !kv.CanTruncate(c.n) {
				continue
			}
			kv.Truncate(c.n)
			fork.Truncate(c.n)
			if want := fill(c.n); !same(kv, want) || !same(fork, want) {
				t.Errorf("window %d: %d positions cut to %d differ", window, c.long, c.n)
			}
			if !same(shared, fill(c.long)) {
				t.Errorf("window %d: cutting %d to %d changed a fork", window, c.long, c.n)
			}
			fork.Append(make([]float32, 6), make([]float32, 36))
			want := fill(c.n)
			want.Append(make([]float32, 6), make([]float32, 36))
			if !same(fork, want) {
				t.Errorf("window %d: what follows a cut from %d to %d differs", window, c.long, c.n)
			}
		}
	}
	kv := NewKV(KVSpec{Heads: 1, KeyDim: 1, ValueDim: 1})
	if kv.CanTruncate(1) || kv.CanTruncate(-1) || !kv.CanTruncate(0) {
		t.Error("an empty cache can be cut to 0 positions only")
	}
}
