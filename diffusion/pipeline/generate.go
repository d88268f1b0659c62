package pipeline

import (
	"context"
	"fmt"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/vision"
)

// Generate draws what a request asks for. It checks the request whole before it computes anything. The
// end of ctx ends the drawing at the next call of the network; a value that is not finite does, with an
// error that names the step and the layer.
func (p *Pipeline) Generate(ctx context.Context, r Request) (*Result, error) {
	j, err := p.prepare(r)
	if err != nil {
		return nil, err
	}
	s := &session{job: j, ctx: ctx, pass: pass(p.pool)}
	defer s.pass.Close()
	result := &Result{Shape: [4]int{len(j.Seeds), p.Channels(), j.h, j.w}}
	if err := s.begin(); err != nil {
		return nil, fmt.Errorf("pipeline: %w", err)
	}
	result.Lost = j.lost
	batch := j.batch()
	for from := 0; from < len(j.Seeds); from += batch {
		n := min(batch, len(j.Seeds)-from)
		before := s.calls
		x, err := s.draw(from, n)
		if err != nil {
			return nil, fmt.Errorf("pipeline: %w", err)
		}
		result.Calls = s.calls - before
		if err := s.finish(result, x, n); err != nil {
			return nil, fmt.Errorf("pipeline: %w", err)
		}
	}
	return result, nil
}

// session is one drawing.
type session struct {
	*job
	ctx   context.Context
	pass  *net.Pass
	calls int
	at    diffusion.Progress // where the run is
}

// pass computes on a pool and looks for values that are not finite.
func pass(pool *tensor.Pool) *net.Pass {
	return &net.Pass{WS: &tensor.Workspace{Pool: pool}, Finite: true}
}

// begin computes what all batches share: the texts' contexts and the picture to change.
func (s *session) begin() error {
	if err := s.read(); err != nil || s.Init == nil {
		return err
	}
	pixels := fromImage(s.Init)
	known, err := s.encode(pixels)
	if err != nil {
		return fmt.Errorf("encode the picture: %w", err)
	}
	s.known = known
	if s.Mask == nil {
		return nil
	}
	s.mask = shrink(s.Mask, s.Width, s.h, s.w, s.p.Factor)
	if !s.p.Painter() {
		return nil
	}
	for i, m := range s.mask {
		s.mask[i] = 0
		if m >= 0.5 {
			s.mask[i] = 1
		}
		s.extra = append(s.extra, float32(s.mask[i]))
	}
	for k := range 3 {
		for i, m := range s.Mask {
			if m >= 0.5 {
				pixels[k*len(s.Mask)+i] = 0
			}
		}
	}
	hidden, err := s.encode(pixels)
	s.extra = append(s.extra, hidden...)
	return err
}

// encode brings a picture to what is drawn.
func (s *session) encode(pixels []float32) ([]float32, error) {
	if s.p.codec == nil {
		return pixels, nil
	}
	var noise []float32
	if s.Torch { // as diffusers draws from the distribution before it draws the noise
		noise = make([]float32, s.elements())
		diffusion.Normal(diffusion.NewGenerator(s.Seeds[0]), noise)
	}
	return s.p.codec.encode(pixels, s.Height, s.Width, noise, s.pass)
}

// source returns the generator of a seed.
func (s *session) source(seed uint64) func(x []float64) {
	if s.Torch {
		g := diffusion.NewGenerator(seed)
		return func(x []float64) { diffusion.Normal(g, x) }
	}
	c := diffusion.NewCounter(seed, 0)
	return func(x []float64) { diffusion.NormalAt(c, x) }
}

// draw draws n pictures from the one at place from on, and returns them as they are drawn.
func (s *session) draw(from, n int) ([]float64, error) {
	e := s.elements()
	x := make([]float64, n*e)
	var sources []func([]float64)
	for i := range n {
		sources = append(sources, s.source(s.Seeds[from+i]))
	}
	draw := func(x []float64) {
		for i, source := range sources {
			source(x[i*e : (i+1)*e])
		}
	}
	if s.Latents == nil {
		draw(x)
	} else {
		for i, v := range s.Latents[from*e : (from+n)*e] {
			x[i] = float64(v)
		}
	}
	network, err := s.network(from, n)
	if err != nil {
		return nil, err
	}
	plan := s.plan
	run := &diffusion.Run[float64]{X: x, Noise: draw}
	if s.Noise != nil {
		run.Noise = s.Noise
	}
	if plan == nil {
		run.Denoise = diffusion.Predict(network, s.scheduler.Predicts())
	} else {
		if plan, err = s.newPlan(n); err != nil {
			return nil, err
		}
		run.Denoise = diffusion.Wrap(plan, network)
	}
	keep, err := s.start(run, plan, n)
	if err != nil {
		return nil, err
	}
	estimate := s.watch(run)
	s.at = diffusion.Progress{}
	run.After = func(at diffusion.Progress, x []float64) error {
		s.at = at
		if keep != nil {
			if err := keep(at, x); err != nil {
				return err
			}
		}
		return s.report(from, n, at, estimate)
	}
	if plan == nil {
		err = s.smoothly(run)
	} else {
		err = diffusion.Solve(plan, run)
	}
	if err != nil && s.ctx.Err() == nil {
		return nil, fmt.Errorf("step %d: %w", s.at.Step+1, err)
	}
	return x, err
}

