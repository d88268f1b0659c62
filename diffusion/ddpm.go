package diffusion

import (
	"fmt"
	"math"
)

// A Variance is what noise DDPM adds at a step.
type Variance int

// The variances of Ho et al. 2020, section 3.2: that of the posterior, and β; and the network's own choice
// between the two (Nichol & Dhariwal 2021, arXiv:2102.09672, equation 15).
const (
	FixedSmall Variance = iota
	FixedLarge
	LearnedRange
)

// Ancestral says how DDPM runs.
type Ancestral[F Float] struct {
	Variance Variance // of the noise that is added

	// Learned returns what the network said at the last evaluation [n], -1 for the small variance and 1
	// for the large one: the other half of its output.
	Learned func() []F
}

// DDPM runs the sampler of Ho et al. 2020, arXiv:2006.11239, algorithm 2, along any grid of
// variance-preserving levels. A step from time 0 adds no noise.
func DDPM[F Float](r *Run[F], grid []Level, o Ancestral[F]) error {
	if err := checkGrid("DDPM", grid); err != nil {
		return err
	}
	if o.Variance < FixedSmall || o.Variance > LearnedRange || (o.Variance == LearnedRange) != (o.Learned != nil) {
		return fmt.Errorf("diffusion: DDPM: variance %d, Learned set: %t: want FixedSmall, FixedLarge, or LearnedRange with Learned", o.Variance, o.Learned != nil)
	}
	for i := range len(grid) - 1 {
		if !(grid[i+1].Alpha > grid[i].Alpha) {
			return fmt.Errorf("diffusion: DDPM: α goes from %g to %g at step %d: want rising signal", grid[i].Alpha, grid[i+1].Alpha, i+1)
		}
	}
	if err := r.begin("DDPM", true); err != nil {
		return err
	}
	buf := r.scratch(2)
	x0, z := buf[0], buf[1]
	for i := range len(grid) - 1 {
		from, to := grid[i], grid[i+1]
		if err := r.Denoise(x0, r.X, from, Data); err != nil {
			return err
		}
		ratio := from.Alpha / to.Alpha
		beta := 1 - ratio*ratio
		s2, t2 := from.Sigma*from.Sigma, to.Sigma*to.Sigma
		noise := 0.0
		if from.Time > 0 {
			r.Noise(z)
			small := max(posterior(from, to), 1e-20)
			switch noise = math.Sqrt(small); o.Variance {
			case FixedLarge:
				noise = math.Sqrt(beta)
			case LearnedRange:
				if err := spread(z, o.Learned(), small, beta); err != nil {
					return err
				}
				noise = 1
			}
		}
		combine(r.X, term[F]{to.Alpha * beta / s2, x0}, term[F]{ratio * t2 / s2, r.X}, term[F]{noise, z})
		if err := r.after(i, len(grid)-1, to, false); err != nil {
			return err
		}
	}
	return nil
}

// spread multiplies noise by deviations that the network chose between those of two variances, in the
// logarithm.
func spread[F Float](z, learned []F, small, large float64) error {
	if len(learned) != len(z) {
		return fmt.Errorf("diffusion: DDPM: %d learned variances for %d elements", len(learned), len(z))
	}
	ls, ll := math.Log(small), math.Log(large)
	for i, v := range learned {
		f := (float64(v) + 1) / 2
		z[i] = F(float64(z[i]) * math.Exp((float64(f*ll)+float64((1-f)*ls))/2))
	}
	return nil
}
