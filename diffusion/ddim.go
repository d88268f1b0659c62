package diffusion

import (
	"fmt"
	"math"
)

// Implicit says how DDIM runs.
type Implicit[F Float] struct {
	Eta float64 // the share of DDPM's noise, 0 to 1; 0 is deterministic

	// To is where each step goes; nil is the grid's next level. diffusers jumps by a fixed number of
	// training steps, which misses the next level of some grids.
	To []Level

	// Correct, if set, is applied to the estimate of x0 and not to that of the noise: see [Clip], [Limit].
	Correct func(x0 []F) error
}

// DDIM runs the sampler of Song et al. 2021, arXiv:2010.02502, equation 12. Levels are
// variance-preserving.
func DDIM[F Float](r *Run[F], grid []Level, o Implicit[F]) error {
	to := o.To
	if to == nil && len(grid) > 0 {
		to = grid[1:]
	}
	if err := o.check(grid, to); err != nil {
		return err
	}
	if err := r.begin("DDIM", o.Eta > 0); err != nil {
		return err
	}
	buf := r.scratch(3)
	x0, eps, z := buf[0], buf[1], buf[2]
	for i := range len(grid) - 1 {
		from, to := grid[i], to[i]
		if err := r.Denoise(x0, r.X, from, Data); err != nil {
			return err
		}
		toNoise(eps, r.X, x0, from)
		if o.Correct != nil {
			if err := o.Correct(x0); err != nil {
				return err
			}
		}
		v := 0.0
		if o.Eta > 0 {
			v = o.Eta * math.Sqrt(posterior(from, to))
			r.Noise(z)
		}
		combine(r.X, term[F]{to.Alpha, x0}, term[F]{math.Sqrt(max(to.Sigma*to.Sigma-v*v, 0)), eps}, term[F]{v, z})
		if err := r.after(i, len(grid)-1, to, false); err != nil {
			return err
		}
	}
	return nil
}

func (o Implicit[F]) check(grid, to []Level) error {
	if err := checkGrid("DDIM", grid); err != nil {
		return err
	}
	if len(to) != len(grid)-1 || !(o.Eta >= 0 && o.Eta <= 1) {
		return fmt.Errorf("diffusion: DDIM: %d targets for %d steps, eta %g: want as many, and an eta of 0 to 1", len(to), len(grid)-1, o.Eta)
	}
	for i, l := range to {
		if l.Alpha < grid[i].Alpha && o.Eta > 0 {
			return fmt.Errorf("diffusion: DDIM: step %d goes towards noise: want eta 0 to run backwards", i+1)
		}
	}
	return nil
}

// posterior is the variance of x at one level given x at a noisier one and x0:
// (1-ᾱ')/(1-ᾱ)·(1-ᾱ/ᾱ').
func posterior(from, to Level) float64 {
	a, b := from.Alpha*from.Alpha, to.Alpha*to.Alpha
	return max(to.Sigma*to.Sigma/(from.Sigma*from.Sigma)*(1-a/b), 0)
}
