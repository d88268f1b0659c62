package nn

import (
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/scan"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Mamba2 is the state-space layer of Mamba-2: head h has a state S [N, P] that decays by one
// number, and reads and writes with B and C of group h·Groups/Heads.
//
//	[z|x|B|C] = In u · Scale;  x, B, C = SiLU(conv);  Δ = clamp(softplus(Delta u · Scale + DtBias))
//	S ← e^(Δ·A)·S + B (Δ·x)ᵀ;  y = Sᵀ·C + D·x;  Out(gate(y, z))
//
// The gate is y·SiLU(z), with a norm over Groups groups of the channels after it or, with
// NormFirst, of y before it.
//
// Source: Dao and Gu 2024, arXiv:2405.21060, section 7.1; Mamba2 in state-spaces/mamba@e9594ce1,
// mamba_ssm/modules/mamba2.py.
type Mamba2 struct {
	Heads, HeadDim, Groups, N int // H, P, G, N

	In           *Linear   // [2·H·P+2·G·N, D]: gates, inputs, B, C
	Delta        *Linear   // [H, D]
	Scale        []float32 // of what In, then Delta, give; nil for 1
	Conv         *ChannelConv
	DtBias       []float32 // [H]
	DtMin, DtMax float32   // bounds of Δ
	NegA         []float32 // -exp(A_log), [H]
	D            []float32 // [H·P]
	Norm         Norm      // Weight [H·P]; without it no norm
	NormFirst    bool
	Out          *Linear // [D, H·P]
}

// channels is H·P.
func (m *Mamba2) channels() int { return m.Heads * m.HeadDim }

// StateSpec asks for every head's S, then the convolution's history.
func (m *Mamba2) StateSpec() StateSpec { return StateSpec{Floats: m.states() + m.Conv.floats()} }

func (m *Mamba2) states() int { return m.Heads * scan.StateLen(m.HeadDim, m.N) }

// StepBytes counts the projections and the state.
func (m *Mamba2) StepBytes() int64 {
	return m.In.W.Bytes() + m.Delta.W.Bytes() + m.Out.W.Bytes() + 2*4*int64(m.StateSpec().Floats)
}

// StepMulAdds counts the projections.
func (m *Mamba2) StepMulAdds() int64 {
	return m.In.elements() + m.Delta.elements() + m.Out.elements()
}

// Mix computes y from x, [T, D].
func (m *Mamba2) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[dual](ws)
	e := m.channels()
	h, dt := ws.Mat(x.Rows, m.In.W.Rows), ws.Mat(x.Rows, m.Heads)
	t.products = append(t.products[:0], tensor.Product{Dst: h, X: x, W: m.In.W}, tensor.Product{Dst: dt, X: x, W: m.Delta.W})
	tensor.MatMulAll(ws, t.products)
	if m.In.Bias != nil {
		addBias(h, m.In.Bias, ws)
		addBias(dt, m.Delta.Bias, ws)
	}
	if m.Scale != nil {
		rowwise(ws, rows{op: opWeigh, dst: h, a: h, weight: m.Scale[:h.Cols]})
		rowwise(ws, rows{op: opWeigh, dst: dt, a: dt, weight: m.Scale[h.Cols:]})
	}
	u := ws.Mat(x.Rows, h.Cols-e)
	m.Conv.apply(u, h.Columns(e, h.Cols), spans, m.states(), ws)
	t.m, t.spans, t.u, t.dt, t.decay = m, spans, u, dt, ws.Mat(x.Rows, m.Heads)
	stepRates(t.dt, t.decay, m.DtBias, m.NegA, m.DtMin, m.DtMax)
	n := len(spans) * m.Heads
	t.units = units{n, grain(n, x.Rows*e*m.N)}
	ws.Pool.Run(t.parts(), t)
	o := u.Columns(0, e)
	rowwise(ws, rows{op: opGatedRMS, dst: o, a: h.Columns(0, e), weight: m.Norm.Weight, eps: m.Norm.Eps, groups: m.Groups, first: m.NormFirst})
	m.Out.Mul(y, o, ws)
	clear(t.products)
	*t = dual{products: t.products[:0]}
	ws.Release(mark)
}

// dual is the work of one Mix: the task of its recurrences, in which a unit is a head of a sequence.
type dual struct {
	units
	m         *Mamba2
	spans     []Span
	u         tensor.Mat // inputs, then outputs, [T, H·P], B and C [T, G·N]
	dt, decay tensor.Mat // [T, H]

	products []tensor.Product
}

// stepRates turns the projection dt, [T, H], into Δ between lo and hi, and decay into e^(Δ·A).
func stepRates(dt, decay tensor.Mat, bias, negA []float32, lo, hi float32) {
	for i := range dt.Rows {
		row, e := dt.Row(i), decay.Row(i)
		vec.Add(row, row, bias)
		vec.Softplus(row, row)
		for h, v := range row {
			if v < lo {
				row[h] = lo
			}
			if v > hi {
				row[h] = hi
			}
		}
		vec.Mul(e, row, negA)
		vec.Exp(e, e)
	}
}

// Do runs one part.
func (t *dual) Do(part int) {
	lo, hi := t.part(part)
	for k := lo; k < hi; k++ {
		t.head(&t.spans[k/t.m.Heads], k%t.m.Heads)
	}
}

// head runs one head over a span's tokens.
func (t *dual) head(s *Span, h int) {
	m := t.m
	u := t.u.Slice(s.From, s.To)
	size, gn := scan.StateLen(m.HeadDim, m.N), m.Groups*m.N
	x := u.Columns(h*m.HeadDim, (h+1)*m.HeadDim)
	from := m.channels() + h*m.Groups/m.Heads*m.N
	b, c := u.Columns(from, from+m.N), u.Columns(from+gn, from+gn+m.N)
	dt, decay := t.dt.Slice(s.From, s.To).Columns(h, h+1), t.decay.Slice(s.From, s.To).Columns(h, h+1)
	scan.SSDScan(&scan.SSD{
		Y: x.Data, X: x.Data, B: b.Data, C: c.Data, YStride: x.Stride, XStride: x.Stride, BStride: b.Stride, CStride: c.Stride,
		Dt: dt.Data, DtStride: dt.Stride, Decay: decay.Data, DecayStride: decay.Stride,
		D: m.D[h*m.HeadDim : (h+1)*m.HeadDim], S: s.State.Floats[h*size : (h+1)*size],
		Tokens: u.Rows, P: m.HeadDim, N: m.N,
	})
}

// gatedRMS computes y ← RMS(y·SiLU(z))·w over groups of the row, or RMS(y)·w·SiLU(z) if the norm
// comes first. Without w there is no norm. z is left as it is.
func gatedRMS(y, z, w []float32, eps float32, groups int, first bool) {
	if !first || w == nil {
		vec.SiLUMul(y, z, y)
	}
	if w == nil {
		return
	}
	n := len(y) / groups
	for from := 0; from < len(y); from += n {
		norm.RMS(y[from:from+n], y[from:from+n], w[from:from+n], eps)
	}
	if first {
		vec.SiLUMul(y, z, y)
	}
}
