package nn

import (
	"slices"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// momPair builds two mixtures whose weights are derived from the same random ones.
func momPair(a, b MoM, derive func(a, b *MoM)) (x tensor.Mat, outA, outB, stateA []float32, stateB []float32) {
	w := newWeights(24)
	ma, mb := mom(a)(w).(*MoM), mom(b)(w).(*MoM)
	w.p.Load(&w.arena, nil, nil)
	derive(ma, mb)
	x = tensor.NewMat(150, 24)
	copy(x.Data, gaussian(w.rng, len(x.Data), 1))
	run := func(m Mixer) (out, state []float32) {
		s := newTimeline(m)
		return feed(m, new(tensor.Workspace), piece{s, x})[0], s.numbers()
	}
	outA, stateA = run(ma)
	outB, stateB = run(mb)
	return x, outA, outB, stateA, stateB
}

// row copies a row of a weight into a tensor that can be packed again.
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
	short := MoM{Heads: 2, KeyDim: 8, ValueDim: 12, Memories: 3, TopK: 2, Shared: true, Gated: true, Taps: 1}
	long := short
	long.Taps = 4
	_, a, b, _, _ := momPair(short, long, func(a, b *MoM) {
		taps := b.Conv
		*b = *a
		b.Taps = 4
		for i, width := range []int{8, 8, 12} {
			b.Conv[i] = make([]float32, len(taps[i]))
			for h := range 2 {
				copy(b.Conv[i][(h*4+3)*width:(h*4+4)*width], a.Conv[i][h*width:(h+1)*width])
			}
		}
	})
	same(t, "four taps of which three are zero", b, a)
}

// TestMoMOneKV: one projection for all memories is the same projection in each of them.
func TestMoMOneKV(t *testing.T) {
	one := MoM{Heads: 2, KeyDim: 8, ValueDim: 12, Memories: 3, TopK: 2, Shared: true, OneKV: true, Gated: true, Taps: 3}
	each := one
	each.OneKV = false
	_, a, b, stateA, stateB := momPair(one, each, func(a, b *MoM) {
		*b = *a
		b.OneKV = false
		kv := rowsOf(a.Common.W, 16, 16+16+24)
		b.KV = []*Linear{packed(kv), packed(kv), packed(kv)}
		router, beta, decay := rowsOf(a.Small.W, 0, 3), rowsOf(a.Small.W, 3, 5), rowsOf(a.Small.W, 5, 7)
		b.Small = packed(router, beta, beta, beta, beta, decay, decay, decay, decay)
	})
	same(t, "one projection in every memory", b, a)
	same(t, "its state", stateB, stateA)
}

// TestMoMIsolation: a memory's state depends on its own tokens alone. With the router's choice
// fixed by a switch in the input, what the others saw does not matter.
func TestMoMIsolation(t *testing.T) {
	w := newWeights(24)
	m := mom(MoM{Heads: 2, KeyDim: 8, ValueDim: 12, Memories: 2, TopK: 1, Gated: true, Taps: 4})(w).(*MoM)
	w.p.Load(&w.arena, nil, nil)
	router := source{}
	router.add("router", slices.Concat([]float32{1}, make([]float32, 23), []float32{-1}, make([]float32, 23)), 2, 24)
	m.Small = packed(router["router"], rowsOf(m.Small.W, 2, m.Small.W.Rows))
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
