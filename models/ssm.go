package models

import (
	"encoding/json"
	"errors"
	"math"

	"github.com/mminfer/mminfer/nn"
)

// selective are the sizes of a Mamba-1 layer.
type selective struct {
	width, inner, state, rank, taps int
	bias, convBias                  bool
	normEps                         float64 // of norms of δ, B and C, as Jamba has them; 0 for none
}

func (s *selective) validate(is *checks) {
	is.Between("inner width", s.inner, 1, 16*maxWidth)
	is.Between("state size", s.state, 1, maxHeads)
	is.Between("rank of the time step", s.rank, 1, maxWidth)
	is.Between("convolution width", s.taps, 1, 256)
}

// build takes the tensors of a layer.
func (s *selective) build(p nn.Params) *nn.Mamba {
	m := &nn.Mamba{
		Channels: s.inner, N: s.state, Rank: s.rank,
		In:     stack(p, s.bias, s.width, part{"in_proj", 2 * s.inner}),
		Conv:   channelConv(p, s.inner, s.taps, s.convBias),
		Select: p.Exact(p.Tensor("x_proj.weight", s.rank+2*s.state, s.inner)),
		Delta:  p.Exact(p.Tensor("dt_proj.weight", s.inner, s.rank)), DtBias: p.Vec("dt_proj.bias", s.inner),
		A: nn.MambaRates(p.Vec("A_log", s.inner, s.state), s.state), D: p.Vec("D", s.inner),
		Out: stack(p.High(), s.bias, s.inner, part{"out_proj", s.width}),
	}
	if s.normEps > 0 {
		m.Norms = [3]nn.Norm{
			rmsNorm(p, "dt_layernorm.weight", s.rank, s.normEps),
			rmsNorm(p, "b_layernorm.weight", s.state, s.normEps),
			rmsNorm(p, "c_layernorm.weight", s.state, s.normEps),
		}
	}
	return m
}

// dual are the sizes of a Mamba-2 layer.
type dual struct {
	width, heads, headDim, groups, state, taps int
	bias, outBias, convBias                    bool
	channelSkip                                bool      // D is [heads·headDim], not [heads]
	norm, normFirst                            bool      // a gated norm, and before the gate
	eps                                        float64   // of the norm
	limit                                      timeLimit // of Δ
}

func (s *dual) inner() int { return s.heads * s.headDim }

// mixed is what passes through the convolution.
func (s *dual) mixed() int { return s.inner() + 2*s.groups*s.state }

func (s *dual) validate(is *checks) {
	is.Between("number of heads", s.heads, 1, maxHeads)
	is.Between("width of a head", s.headDim, 1, maxWidth)
	is.Between("inner width", s.inner(), 1, 16*maxWidth)
	is.Between("number of groups", s.groups, 1, max(1, s.heads))
	is.That(s.groups < 1 || s.heads%s.groups == 0, "number of groups: %d does not divide the %d heads", s.groups, s.heads)
	is.Between("state size", s.state, 1, maxHeads)
	is.Between("convolution width", s.taps, 1, 256)
	is.That(s.limit[0] >= 0 && s.limit[0] <= s.limit[1], "limit of the time step: found %v, expected two growing numbers from 0 on", s.limit)
}

// build takes the tensors of a layer.
func (s *dual) build(p nn.Params) *nn.Mamba2 {
	rows := s.inner() + s.mixed()
	in := p.Tensor("in_proj.weight", rows+s.heads, s.width)
	m := &nn.Mamba2{
		Heads: s.heads, HeadDim: s.headDim, Groups: s.groups, N: s.state,
		In: p.Linear(pick(in, 1, 0, rows)...), Delta: p.Exact(pick(in, 1, rows, rows+s.heads)...),
		Conv:   channelConv(p, s.mixed(), s.taps, s.convBias),
		DtBias: p.Vec("dt_bias", s.heads), DtMin: float32(s.limit[0]), DtMax: float32(s.limit[1]),
		NegA: nn.NegExp(p.Vec("A_log", s.heads)), NormFirst: s.normFirst,
		Out: stack(p.High(), s.outBias, s.inner(), part{"out_proj", s.width}),
	}
	if s.bias {
		bias := p.Vec("in_proj.bias", rows+s.heads)
		m.In.Bias, m.Delta.Bias = pickFloats(bias, 1, 0, rows), pickFloats(bias, 1, rows, rows+s.heads)
	}
	if s.channelSkip {
		m.D = p.Vec("D", s.inner())
	} else {
		for _, d := range p.Vec("D", s.heads) {
			for range s.headDim {
				m.D = append(m.D, d)
			}
		}
	}
	if s.norm {
		m.Norm = rmsNorm(p, "norm.weight", s.inner(), s.eps)
	}
	return m
}

// channelConv takes a convolution over time.
func channelConv(p nn.Params, channels, taps int, bias bool) *nn.ChannelConv {
	var b []float32
	if bias {
		b = p.Vec("conv1d.bias", channels)
	}
	return nn.NewChannelConv(p.Vec("conv1d.weight", channels, 1, taps), b, taps)
}

// timeLimit is a lower and an upper bound of Δ; null is no bound.
type timeLimit [2]float64

// noLimit is the value of an absent limit.
var noLimit = timeLimit{0, math.MaxFloat64}

// UnmarshalJSON reads null or two numbers, of which newer files write infinity as
// {"__float__": "Infinity"}.
func (l *timeLimit) UnmarshalJSON(data []byte) error {
	*l = noLimit
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil || list == nil {
		return err
	}
	if len(list) != 2 {
		return errors.New("time step limit: expected two numbers")
	}
	for i, raw := range list {
		var tagged struct {
			Float string `json:"__float__"`
		}
		if json.Unmarshal(raw, &tagged) == nil && tagged.Float == "Infinity" {
			l[i] = math.MaxFloat64
		} else if err := json.Unmarshal(raw, &l[i]); err != nil {
			return err
		}
	}
	return nil
}

// autoSize is a size, or 0 for "auto" and null.
type autoSize int

// UnmarshalJSON reads a whole number, "auto" or null.
func (s *autoSize) UnmarshalJSON(data []byte) error {
	if text := string(data); text == `"auto"` || text == "null" {
		*s = 0
		return nil
	}
	return json.Unmarshal(data, (*int)(s))
}

// rank returns the rank of Δ at a width.
func (s autoSize) rank(width int) int {
	if s == 0 {
		return (width + 15) / 16
	}
	return int(s)
}
