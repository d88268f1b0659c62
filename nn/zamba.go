package nn

import "github.com/mminfer/mminfer/tensor"

// Zamba is a hybrid layer of Zamba2: an attention and an MLP without residuals, whose weights
// several layers share, look at the residual stream h beside the embeddings, and what they give is
// added to the input of a Mamba-2 layer, but not to the residual.
//
//	a = Attention(Norm[h|embeddings]);  u = MLPNorm(a)
//	t = Linear(Down(GELU(g)·v)),  [g|v] = GateUp u + Adapter u;  y = Mamba(MambaNorm(h + t))
//
// Source: Glorioso et al. 2024, arXiv:2411.15242, section 2.1; Zamba2HybridLayer in
// transformers 5.23, models/zamba2/modeling_zamba2.py.
type Zamba struct {
	Norm      Norm       // [2·D]
	Attention *Attention // of [T, 2·D]
	MLPNorm   Norm       // [D]
	GateUp    *Linear    // [2·I, D]
	Adapter   *Adapter   // of GateUp
	Down      *Linear    // [D, I]
	Linear    *Linear    // [D, D]
	MambaNorm Norm       // [D]
	Mamba     *Mamba2
}

// StateSpec asks for the state of the Mamba-2 layer and for keys and values.
func (z *Zamba) StateSpec() StateSpec {
	return StateSpec{Floats: z.Mamba.StateSpec().Floats, KV: z.Attention.StateSpec().KV}
}

// linears calls f for every matrix but those of Attention and Mamba.
func (z *Zamba) linears(f func(l *Linear)) {
	f(z.GateUp)
	z.Adapter.each(f)
	f(z.Down)
	f(z.Linear)
}

// StepBytes counts the projections and the state.
func (z *Zamba) StepBytes() int64 {
	n := z.Attention.StepBytes() + z.Mamba.StepBytes()
	z.linears(func(l *Linear) { n += l.W.Bytes() })
	return n
}

// StepMulAdds counts the projections.
func (z *Zamba) StepMulAdds() int64 {
	n := z.Attention.StepMulAdds() + z.Mamba.StepMulAdds()
	z.linears(func(l *Linear) { n += l.elements() })
	return n
}

// Mix computes y [T, D] from the stream and the embeddings side by side, x [T, 2·D].
func (z *Zamba) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	u, a := ws.Mat(x.Rows, x.Cols), ws.Mat(y.Rows, y.Cols)
	z.Norm.Apply(u, x, ws)
	z.Attention.Mix(a, u, spans, ws)
	z.MLPNorm.Apply(a, a, ws)
	h := z.GateUp.Out(a, ws)
	z.Adapter.add(h, a, ws)
	gate, up := h.Columns(0, h.Cols/2), h.Columns(h.Cols/2, h.Cols)
	rowwise(ws, rows{op: opGELUMul, dst: gate, a: gate, b: up})
	z.Down.Mul(a, gate, ws)
	t := z.Linear.Out(a, ws)
	add(t, x.Columns(0, y.Cols), ws)
	z.MambaNorm.Apply(t, t, ws)
	z.Mamba.Mix(y, t, spans, ws)
	ws.Release(mark)
}
