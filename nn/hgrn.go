package nn

import (
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// HGRN is an elementwise gated recurrence: h ← F·h + (1 - F)·SiLU(i), the forget gates F as in
// [HGRN2]. The forget gates take the place of the keys and the inputs i that of the values;
// heads are blocks of channels.
//
// Sources: Qin, Yang, Zhong 2023, arXiv:2311.04823, section 3.2; fla/layers/hgrn.py in
// fla-org/flash-linear-attention 0.6.0.
type HGRN struct {
	plain
	Channels int
	Conv     [2]*ShortConv // of forget gates and inputs, in blocks of HGRNBlock channels, nothing behind them; nil for none
	Lower    []float32     // lower bounds of the forget gates, [Channels]; nil for 0
}

// HGRNBlock is the channels that an [HGRN] takes at a time. The state of the last block has room
// for as many.
const HGRNBlock = 128

func (m *HGRN) shape() recurShape {
	return recurShape{
		heads: (m.Channels + HGRNBlock - 1) / HGRNBlock, k: m.Channels, v: m.Channels, o: HGRNBlock,
		state:   HGRNBlock + m.Conv[0].tail(HGRNBlock) + m.Conv[1].tail(HGRNBlock),
		scratch: 3 * HGRNBlock,
	}
}

func (m *HGRN) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	n, w, at := o.Rows, o.Cols, head*HGRNBlock
	f, x, rest := scratch[:n*w], scratch[n*w:2*n*w], scratch[2*n*w:3*n*w]
	tails := m.Conv[0].run(f, in.k.Columns(at, at+w), head, state[HGRNBlock:])
	m.Conv[1].run(x, in.v.Columns(at, at+w), head, tails)
	for i := range n {
		forget(f[i*w:(i+1)*w], rest[i*w:(i+1)*w], m.Lower, at)
	}
	vec.SiLUMul(x, x, rest)
	r := linattn.Gate{
		O: o.Data, F: f, X: x, OStride: o.Stride, FStride: w, XStride: w,
		H: state[:w], Tokens: n, Channels: w,
	}
	linattn.Scan(&r)
}
