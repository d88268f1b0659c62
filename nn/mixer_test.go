package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// mixers is the table of everything that honours the [Mixer] contract: a new mixer is a new row.
var mixers = []struct {
	name  string
	width int // D
	build func(w *weights) Mixer
}{
	{"mom", 40, mom(MoM{Memories: 4, TopK: 2, Shared: true}, gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 12, ValueDim: 18}, 4), true)},
	{"mom top 1", 24, mom(MoM{Memories: 8, TopK: 1}, gatedDelta(GatedDelta{Heads: 3, KeyHeads: 3, KeyDim: 8, ValueDim: 8}, 4), true)},
	{"mom top all", 20, mom(MoM{Memories: 3, TopK: 3}, gatedDelta(GatedDelta{Heads: 1, KeyHeads: 1, KeyDim: 14, ValueDim: 14}, 2), true)},
	{"mom shared keys and values", 28, mom(MoM{Memories: 5, TopK: 2, Shared: true, OneKV: true}, gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 10, ValueDim: 5}, 4), true)},
	{"mom shared keys and values without shared memory or gate", 28, mom(MoM{Memories: 4, TopK: 3, OneKV: true}, gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 6, ValueDim: 12}, 3), false)},
	{"mom without convolution history", 32, mom(MoM{Memories: 2, TopK: 1, Shared: true}, gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 16, ValueDim: 33}, 1), false)},
	{"mom of one memory", 16, mom(MoM{Memories: 1, TopK: 1}, gatedDelta(GatedDelta{Heads: 1, KeyHeads: 1, KeyDim: 32, ValueDim: 1}, 2), true)},
	{"mom gla", 24, mom(MoM{Memories: 4, TopK: 2, Shared: true}, gla(GLA{Heads: 4, KVHeads: 2, KeyDim: 9, ValueDim: 7, Clamp: noClamp}, 0), true)},
	{"mom gla convolved, shared projections", 24, mom(MoM{Memories: 3, TopK: 2, OneKV: true}, gla(GLA{Heads: 2, KVHeads: 1, KeyDim: 18, ValueDim: 7, Act: ReLU, Clamp: -0.1}, 4), false)},
	{"mom gsa", 24, mom(MoM{Memories: 4, TopK: 2, Shared: true}, gsa(GSA{Heads: 4, KVHeads: 2, KeyDim: 6, ValueDim: 6, Slots: 11}, MapT2R, 0), false)},
	{"mom linear attention", 24, mom(MoM{Memories: 4, TopK: 2, Shared: true}, linearAttn(LinearAttn{Heads: 4, KVHeads: 2, KeyDim: 6, ValueDim: 9, Normalise: true}, MapHedgehog), false)},
	{"linear attention", 24, recurrent(linearAttn(LinearAttn{Heads: 4, KVHeads: 2, KeyDim: 7, ValueDim: 20, NormQ: true, NormK: true, Normalise: true}, MapActivation), Identity)},
	{"linear attention of products", 24, recurrent(linearAttn(LinearAttn{Heads: 4, KVHeads: 2, KeyDim: 6, ValueDim: 9}, MapProduct), Identity)},
	{"linear attention hedgehog", 24, recurrent(linearAttn(LinearAttn{Heads: 2, KVHeads: 2, KeyDim: 6, ValueDim: 33}, MapHedgehog), Identity)},
	{"linear attention t2r", 24, recurrent(linearAttn(LinearAttn{Heads: 2, KVHeads: 1, KeyDim: 6, ValueDim: 9}, MapT2R), Identity)},
	{"linear attention dpfp", 24, recurrent(linearAttn(LinearAttn{Heads: 2, KVHeads: 1, KeyDim: 5, ValueDim: 9}, MapDPFP), Identity)},
	{"retention", 24, recurrent(retention(Retention{Heads: 4, KVHeads: 2, KeyDim: 10, ValueDim: 24, Act: SiLU}, true), SiLU)},
	{"lightning", 24, recurrent(retention(Retention{Heads: 3, KVHeads: 3, KeyDim: 9, ValueDim: 8}, false), Identity)},
	{"lightning activated", 24, recurrent(retention(Retention{Heads: 3, KVHeads: 3, KeyDim: 9, ValueDim: 8, Act: SiLU, ValueAct: SiLU}, false), Sigmoid)},
	{"latent attention", 28, mla(MLA{Heads: 5, NopeDim: 6, SharedDim: 4, ValueDim: 9, Rank: 18})},
	{"latent attention of many heads", 24, mla(MLA{Heads: 19, NopeDim: 4, SharedDim: 2, ValueDim: 3, Rank: 7})},
	{"gla", 24, recurrent(gla(GLA{Heads: 4, KVHeads: 2, KeyDim: 9, ValueDim: 40, Act: ReLU, Clamp: -0.15}, 3), SiLU)},
	{"gla without convolution", 24, recurrent(gla(GLA{Heads: 2, KVHeads: 2, KeyDim: 9, ValueDim: 5, Clamp: noClamp}, 0), Identity)},
	{"simple gla", 24, recurrent(gla(GLA{Heads: 2, KVHeads: 2, KeyDim: 9, ValueDim: 5, Clamp: noClamp, Scalar: true}, 4), SiLU)},
	{"delta net", 24, recurrent(deltaNet(DeltaNet{Heads: 2, KeyDim: 12, ValueDim: 18, Act: SiLU, Beta: true, NegativeEigenvalues: true}, 4), Identity)},
	{"delta net by sums, without convolution or strength", 24, recurrent(deltaNet(DeltaNet{Heads: 2, KeyDim: 12, ValueDim: 18, Act: ELUPlusOne, SumNorm: true}, 0), SiLU)},
	{"gated delta net, more values than keys", 24, recurrent(gatedDelta(GatedDelta{Heads: 4, KeyHeads: 2, KeyDim: 10, ValueDim: 15, NegativeEigenvalues: true}, 4), SiLU)},
	{"gated delta net without convolution", 24, recurrent(gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 10, ValueDim: 15}, 0), Identity)},
	{"kda", 24, recurrent(kda(KDA{Heads: 4, KeyHeads: 2, KeyDim: 10, ValueDim: 12, NegativeEigenvalues: true}, 4), Sigmoid)},
	{"kda with a lower bound, without convolution", 24, recurrent(kda(KDA{Heads: 2, KeyHeads: 2, KeyDim: 16, ValueDim: 35, LowerBound: -5}, 0), Sigmoid)},
	{"gsa", 24, recurrent(gsa(GSA{Heads: 4, KVHeads: 2, KeyDim: 6, ValueDim: 6, Slots: 7}, MapActivation, 3), Identity)},
	{"gsa t2r", 24, recurrent(gsa(GSA{Heads: 2, KVHeads: 2, KeyDim: 6, ValueDim: 12, Slots: 20}, MapT2R, 0), Identity)},
	{"hgrn", 24, recurrent(hgrn(HGRN{Channels: 150}, 3), SiLU)},
	{"hgrn without convolution", 24, recurrent(hgrn(HGRN{Channels: 128}, 0), SiLU)},
	{"hgrn2", 24, recurrent(hgrn2(HGRN2{Heads: 2, KeyDim: 11, ValueDim: 12}, 4), Identity)},
	{"hgrn2 without convolution", 24, recurrent(hgrn2(HGRN2{Heads: 3, KeyDim: 8, ValueDim: 8}, 0), Identity)},
	{"rwkv 6", 24, rwkv6(RWKV6{Heads: 3, KeyDim: 7, ValueDim: 20})},
	{"rwkv 7", 24, rwkv7(RWKV7{Heads: 2, Dim: 12})},
	{"rwkv channel mix", 24, channelMix(false)},
	{"rwkv channel mix with receptance", 24, channelMix(true)},
	{"attention", 32, attention(Attention{Heads: 2, KVHeads: 2, Dim: 16}, true)},
	{"attention grouped", 36, attention(Attention{Heads: 6, KVHeads: 2, Dim: 6}, true)},
	{"attention one key head for 40", 80, attention(Attention{Heads: 40, KVHeads: 1, Dim: 2}, false)},
	{"attention without positions", 20, attention(Attention{Heads: 2, KVHeads: 1, Dim: 18}, false)},
	{"attention window 1", 16, attention(Attention{Heads: 2, KVHeads: 1, Dim: 8, Window: 1}, true)},
	{"attention window 16", 32, attention(Attention{Heads: 4, KVHeads: 2, Dim: 8, Window: 16}, true)},
	{"attention window 64", 16, attention(Attention{Heads: 2, KVHeads: 2, Dim: 8, Window: 64}, false)},
	{"attention window 65", 16, attention(Attention{Heads: 2, KVHeads: 2, Dim: 8, Window: 65}, true)},
	{"attention window 100", 24, attention(Attention{Heads: 2, KVHeads: 1, Dim: 12, Window: 100}, true)},
	{"attention normalised and gated", 30, attention(Attention{Heads: 4, KVHeads: 2, Dim: 10, Scale: 0.2, Gated: true, QNorm: weighted(10), KNorm: weighted(10)}, true)},
	{"attention normalised over all heads", 24, attention(Attention{Heads: 3, KVHeads: 1, Dim: 16, QNorm: weighted(48), KNorm: weighted(16)}, false)},
	{"experts", 24, moe(MoE{Routing: Routing{TopK: 2, Chosen: true}}, 5, 18, 0, false)},
	{"experts not renormalised, gated shared expert", 20, moe(MoE{Routing: Routing{TopK: 3}}, 7, 10, 14, true)},
	{"experts by sigmoid", 20, moe(MoE{Routing: Routing{TopK: 2, Sigmoid: &SigmoidRouting{Normalize: true}, Factor: 2.5}}, 6, 10, 9, false)},
	{"one expert", 20, moe(MoE{Routing: Routing{TopK: 1}}, 1, 10, 0, false)},
	{"mamba", 24, mamba(Mamba{Channels: 40, N: 6, Rank: 5}, 4, false)},
	{"mamba normalised", 20, mamba(Mamba{Channels: 70, N: 7, Rank: 3}, 4, true)},
	{"mamba2", 24, mamba2(Mamba2{Heads: 4, HeadDim: 12, Groups: 1, N: 10, DtMax: 1e30}, 4, true, false)},
	{"mamba2 in groups, clamped, scaled", 20, mamba2(Mamba2{Heads: 6, HeadDim: 18, Groups: 3, N: 7, DtMin: 0.1, DtMax: 0.9, NormFirst: true}, 3, true, true)},
	{"mamba2 without norm or history", 20, mamba2(Mamba2{Heads: 2, HeadDim: 33, Groups: 2, N: 5, DtMax: 1e30}, 1, false, false)},
	{"grouped state spaces", 24, groupedScan(GroupedSSD{Heads: 4, KVHeads: 2, Dim: 9})},
	{"grouped state spaces with one key head", 24, groupedScan(GroupedSSD{Heads: 3, KVHeads: 1, Dim: 33})},
	{"gated convolution", 40, gatedConv(3, false)},
	{"gated convolution with bias", 300, gatedConv(4, true)},
	{"state spaces beside attention", 20, parallel},
	{"zamba", 24, zamba},
	{"mlp", 24, func(w *weights) Mixer {
		return &MLP{Act: SquaredReLU, Up: w.linear(31, 24), Down: w.linear(24, 31)}
	}},
	{"swiglu", 40, func(w *weights) Mixer {
		return &SwiGLU{GateUp: w.linear(2*53, 40), Down: w.linear(40, 53)}
	}},
}

