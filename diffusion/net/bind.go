package net

import (
	"strings"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// source is a checkpoint under the present names and shapes: attentions of old files have others, and filters of one tap are
// matrices.
type source struct {
	Checkpoint
	old map[string]string // from present names, where they differ
}

// attentionNames maps what attentions of old files call their projections.
var attentionNames = strings.NewReplacer(".query.", ".to_q.", ".key.", ".to_k.", ".value.", ".to_v.", ".proj_attn.", ".to_out.0.")

func newSource(ck Checkpoint) *source {
	s := &source{ck, map[string]string{}}
	for _, n := range ck.Names() {
		if _, attention, ok := strings.Cut(n, "attentions."); ok {
			if renamed := attentionNames.Replace(attention); renamed != attention {
				s.old[strings.TrimSuffix(n, attention)+renamed] = n
			}
		}
	}
	return s
}

// Tensor returns a tensor by its present name.
func (s *source) Tensor(name string) (tensor.Tensor, bool) {
	if old, ok := s.old[name]; ok {
		name = old
	}
	t, ok := s.Checkpoint.Tensor(name)
	if n := len(t.Shape); ok && n == 4 && t.Shape[2] == 1 && t.Shape[3] == 1 {
		t.Shape = t.Shape[:2]
	}
	return t, ok
}

// Release lets go of a tensor's memory if the checkpoint can.
func (s *source) Release(t tensor.Tensor) {
	if r, ok := s.Checkpoint.(nn.Releaser); ok {
		r.Release(t)
	}
}

// Names returns the present names.
func (s *source) Names() []string {
	present := map[string]string{}
	for to, from := range s.old {
		present[from] = to
	}
	names := append([]string(nil), s.Checkpoint.Names()...)
	for i, n := range names {
		if to, ok := present[n]; ok {
			names[i] = to
		}
	}
	return names
}

// conv takes a convolution of taps×taps, with a bias, that keeps the size.
func conv(p nn.Params, name string, in, out, taps int) nn.Conv2D {
	return convolution(p.Sub(name), in, out, taps, convOptions{bias: true})
}

// exact takes one that keeps the checkpoint's precision: those at the ends of a network are small, and their rounding
// shows.
func exact(p nn.Params, name string, in, out, taps int) nn.Conv2D {
	return convolution(p.Sub(name), in, out, taps, convOptions{bias: true, exact: true})
}

// convOptions are what convolutions differ in beside their sizes.
type convOptions struct {
	bias, exact bool
	step        int  // 0 for 1
	uneven      bool // no zeros before the first row and column
}

func convolution(p nn.Params, in, out, taps int, o convOptions) nn.Conv2D {
	c := nn.Conv2D{Taps: taps, Step: max(o.step, 1), Before: taps / 2, After: taps / 2}
	if o.uneven {
		c.Before = 0
	}
	switch {
	case taps == 3 && c.Step == 1 && c.Before == 1 && !o.exact:
		c.Linear = p.Conv3x3(p.Tensor("weight", out, in, taps, taps))
	case taps > 1:
		c.Linear = p.Conv(p.Tensor("weight", out, in, taps, taps), o.exact)
	case o.exact:
		c.Linear = p.Exact(pixel(p, in, out))
	default:
		c.Linear = p.Linear(pixel(p, in, out))
	}
	if o.bias {
		c.Bias = p.Vec("bias", out)
	}
	return c
}

// pixel takes the filters of a convolution of one tap, which are a matrix to [source].
func pixel(p nn.Params, in, out int) tensor.Tensor {
	t := p.Tensor("weight", out, in)
	p.Stored(out, in, 1, 1)
	return t
}

// linear takes a projection.
func linear(p nn.Params, name string, in, out int, bias bool) *nn.Linear {
	p = p.Sub(name)
	l := p.Linear(p.Tensor("weight", out, in))
	if bias {
		l.Bias = p.Vec("bias", out)
	}
	return l
}

// stacked takes projections of the same input as one.
func stacked(p nn.Params, in, out int, bias bool, names ...string) *nn.Linear {
	var parts []tensor.Tensor
	var biases []float32
	for _, n := range names {
		parts = append(parts, p.Sub(n).Tensor("weight", out, in))
		if bias {
			biases = append(biases, p.Sub(n).Vec("bias", out)...)
		}
	}
	l := p.Linear(parts...)
	l.Bias = biases
	return l
}

// groupNorm takes a norm over groups of channels.
func groupNorm(p nn.Params, name string, channels, groups int, eps float64) *nn.GroupNorm {
	p = p.Sub(name)
	return &nn.GroupNorm{Groups: groups, Weight: p.Vec("weight", channels), Bias: p.Vec("bias", channels), Eps: eps}
}

// layerNorm takes a norm over rows.
func layerNorm(p nn.Params, name string, width int, eps float64) nn.Norm {
	p = p.Sub(name)
	return nn.Norm{Weight: p.Vec("weight", width), Bias: p.Vec("bias", width), Eps: float32(eps), Layer: true}
}
