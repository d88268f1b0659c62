package pipeline

import (
	"context"
	"fmt"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/tensor"
)

// conditions are the texts of a request as the text encoder leaves them, [T, D].
type conditions struct{ prompt, negative tensor.Mat }

// Guided returns the network of a request for all its pictures at once, with the guidance that it asks
// for, as the solver sees it: x is [n, channels, h, w].
func (p *Pipeline) Guided(ctx context.Context, r Request) (diffusion.Network[float64], error) {
	j, err := p.prepare(r)
	if err != nil {
		return nil, err
	}
	s := &session{job: j, ctx: ctx, pass: pass(p.pool)}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	return s.network(0, len(j.Seeds))
}

// read encodes the texts.
func (s *session) read() (err error) {
	if s.p.Kind != TextToImage {
		return nil
	}
	one := func(ids []int32, prompt string) (tensor.Mat, error) {
		if ids == nil {
			var lost int
			ids, lost = s.p.words.ids(prompt)
			s.lost += lost
		}
		text, err := s.p.text.Encode(ids, 0, false, s.pass)
		if err != nil {
			return tensor.Mat{}, fmt.Errorf("read the prompt: %w", err)
		}
		return text.Hidden, nil
	}
	if s.prompts.prompt, err = one(s.PromptIDs, s.Prompt); err != nil || !s.guided {
		return err
	}
	lost := s.lost
	if s.prompts.negative, err = one(s.NegativeIDs, s.Negative); err != nil {
		return err
	}
	if s.lost = lost; s.prompts.negative.Rows != s.prompts.prompt.Rows {
		return fmt.Errorf("a prompt of %d ids and a negative one of %d: want as many", s.prompts.prompt.Rows, s.prompts.negative.Rows)
	}
	return nil
}

// network is the guided network of n pictures from the one at place from on.
func (s *session) network(from, n int) (diffusion.Network[float64], error) {
	m := n
	if s.guided {
		m = 2 * n
	}
	call, err := s.backbone(from, m)
	if err != nil {
		return nil, err
	}
	c, in, out := s.p.Channels(), s.p.Channels()+len(s.extra)/(s.h*s.w), s.outputs()
	hw := s.h * s.w
	x32, y32, times := make([]float32, m*in*hw), make([]float32, m*out*hw), make([]float64, m)
	network := func(dst, x []float64, t float64) error {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.calls++
		for i := range m {
			times[i] = t
			row := x32[i*in*hw:][:in*hw]
			for k, v := range x[i*c*hw:][:c*hw] {
				row[k] = float32(v)
			}
			copy(row[c*hw:], s.extra)
		}
		if err := call(y32, x32, times); err != nil {
			return fmt.Errorf("time %g: %w", t, err)
		}
		for i := range m {
			for k, v := range y32[i*out*hw:][:c*hw] { // variances, if there are, come after
				dst[i*c*hw+k] = float64(v)
			}
		}
		return nil
	}
	if !s.guided {
		return network, nil
	}
	return diffusion.ClassifierFreeBatch(network, false, s.Guidance, s.Rescale, n), nil
}

// outputs is the number of channels that the network writes.
func (s *session) outputs() int {
	switch s.p.Kind {
	case Pixels:
		return s.p.unet.Out
	case ClassToLatent:
		return s.p.dit.Out
	}
	return s.p.cond.Out
}

// backbone calls the network for m samples of the pictures from one on. With guidance the first half answers for no class or the
// negative prompt.
func (s *session) backbone(from, m int) (func(dst, x []float32, t []float64) error, error) {
	class := make([]int32, m)
	for i := range class {
		switch {
		case !s.guided:
			class[i] = int32(s.classes[from+i])
		case i < m/2:
			class[i] = int32(s.p.None)
		default:
			class[i] = int32(s.classes[from+i-m/2])
		}
	}
	switch s.p.Kind {
	case Pixels:
		if s.p.unet.Classes == 0 {
			class = nil
		}
		return func(dst, x []float32, t []float64) error {
			return s.p.unet.Forward(dst, x, m, s.h, s.w, t, class, s.pass)
		}, nil
	case ClassToLatent:
		return func(dst, x []float32, t []float64) error {
			return s.p.dit.Forward(dst, x, m, s.h, t, class, s.pass)
		}, nil
	}
	rows, width := s.prompts.prompt.Rows, s.prompts.prompt.Cols
	text := tensor.NewMat(m*rows, width)
	for i := range m {
		one := s.prompts.prompt
		if s.guided && i < m/2 {
			one = s.prompts.negative
		}
		for r := range rows {
			copy(text.Row(i*rows+r), one.Row(r))
		}
	}
	context, err := s.p.cond.Context(text, m, s.pass)
	if err != nil {
		return nil, fmt.Errorf("read the prompt: %w", err)
	}
	var guidance []float64
	if s.p.cond.GuidanceDim > 0 {
		guidance = make([]float64, m)
		for i := range guidance {
			guidance[i] = s.Guidance
		}
	}
	return func(dst, x []float32, t []float64) error {
		return s.p.cond.Forward(dst, x, m, s.h, s.w, t, context, guidance, s.pass)
	}, nil
}