// start brings noise to the first level, or the picture to change with its noise.
func (s *session) start(run *diffusion.Run[float64], plan *diffusion.Plan, n int) (keep func(diffusion.Progress, []float64) error, err error) {
	x := run.X
	switch {
	case s.Invert:
		first := s.smooth.schedule.Level(s.smooth.schedule.End())
		for i := range x {
			x[i] = first.Alpha * float64(s.known[i%len(s.known)])
		}
	case s.Init != nil:
		known, noise := make([]float64, len(x)), append([]float64(nil), x...)
		mask := make([]float64, len(x))
		for i := range x {
			known[i] = float64(s.known[i%len(s.known)])
			if s.mask != nil {
				mask[i] = s.mask[i%len(s.mask)]
			}
		}
		diffusion.AddNoise(x, known, noise, plan.Levels[0])
		if s.mask != nil && !s.p.Painter() {
			return diffusion.Inpaint(mask, known, noise)
		}
	case plan != nil:
		for i := range x {
			x[i] *= plan.Init
		}
	}
	return nil, nil
}

// watch keeps what the run's denoiser estimates of data, if somebody may look at it.
func (s *session) watch(run *diffusion.Run[float64]) []float64 {
	if s.Progress == nil {
		return nil
	}
	estimate := make([]float64, len(run.X))
	inner := run.Denoise
	run.Denoise = func(dst, x []float64, at diffusion.Level, form diffusion.Form) error {
		err := inner(dst, x, at, form)
		for i, m := range dst {
			switch form {
			case diffusion.Noise:
				m = (x[i] - float64(at.Sigma*m)) / at.Alpha
			case diffusion.Slope:
				m = x[i] - float64(at.Sigma*m)
			}
			estimate[i] = m
		}
		return err
	}
	return estimate
}

// report tells of a step, but not of the stages inside one.
func (s *session) report(from, n int, at diffusion.Progress, estimate []float64) error {
	if s.Progress == nil || at.Inner {
		return nil
	}
	steps := at.Steps
	if steps == 0 {
		steps = s.Steps
	}
	return s.Progress(Progress{First: from, Count: n, Step: at.Step, Steps: steps, Calls: s.calls, estimate: func(i int) (*vision.Image, error) {
		e := s.elements()
		image, _, err := s.decode(estimate[i*e : (i+1)*e])
		return image, err
	}})
}

// smoothly runs a solver along a continuous schedule.
func (s *session) smoothly(run *diffusion.Run[float64]) error {
	if err := s.solver.run(run, *s.smooth); err != nil || !s.ToData {
		return err
	}
	x := make([]float64, len(run.X))
	err := run.Denoise(x, run.X, s.smooth.schedule.Level(s.smooth.schedule.End()), diffusion.Data)
	copy(run.X, x)
	return err
}

// finish decodes pictures and adds them to a result.
func (s *session) finish(r *Result, x []float64, n int) error {
	e := s.elements()
	for i := range n {
		latents := x[i*e : (i+1)*e]
		for _, v := range latents {
			r.Latents = append(r.Latents, float32(v))
		}
		if s.Invert {
			continue // noise is no picture
		}
		image, pixels, err := s.decode(latents)
		if err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		r.Images, r.Pixels = append(r.Images, image), append(r.Pixels, pixels)
	}
	return nil
}

// decode makes a picture of what was drawn.
func (s *session) decode(x []float64) (*vision.Image, []float32, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, nil, err
	}
	z := make([]float32, len(x))
	for i, v := range x {
		z[i] = float32(v)
	}
	pixels := z
	if c := s.p.codec; c != nil {
		pixels = make([]float32, 3*s.Height*s.Width)
		if err := c.decodeTiles(pixels, z, s.h, s.w, s.Tile/c.factor, s.pass); err != nil {
			return nil, nil, err
		}
	}
	return toImage(pixels, s.Width, s.Height), pixels, nil
}