// attention gives an attention its weights.
func attention(a Attention, rope bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		a := a
		rows := (a.Heads + 2*a.KVHeads) * a.Dim
		if a.Gated {
			rows += a.Heads * a.Dim
		}
		a.QKV, a.Out = w.linear(rows, w.width), w.linear(w.width, a.Heads*a.Dim)
		a.QKV.Bias = w.vec(rows)
		if rope {
			a.Rope = NewRope(10000, a.Dim)
		}
		return &a
	}
}

// gatedConv gives a gated convolution its weights.
func gatedConv(taps int, bias bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := &GatedConv{Channels: w.width, In: w.linear(3*w.width, w.width), Out: w.linear(w.width, w.width), Taps: taps}
		var b []float32
		if bias {
			b = w.vec(w.width)
		}
		m.SetFilters(w.vec(w.width*taps), b)
		return m
	}
}

// weighted is a norm of n columns, not all alike.
func weighted(n int) Norm {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1 + float32(i%3)/4
	}
	return Norm{Weight: w, Eps: 1e-5}
}

// weights makes random tensors in a source and takes them through its window.
type weights struct {
	width int
	rng   *rand.Rand
	src   source
	p     Params
	arena tensor.Arena
}

func newWeights(width int) *weights {
	src := source{}
	return &weights{width: width, rng: rand.New(rand.NewPCG(1, 2)), src: src, p: Bind(src, tensor.FormatAuto)}
}

