package nn

import (
	"slices"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// momPair builds two mixtures of a recurrence, derives the weights of the second from the first's,
// and runs both on the same tokens.
func momPair(a, b MoM, rec func(w *weights) Recurrence, derive func(a, b *MoM)) (outA, outB, stateA, stateB []float32) {
	w := newWeights(24)
	ma, mb := mom(a, rec, true)(w).(*MoM), mom(b, rec, true)(w).(*MoM)
	w.p.Load(&w.arena, nil, nil)
	derive(ma, mb)
	x := tensor.NewMat(150, 24)
	copy(x.Data, gaussian(w.rng, len(x.Data), 1))
	run := func(m Mixer) (out, state []float32) {
		s := newTimeline(m)
		return feed(m, new(tensor.Workspace), piece{s, x})[0], s.numbers()
	}
	outA, stateA = run(ma)
	outB, stateB = run(mb)
	return outA, outB, stateA, stateB
}

// rowsOf copies rows of a weight into a tensor that can be packed again.
func rowsOf(w *tensor.Weight, from, to int) tensor.Tensor {
	src, v := source{}, make([]float32, 0)
	row := make([]float32, w.Cols)
	for i := from; i < to; i++ {
		w.Row(row, i)
		v = append(v, row...)
	}
	src.add("rows", v, to-from, w.Cols)
	return src["rows"]
}

func packed(parts ...tensor.Tensor) *Linear {
	return &Linear{W: tensor.Pack(new(tensor.Arena), nil, tensor.FormatAuto, parts...)}
}

// TestMoMFewerTaps: taps of zero for the past are no taps at all.
func TestMoMFewerTaps(t *testing.T) {
	m := MoM{Memories: 3, TopK: 2, Shared: true}
	rec := gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 8, ValueDim: 12}, 1)
	a, b, _, _ := momPair(m, m, rec, func(a, b *MoM) {
		short := a.Rec.(*GatedDelta)
		long := *short
		*b = *a
		b.Rec = &long
		for i, width := range []int{8, 8, 12} {
			long.Conv[i] = &ShortConv{Taps: 4, Width: width, Weights: make([]float32, 2*4*width)}
			for h := range 2 {
				copy(long.Conv[i].Weights[(h*4+3)*width:(h*4+4)*width], short.Conv[i].Weights[h*width:(h+1)*width])
			}
		}
	})
	same(t, "four taps of which three are zero", b, a)
}

// TestMoMOneKV: one projection for all memories is the same projection in each of them.
func TestMoMOneKV(t *testing.T) {
	one := MoM{Memories: 3, TopK: 2, Shared: true, OneKV: true}
	each := one
	each.OneKV = false
	for name, rec := range map[string]func(w *weights) Recurrence{
		"gated delta": gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 8, ValueDim: 12}, 3),
		"gla":         gla(GLA{Heads: 2, KVHeads: 2, KeyDim: 9, ValueDim: 12, Clamp: noClamp}, 0),
		"gsa":         gsa(GSA{Heads: 2, KVHeads: 1, KeyDim: 8, ValueDim: 12, Slots: 17}, MapT2R, 0),
	} {
		a, b, stateA, stateB := momPair(one, each, rec, func(a, b *MoM) {
			*b = *a
			b.OneKV = false
			s := a.Rec.shape()
			own := Memory{KV: packed(rowsOf(a.Common.W, s.q, s.q+s.k+s.v)), Rates: a.SharedRates}
			b.Each = []Memory{own, own, own}
		})
		same(t, name+": one projection in every memory", b, a)
		same(t, name+": its state", stateB, stateA)
	}
}

// TestMoMIsolation: a memory's state depends on its own tokens alone. With the router's choice
// fixed by a switch in the input, what the others saw does not matter.
func TestMoMIsolation(t *testing.T) {
	w := newWeights(24)
	m := mom(MoM{Memories: 2, TopK: 1}, gatedDelta(GatedDelta{Heads: 2, KeyHeads: 2, KeyDim: 8, ValueDim: 12}, 4), true)(w).(*MoM)
	w.p.Load(&w.arena, nil, nil)
	router := source{}
	router.add("router", slices.Concat([]float32{1}, make([]float32, 23), []float32{-1}, make([]float32, 23)), 2, 24)
	m.Router = packed(router["router"])
	mixed, only := tensor.NewMat(160, 24), tensor.NewMat(80, 24)
	copy(mixed.Data, gaussian(w.rng, len(mixed.Data), 1))
	for i := range mixed.Rows {
		if mixed.Row(i)[0] = -3; i%2 == 0 {
			mixed.Row(i)[0] = 3
			copy(only.Row(i/2), mixed.Row(i))
		}
	}
	ws := new(tensor.Workspace)
	a, b := newTimeline(m), newTimeline(m)
	outMixed, outOnly := feed(m, ws, piece{a, mixed})[0], feed(m, ws, piece{b, only})[0]
	for i := range only.Rows {
		same(t, "output of a token among others", outMixed[2*i*24:(2*i+1)*24], outOnly[i*24:(i+1)*24])
	}
	half := len(a.state.Floats) / 2
	same(t, "state of the memory", a.state.Floats[:half], b.state.Floats[:half])
	same(t, "state of the memory never chosen", b.state.Floats[half:], make([]float32, half))
	if difference(a.state.Floats[half:], make([]float32, half)) < 0 {
		t.Error("the other memory saw nothing")
	}
}
