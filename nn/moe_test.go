package nn

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// moe gives a mixture its weights: experts of width inner, and a shared one if that is not 0.
func moe(m MoE, experts, inner, shared int, gate bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := m
		m.Router = w.exact(experts, w.width)
		for range experts {
			m.Experts = append(m.Experts, &SwiGLU{GateUp: w.linear(2*inner, w.width), Down: w.linear(w.width, inner)})
		}
		if shared > 0 {
			m.Shared = &SwiGLU{GateUp: w.linear(2*shared, w.width), Down: w.linear(w.width, shared)}
		}
		if gate {
			m.SharedGate = w.exact(1, w.width)
		}
		if m.Sigmoid != nil {
			m.Sigmoid.Correction = w.vec(experts)
		}
		return &m
	}
}

// TestMoE compares with every expert's output of every token. Each of the k additions of outputs
// rounds once, as does the product with the gate.
func TestMoE(t *testing.T) {
	for _, row := range mixers {
		w := newWeights(row.width)
		m, ok := row.build(w).(*MoE)
		if !ok {
			continue
		}
		w.p.Load(&w.arena, nil, nil)
		x := tensor.NewMat(20, row.width)
		copy(x.Data, gaussian(w.rng, len(x.Data), 1))
		got := feed(m, new(tensor.Workspace), piece{newTimeline(m), x})[0]
		ws := new(tensor.Workspace)
		logits := m.Router.Out(x, ws)
		outs := make([]tensor.Mat, len(m.Experts)+1)
		for e := range outs {
			outs[e] = tensor.NewMat(x.Rows, x.Cols)
			switch {
			case e < len(m.Experts):
				m.Experts[e].Mix(outs[e], x, nil, ws)
			case m.Shared != nil:
				m.Shared.Mix(outs[e], x, nil, ws)
			}
		}
		for i := range x.Rows {
			weight := m.weigh(logits.Row(i))
			if m.SharedGate != nil {
				g := m.SharedGate.Out(x.Slice(i, i+1), ws)
				weight = append(weight, 1/(1+math.Exp(-float64(g.Data[0]))))
			} else {
				weight = append(weight, 1)
			}
			for j := range x.Cols {
				var want, size float64
				for e, out := range outs {
					want += weight[e] * float64(out.Row(i)[j])
					size += math.Abs(weight[e] * float64(out.Row(i)[j]))
				}
				if err := math.Abs(float64(got[i*x.Cols+j]) - want); !(err <= size*float64(m.TopK+70)*unit) {
					t.Fatalf("%s: token %d, output %d is %v, want %v", row.name, i, j, got[i*x.Cols+j], want)
				}
			}
		}
	}
}

// weigh gives every expert its weight in float64, without groups.
func (m *MoE) weigh(logits []float32) []float64 {
	score, choice := make([]float64, len(logits)), make([]float64, len(logits))
	var all, chosen float64
	for e, l := range logits {
		score[e] = math.Exp(float64(l))
		all += score[e]
	}
	for e, l := range logits {
		if m.Sigmoid == nil {
			score[e] /= all
			choice[e] = score[e]
		} else {
			score[e] = 1 / (1 + math.Exp(-float64(l)))
			choice[e] = score[e] + float64(m.Sigmoid.Correction[e])
		}
	}
	weight := make([]float64, len(logits))
	for range m.TopK {
		best := 0
		for e := range choice {
			if choice[e] > choice[best] {
				best = e
			}
		}
		choice[best] = math.Inf(-1)
		weight[best] = score[best]
		chosen += score[best]
	}
	for e := range weight {
		if m.Chosen || m.Sigmoid != nil && m.Sigmoid.Normalize {
			weight[e] /= chosen
		}
		if m.Factor != 0 {
			weight[e] *= float64(m.Factor)
		}
	}
	return weight
}