func (w *weights) add(shape ...int) (name string) {
	name = fmt.Sprint("t", len(w.src))
	w.src.add(name, gaussian(w.rng, product(shape), 1), shape...)
	return name
}

func (w *weights) linear(rows, cols int) *Linear {
	return w.p.Linear(w.p.Tensor(w.add(rows, cols), rows, cols))
}

func (w *weights) exact(rows, cols int) *Linear {
	return w.p.Exact(w.p.Tensor(w.add(rows, cols), rows, cols))
}

func (w *weights) vec(n int) []float32 { return w.p.Vec(w.add(n), n) }

func gaussian(rng *rand.Rand, n int, scale float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(scale * rng.NormFloat64())
	}
	return x
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// timeline is one sequence at a mixer.
type timeline struct {
	pos   int
	state State
}

func newTimeline(m Mixer) *timeline {
	spec := m.StateSpec()
	t := &timeline{state: State{Floats: make([]float32, spec.Floats)}}
	if spec.KV.Heads > 0 {
		t.state.KV = NewKV(spec.KV)
	}
	return t
}

func (t *timeline) clone() *timeline {
	c := &timeline{t.pos, State{Floats: slices.Clone(t.state.Floats)}}
	if t.state.KV != nil {
		c.state.KV = t.state.KV.Clone()
	}
	return c
}

