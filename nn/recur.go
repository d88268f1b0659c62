package nn

import (
	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// l2Eps is the epsilon of the unit-length norm of queries and keys, inside the root.
const l2Eps = 1e-6

// recurTokens is how many tokens a head convolves before it recurs over them, so that they stay
// in the first-level caches.
const recurTokens = 64

// recurPart is one head of one memory over one sequence's tokens.
type recurPart struct {
	stream   *stream
	head     int
	from, to int       // the tokens' rows in the stream
	state    []float32 // of this head
}

// recur runs the convolutions and the delta rules, in parallel over memories, sequences and heads.
func (t *remembering) recur(ws *tensor.Workspace) {
	m := t.m
	t.parts = t.parts[:0]
	longest := 0
	for i := range t.streams {
		s := &t.streams[i]
		at := 0
		for _, span := range t.spans {
			from := at
			if s.tokens == nil {
				at += span.To - span.From
			} else {
				for at < s.n && int(s.tokens[at]) < span.To {
					at++
				}
			}
			if from == at {
				continue
			}
			longest = max(longest, at-from)
			for h := range m.Heads {
				n := m.headFloats()
				state := span.State.Floats[(s.memory*m.Heads+h)*n:][:n]
				t.parts = append(t.parts, recurPart{s, h, from, at, state})
			}
		}
	}
	t.partFloats = min(longest, recurTokens) * (2*m.KeyDim + m.ValueDim)
	t.scratch = ws.Floats(len(t.parts) * t.partFloats)
	ws.Pool.Run(len(t.parts), t)
}

// Do runs one part.
func (t *remembering) Do(i int) {
	p, n := t.parts[i], t.partFloats
	for from := p.from; from < p.to; from += recurTokens {
		t.advance(p, from, min(from+recurTokens, p.to), t.scratch[i*n:(i+1)*n])
	}
}

// advance absorbs the tokens at rows from to to-1 of a part's stream.
func (t *remembering) advance(p recurPart, from, to int, scratch []float32) {
	m, s, n := t.m, p.stream, to-from
	K, V, h, hist := m.KeyDim, m.ValueDim, p.head, m.Taps-1
	state, tails := p.state[:K*V], p.state[K*V:]
	q, k, v := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)]

	hk := m.Heads * K
	m.convolve(q, s.q.Slice(from, to).Columns(h*K, h*K+K), 0, h, tails[:hist*K])
	m.convolve(k, s.kv.Slice(from, to).Columns(h*K, h*K+K), 1, h, tails[hist*K:2*hist*K])
	m.convolve(v, s.kv.Slice(from, to).Columns(hk+h*V, hk+h*V+V), 2, h, tails[2*hist*K:])
	all := scratch[:n*(2*K+V)]
	vec.SiLU(all, all)
	norm.L2(scratch[:2*n*K], scratch[:2*n*K], K, l2Eps)

	out := t.outs.Slice(s.row+from, s.row+to).Columns(h*V, h*V+V)
	beta, decay := s.beta.Slice(from, to).Columns(h, h+1), s.decay.Slice(from, to).Columns(h, h+1)
	g := delta.Gated{
		O: out.Data, Q: q, K: k, V: v, OStride: out.Stride, QStride: K, KStride: K, VStride: V,
		Decay: decay.Data, DecayStride: decay.Stride, Beta: beta.Data, BetaStride: beta.Stride,
		S: state, SStride: V, Tokens: n, KDim: K, VDim: V, Scale: m.scale(),
	}
	delta.GatedRule(&g)
}

// convolve runs the short convolution of one head's queries (0), keys (1) or values (2) into
// contiguous rows.
func (m *MoM) convolve(dst []float32, x tensor.Mat, which, head int, tail []float32) {
	n := m.Taps * x.Cols
	conv.Causal(dst, x.Cols, x.Data, x.Stride, m.Conv[which][head*n:(head+1)*n], nil, tail, x.Rows, x.Cols)
}
