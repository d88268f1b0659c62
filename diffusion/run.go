package diffusion

import (
	"errors"
	"fmt"
)

// A Form is what a solver asks for, where x = α·x0 + σ·ε.
type Form int

// Data is x0, the form of DPM-Solver++. Noise is ε, the form of DPM-Solver. Slope is (x - x0)/σ, which is
// dx/dσ on levels with α = 1, where it is ε, and on those of a flow, where it is ε - x0.
const (
	Data Form = iota
	Noise
	Slope
)

// A Denoiser writes to dst [n] its estimate, in some form, of what the noisy x [n] at a level is made of.
// dst and x do not overlap, and x keeps its values. Every solver is driven by one; see [Predict] and
// [FromData].
type Denoiser[F Float] func(dst, x []F, at Level, form Form) error

// FromData makes a denoiser of a function that estimates x0.
func FromData[F Float](data func(dst, x []F, at Level) error) Denoiser[F] {
	return func(dst, x []F, at Level, form Form) error {
		if err := data(dst, x, at); err != nil {
			return err
		}
		switch form {
		case Noise:
			toNoise(dst, x, dst, at)
		case Slope:
			combine(dst, term[F]{1 / at.Sigma, x}, term[F]{-1 / at.Sigma, dst})
		}
		return nil
	}
}

// A Run is one sampling: the sample, what denoises it, and what looks on. It is not for
// concurrent use; one that is used again keeps its buffers.
type Run[F Float] struct {
	X       []F         // [n], read and replaced: noise at the grid's first level, α·x0 + σ·ε
	Denoise Denoiser[F] // of X
	Noise   func([]F)   // fills a buffer [n] with normal numbers; nil refuses solvers that want them

	// After is called after every update of X, with the sample at the level reached. It may change x.
	After func(at Progress, x []F) error

	buffers [][]F
}

// Progress is how far a run is.
type Progress struct {
	Step, Steps int   // steps done or in progress, from 1, and how many there are
	Level       Level // where the sample is
	Inner       bool  // between the stages of a step: the sample is an intermediate value
}

// ErrNoise is returned where a solver draws random numbers and Run.Noise is nil.
var ErrNoise = errors.New("diffusion: a stochastic solver needs Run.Noise")

// scratch returns n buffers as long as the sample.
func (r *Run[F]) scratch(n int) [][]F {
	for len(r.buffers) < n {
		r.buffers = append(r.buffers, nil)
	}
	for i := range n {
		if len(r.buffers[i]) != len(r.X) {
			r.buffers[i] = make([]F, len(r.X))
		}
	}
	return r.buffers[:n]
}

// begin checks what every solver needs.
func (r *Run[F]) begin(solver string, stochastic bool) error {
	if len(r.X) == 0 || r.Denoise == nil {
		return fmt.Errorf("diffusion: %s: a run of %d elements, Denoise set: %t: want both", solver, len(r.X), r.Denoise != nil)
	}
	if stochastic && r.Noise == nil {
		return fmt.Errorf("diffusion: %s: %w", solver, ErrNoise)
	}
	for i, v := range r.X {
		if v-v != 0 {
			return fmt.Errorf("diffusion: %s: element %d of the sample is %v: want finite numbers", solver, i, v)
		}
	}
	return nil
}

// after reports that step i of n, from 0, is at a level.
func (r *Run[F]) after(i, n int, at Level, inner bool) error {
	if r.After == nil {
		return nil
	}
	return r.After(Progress{Step: i + 1, Steps: n, Level: at, Inner: inner}, r.X)
}

// toNoise writes ε = (x - α·x0)/σ. dst may be either of them.
func toNoise[F Float](dst, x, x0 []F, at Level) {
	combine(dst, term[F]{1 / at.Sigma, x}, term[F]{-at.Alpha / at.Sigma, x0})
}

// turn moves the last buffer to the front: the next value overwrites the oldest.
func turn[F Float](history [][]F) {
	last := history[len(history)-1]
	copy(history[1:], history)
	history[0] = last
}