// restored returns a timeline read back from what a file would hold.
func (t *timeline) restored(tb testing.TB, m Mixer) *timeline {
	tb.Helper()
	c := &timeline{t.pos, State{Floats: slices.Clone(t.state.Floats)}}
	if t.state.KV != nil {
		c.state.KV = NewKV(m.StateSpec().KV)
		if err := c.state.KV.Restore(t.pos, pages(t.state.KV)); err != nil {
			tb.Fatalf("restore at %d: %v", t.pos, err)
		}
	}
	return c
}

// numbers is the whole of a timeline's state.
func (t *timeline) numbers() []float32 {
	n := append([]float32{float32(t.pos)}, t.state.Floats...)
	if t.state.KV != nil {
		n = append(n, float32(t.state.KV.Len()))
		for p := range t.state.KV.Pages() {
			n = append(n, p.Floats...)
		}
	}
	return n
}

// piece is some rows for one timeline.
type piece struct {
	t *timeline
	x tensor.Mat
}

// feed mixes pieces as one batch and returns the outputs of each. Scratch and outputs hold NaN
// before, so that nothing can be read that was not written.
func feed(m Mixer, ws *tensor.Workspace, pieces ...piece) [][]float32 {
	mark := ws.Mark()
	fill(ws.Floats(1<<16), float32(math.NaN()))
	ws.Release(mark)
	rows, width := 0, pieces[0].x.Cols
	for _, p := range pieces {
		rows += p.x.Rows
	}
	x, y := tensor.NewMat(rows, width), tensor.NewMat(rows, width)
	fill(y.Data, float32(math.NaN()))
	var spans []Span
	at := 0
	for _, p := range pieces {
		for i := range p.x.Rows {
			copy(x.Row(at+i), p.x.Row(i))
		}
		spans = append(spans, Span{From: at, To: at + p.x.Rows, Pos: p.t.pos, State: p.t.state})
		at += p.x.Rows
		p.t.pos += p.x.Rows
	}
	m.Mix(y, x, spans, ws)
	var out [][]float32
	for _, s := range spans {
		out = append(out, y.Data[s.From*width:s.To*width])
	}
	return out
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// mixerCase is a mixer with some sequences and what they give when each is fed whole and alone.
type mixerCase struct {
	m      Mixer
	rng    *rand.Rand
	pools  []*tensor.Pool // 1, 2 and 3 threads
	xs     []tensor.Mat
	out    [][]float32
	states [][]float32
}

// lengths of the sequences: several pages, more than a segment of them, blocks of the recurrence and
// window edges.
var lengths = []int{1, 270, 17, 129}

func newMixerCase(t *testing.T, width int, build func(w *weights) Mixer) *mixerCase {
	w := newWeights(width)
	c := &mixerCase{m: build(w), rng: w.rng, pools: []*tensor.Pool{nil, tensor.NewPool(2), tensor.NewPool(3)}}
	t.Cleanup(c.pools[1].Close)
	t.Cleanup(c.pools[2].Close)
	if err := w.p.Err(); err != nil {
		t.Fatal(err)
	}
	w.p.Load(&w.arena, c.pools[1], nil)
	for _, n := range lengths {
		x := tensor.NewMat(n, width)
		copy(x.Data, gaussian(c.rng, n*width, 1))
		out, state := c.whole(x)
		for i, v := range out {
			if v-v != 0 {
				t.Fatalf("output %d of %d tokens is %v", i, n, v)
			}
		}
		c.xs, c.out, c.states = append(c.xs, x), append(c.out, out), append(c.states, state)
	}
	return c
}

// whole feeds a sequence at once to a fresh timeline, on one thread.
func (c *mixerCase) whole(x tensor.Mat) (out, state []float32) {
	s := newTimeline(c.m)
	return feed(c.m, new(tensor.Workspace), piece{s, x})[0], s.numbers()
}

// pieces feeds x in pieces of the sizes that size gives and returns the outputs.
func (c *mixerCase) pieces(ws *tensor.Workspace, s *timeline, x tensor.Mat, size func() int) (out []float32) {
	for at := 0; at < x.Rows; {
		n := min(size(), x.Rows-at)
		out = append(out, feed(c.m, ws, piece{s, x.Slice(at, at+n)})[0]...)
		at += n
	}
	return out
}

func (c *mixerCase) random() int { return c.rng.IntN(50) }

func single() int { return 1 }

func TestMixer(t *testing.T) {
	for _, row := range mixers {
		t.Run(row.name, func(t *testing.T) {
			c := newMixerCase(t, row.width, row.build)
			t.Run("pieces", c.testPieces)
			t.Run("batch", c.testBatch)
			t.Run("diverge", c.testDiverge)
			t.Run("restore", c.testRestore)
			t.Run("concurrent", c.testConcurrent)
			t.Run("allocations", c.testAllocations)
		})
	}
}

func (c *mixerCase) testPieces(t *testing.T) {
	for _, pool := range c.pools {
		ws := &tensor.Workspace{Pool: pool}
		for i, x := range c.xs {
			for name, size := range map[string]func() int{"pieces": c.random, "tokens": single} {
				s := newTimeline(c.m)
				same(t, fmt.Sprintf("%s of sequence %d on %d threads", name, i, pool.Threads()), c.pieces(ws, s, x, size), c.out[i])
				same(t, fmt.Sprintf("state of sequence %d in %s", i, name), s.numbers(), c.states[i])
			}
		}
	}
}

// testBatch feeds all sequences side by side: in random pieces, some empty, in a new order every
// time, sequences dropping in and out.
func (c *mixerCase) testBatch(t *testing.T) {
	for _, pool := range c.pools {
		ws := &tensor.Workspace{Pool: pool}
		var ts []*timeline
		for range c.xs {
			ts = append(ts, newTimeline(c.m))
		}
		out := make([][]float32, len(c.xs))
		for left := 1; left > 0; {
			var batch []piece
			order := c.rng.Perm(len(c.xs))[:1+c.rng.IntN(len(c.xs))]
			for _, i := range order {
				n := min(c.random(), c.xs[i].Rows-ts[i].pos)
				batch = append(batch, piece{ts[i], c.xs[i].Slice(ts[i].pos, ts[i].pos+n)})
			}
			for j, y := range feed(c.m, ws, batch...) {
				out[order[j]] = append(out[order[j]], y...)
			}
			left = 0
			for i, x := range c.xs {
				left += x.Rows - ts[i].pos
			}
		}
		for i := range c.xs {
			same(t, fmt.Sprintf("sequence %d in a batch on %d threads", i, pool.Threads()), out[i], c.out[i])
			same(t, fmt.Sprintf("state of sequence %d in a batch", i), ts[i].numbers(), c.states[i])
		}
	}
}

// testDiverge forks a timeline, continues both ways, and rewinds to the fork twice.
func (c *mixerCase) testDiverge(t *testing.T) {
	x, want := c.xs[1], c.out[1]
	ws := &tensor.Workspace{Pool: c.pools[1]}
	for _, cut := range []int{1, 63, 64, 65, 100, 128, 150} {
		s := newTimeline(c.m)
		out := c.pieces(ws, s, x.Slice(0, cut), c.random)
		mark, before := s.clone(), s.numbers()

		other := tensor.NewMat(x.Rows, x.Cols)
		copy(other.Data, x.Data[:cut*x.Cols])
		copy(other.Data[cut*x.Cols:], gaussian(c.rng, (x.Rows-cut)*x.Cols, 1))
		otherOut, otherState := c.whole(other)
		for range 2 {
			fork := mark.clone()
			got := c.pieces(ws, fork, other.Slice(cut, x.Rows), c.random)
			same(t, fmt.Sprintf("fork at %d", cut), got, otherOut[cut*x.Cols:])
			same(t, fmt.Sprintf("state of the fork at %d", cut), fork.numbers(), otherState)
		}
		same(t, fmt.Sprintf("state at %d beside its forks", cut), s.numbers(), before)
		out = append(out, c.pieces(ws, s, x.Slice(cut, x.Rows), c.random)...)
		same(t, fmt.Sprintf("original of the fork at %d", cut), out, want)
		same(t, fmt.Sprintf("state of the original of the fork at %d", cut), s.numbers(), c.states[1])
		same(t, fmt.Sprintf("mark at %d", cut), mark.numbers(), before)
	}
}

// testRestore stores and restores a timeline between any two tokens.
func (c *mixerCase) testRestore(t *testing.T) {
	x, want := c.xs[1], c.out[1]
	ws := &tensor.Workspace{Pool: c.pools[2]}
	s := newTimeline(c.m)
	for cut := range x.Rows {
		if c.rng.IntN(2) == 0 {
			feed(c.m, ws, piece{s, x.Slice(cut, cut)}) // nothing: must change nothing
		}
		r := s.restored(t, c.m)
		same(t, fmt.Sprintf("state restored at %d", cut), r.numbers(), s.numbers())
		if cut%32 == 0 {
			fork := r.clone()
			same(t, fmt.Sprintf("outputs after the restore at %d", cut), c.pieces(ws, fork, x.Slice(cut, x.Rows), c.random), want[cut*x.Cols:])
			same(t, fmt.Sprintf("state after the restore at %d", cut), fork.numbers(), c.states[1])
		}
		same(t, fmt.Sprintf("output after the restore at %d", cut), feed(c.m, ws, piece{r, x.Slice(cut, cut+1)})[0], want[cut*x.Cols:(cut+1)*x.Cols])
		s = r
	}
}

// testConcurrent computes on one mixer and one pool from several goroutines.
func (c *mixerCase) testConcurrent(t *testing.T) {
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			x, rng := c.xs[1], rand.New(rand.NewPCG(uint64(g), 0))
			s := newTimeline(c.m)
			got := c.pieces(&tensor.Workspace{Pool: c.pools[1]}, s, x, func() int { return 1 + rng.IntN(40) })
			if i := difference(got, c.out[1]); i >= 0 {
				t.Errorf("goroutine %d: number %d differs", g, i)
			}
			if i := difference(s.numbers(), c.states[1]); i >= 0 {
				t.Errorf("goroutine %d: number %d of the state differs", g, i)
			}
		})
	}
	wg.Wait()
}

