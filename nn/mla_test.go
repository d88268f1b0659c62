package nn

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// mla gives a latent attention its weights.
func mla(m MLA) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := m
		m.Q = w.linear(m.Heads*(m.NopeDim+m.SharedDim), w.width)
		m.Latent, m.Norm = w.linear(m.Rank+m.SharedDim, w.width), weighted(m.Rank)
		m.Keys, m.Values = nil, nil
		for range m.Heads {
			m.Keys = append(m.Keys, w.linear(m.Rank, m.NopeDim))
			m.Values = append(m.Values, w.linear(m.ValueDim, m.Rank))
		}
		m.Out = w.linear(w.width, m.Heads*m.ValueDim)
		return &m
	}
}

// TestMLA makes every head's keys and values from the latents in float64, as the definition does.
func TestMLA(t *testing.T) {
	for _, row := range mixers {
		w := newWeights(row.width)
		m, ok := row.build(w).(*MLA)
		if !ok {
			continue
		}
		w.p.Load(&w.arena, nil, nil)
		x := tensor.NewMat(100, row.width)
		copy(x.Data, gaussian(w.rng, len(x.Data), 0.1))
		got := feed(m, new(tensor.Workspace), piece{newTimeline(m), x})[0]
		for i, want := range m.reference(x) {
			if err := math.Abs(float64(got[i]) - want.v); !(err <= want.err) {
				t.Fatalf("%s: position %d, output %d = %v, want %v ± %.2g", row.name, i/x.Cols, i%x.Cols, got[i], want.v, want.err)
			}
		}
	}
}

// transposed is Wᵀx.
func transposed(x []approx, w *tensor.Weight) []approx {
	y, row := make([]approx, w.Cols), make([]float32, w.Cols)
	columns := make([][]approx, w.Cols)
	for i := range w.Rows {
		w.Row(row, i)
		for j, v := range row {
			columns[j] = append(columns[j], approx{float64(v), 0})
		}
	}
	for j := range y {
		y[j] = dot(columns[j], x)
	}
	return y
}

// reference computes the outputs. A score qᵀ(Kc) computed as (Kᵀq)ᵀc has sums of Rank + NopeDim
// terms in all: less than twice the Rank that Kc alone has in these tests.
func (m *MLA) reference(x tensor.Mat) (out []approx) {
	var latent, shared [][]approx
	a := &Attention{Dim: m.NopeDim + m.SharedDim}
	for t := range x.Rows {
		q, c := mulRows(exact(x.Row(t)), m.Q.W), mulRows(exact(x.Row(t)), m.Latent.W)
		latent, shared = append(latent, m.Norm.normalised(c[:m.Rank])), append(shared, c[m.Rank:])
		var o []approx
		for h := range m.Heads {
			head := q[h*a.Dim : (h+1)*a.Dim]
			mixed := a.attendTo(head, 0, t, func(pos int) (k, v []approx) {
				k = transposed(latent[pos], m.Keys[h].W)
				for i := range k {
					k[i].err *= 2
				}
				return append(k, shared[pos]...), latent[pos]
			})
			o = append(o, mulRows(mixed, m.Values[h].W)...)
		}
		out = append(out, mulRows(o, m.Out.W)...)
	}
	return out
}
