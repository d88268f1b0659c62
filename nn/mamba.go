package nn

import (
	"github.com/mminfer/mminfer/kernels/scan"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Mamba is the selective state space of Mamba-1: every channel e has N numbers that decay and take
// in the input at rates that depend on the token.
//
//	[x|z] = In u;  x = SiLU(conv x);  [δ|B|C] = Select x;  Δ = softplus(Delta δ + DtBias)
//	S[e] ← e^(Δ[e]·A[e])·S[e] + Δ[e]·x[e]·B;  y[e] = S[e]·C + D[e]·x[e];  Out(y · SiLU(z))
//
// Source: Gu and Dao 2023, arXiv:2312.00752, section 3; Mamba in state-spaces/mamba@e9594ce1,
// mamba_ssm/modules/mamba_simple.py.
type Mamba struct {
	Channels, N, Rank int // E, N, R

	In     *Linear // [2·E, D]: inputs, then gates
	Conv   *ChannelConv
	Select *Linear // [R+2·N, E]: δ, B, C
	Norms  [3]Norm // of δ, B and C; without weights but in Jamba
	Delta  *Linear // [E, R]
	DtBias []float32
	A      []float32 // of [MambaRates]
	D      []float32 // [E]
	Out    *Linear   // [D, E]
}

// MambaRates returns the rates that A_log [E, N] stands for as [Mamba] needs them:
// A·log₂e, A = -exp(A_log), in panels.
func MambaRates(logs []float32, n int) []float32 {
	const log2e = 1.4426950408889634
	rates := make([]float32, scan.StateLen(len(logs)/n, n))
	for i, a := range NegExp(logs) {
		e := i / n
		rates[(e/scan.Lanes*n+i%n)*scan.Lanes+e%scan.Lanes] = float32(float64(a) * log2e)
	}
	return rates
}

// StateSpec asks for S and the convolution's history.
func (m *Mamba) StateSpec() StateSpec {
	return StateSpec{Floats: scan.StateLen(m.Channels, m.N) + m.Conv.floats()}
}

// StepBytes counts the projections, the rates and the state.
func (m *Mamba) StepBytes() int64 {
	n := m.In.W.Bytes() + m.Select.W.Bytes() + m.Delta.W.Bytes() + m.Out.W.Bytes()
	return n + 4*int64(len(m.A)) + 2*4*int64(m.StateSpec().Floats)
}

// StepMulAdds counts the projections.
func (m *Mamba) StepMulAdds() int64 {
	return m.In.elements() + m.Select.elements() + m.Delta.elements() + m.Out.elements()
}

// Mix computes y from x, [T, D].
func (m *Mamba) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	h := m.In.Out(x, ws)
	u := ws.Mat(x.Rows, m.Channels)
	m.Conv.apply(u, h.Columns(0, m.Channels), spans, scan.StateLen(m.Channels, m.N), ws)
	sel := m.Select.Out(u, ws)
	delta, b, c := sel.Columns(0, m.Rank), sel.Columns(m.Rank, m.Rank+m.N), sel.Columns(m.Rank+m.N, sel.Cols)
	for i, part := range [...]tensor.Mat{delta, b, c} {
		if m.Norms[i].Weight != nil {
			m.Norms[i].Apply(part, part, ws)
		}
	}
	dt := m.Delta.Out(delta, ws)

	task := tensor.Local[selecting](ws)
	*task = selecting{m: m, u: u, z: h.Columns(m.Channels, h.Cols), dt: dt, b: b, c: c, spans: spans}
	n := len(spans) * task.blocks()
	task.units = units{n, grain(n, x.Rows*m.Channels*m.N)}
	ws.Pool.Run(task.parts(), task)
	*task = selecting{}
	m.Out.Mul(y, u, ws)
	ws.Release(mark)
}

const (
	// selectBlock is the channels of a unit of the scan: their state and rates stay in the
	// first-level cache.
	selectBlock = 64

	// selectTokens is how many tokens a unit takes through softplus, scan and gate before the next.
	selectTokens = 64
)

// selecting is the task of a scan: a unit is a block of channels of a sequence.
type selecting struct {
	units
	m              *Mamba
	u, z, dt, b, c tensor.Mat // u is the inputs, then the outputs
	spans          []Span
}

func (t *selecting) blocks() int { return (t.m.Channels + selectBlock - 1) / selectBlock }

// Do runs one part.
func (t *selecting) Do(part int) {
	lo, hi := t.part(part)
	for k := lo; k < hi; k++ {
		s := &t.spans[k/t.blocks()]
		for from := s.From; from < s.To; from += selectTokens {
			t.advance(s, from, min(from+selectTokens, s.To), k%t.blocks()*selectBlock)
		}
	}
}

// advance absorbs the tokens of some rows into the block that begins at a channel.
func (t *selecting) advance(s *Span, from, to, channel int) {
	m := t.m
	end := min(channel+selectBlock, m.Channels)
	u, z := t.u.Slice(from, to).Columns(channel, end), t.z.Slice(from, to).Columns(channel, end)
	dt, b, c := t.dt.Slice(from, to).Columns(channel, end), t.b.Slice(from, to), t.c.Slice(from, to)
	for i := range dt.Rows {
		row := dt.Row(i)
		vec.Add(row, row, m.DtBias[channel:end])
		vec.Softplus(row, row)
	}
	at, n := channel*m.N, scan.StateLen(u.Cols, m.N)
	scan.SelectiveScan(&scan.Selective{
		Y: u.Data, X: u.Data, Dt: dt.Data, B: b.Data, C: c.Data,
		YStride: u.Stride, XStride: u.Stride, DtStride: dt.Stride, BStride: b.Stride, CStride: c.Stride,
		A: m.A[at : at+n], D: m.D[channel:end], S: s.State.Floats[at : at+n],
		Tokens: u.Rows, Channels: u.Cols, N: m.N,
	})
	for i := range u.Rows {
		vec.SiLUMul(u.Row(i), z.Row(i), u.Row(i))
	}
}