// testAllocations feeds tokens across two page boundaries, one by one. A cache without a window
// has room reserved; one with a window turns its pages over.
func (c *mixerCase) testAllocations(t *testing.T) {
	const tokens = 130
	for _, pool := range c.pools[:2] {
		ws := &tensor.Workspace{Pool: pool}
		s := newTimeline(c.m)
		c.pieces(ws, s, c.xs[1], c.random)
		if kv := s.state.KV; kv != nil && c.m.StateSpec().KV.Window == 0 {
			kv.Reserve(2 * attempts * tokens)
		}
		x, y := c.xs[1].Slice(0, 1), tensor.NewMat(1, c.xs[1].Cols)
		spans := make([]Span, 1)
		n := allocations(func() {
			for range tokens {
				spans[0] = Span{From: 0, To: 1, Pos: s.pos, State: s.state}
				s.pos++
				c.m.Mix(y, x, spans, ws)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations in %d tokens on %d threads", n, tokens, pool.Threads())
		}
	}
}

// attempts is how often allocations are counted: the count is that of the whole process, whose
// runtime allocates now and then.
const attempts = 3

// allocations returns the number of allocations that f makes after a first run.
func allocations(f func()) (n float64) {
	for range attempts {
		if n = testing.AllocsPerRun(1, f); n == 0 {
			break
		}
	}
	return n
}

// TestMixerNoTokens feeds nothing: no sequence, and a sequence of no tokens.
func TestMixerNoTokens(t *testing.T) {
	for _, row := range mixers {
		w := newWeights(row.width)
		m := row.build(w)
		w.p.Load(&w.arena, nil, nil)
		s := newTimeline(m)
		before := s.numbers()
		m.Mix(tensor.NewMat(0, row.width), tensor.NewMat(0, row.width), nil, new(tensor.Workspace))
		feed(m, new(tensor.Workspace), piece{s, tensor.NewMat(0, row.width)})
		same(t, row.name+": state after no tokens", s.numbers(), before)
	}
}

// same fails the test unless both hold the same bits.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	if i := difference(got, want); i >= 0 {
		t.Fatalf("%s: [%d] = %v, want %v", what, i, got[i], want[i])
	}
}

// difference returns the first index at which the bits differ, -1 if none does.
func difference(a, b []float32) int {
	for i := range min(len(a), len(b)) {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}
	return -1
}
