package diffusion

import (
	"fmt"
	"math"
)

// LCM runs multistep sampling of a latent consistency model (Luo et al. 2023, arXiv:2310.04378, algorithm 3):
// each step takes c_out·x0 + c_skip·x, the model's data, and noises it again to the next level. scaling
// multiplies the time in c_skip = ¼/(τ²+¼) and c_out = τ/√(τ²+¼); it is 10 in diffusers.
func LCM[F Float](r *Run[F], grid []Level, scaling float64) error {
	if err := checkGrid("LCM", grid); err != nil {
		return err
	}
	if !(scaling > 0) || math.IsInf(scaling, 0) {
		return fmt.Errorf("diffusion: LCM: a scaling of %g for times: want a positive number", scaling)
	}
	return resample(r, grid, "LCM", false, func(at Level) (x, x0 float64) {
		tau := at.Time * scaling
		return 0.25 / (tau*tau + 0.25), tau / math.Sqrt(tau*tau+0.25)
	})
}

// Resample takes the estimate of x0 at each level and noises it again to the next one: the stochastic sampler
// of flow matching models that were distilled to few steps. It draws noise at the last step too.
func Resample[F Float](r *Run[F], grid []Level) error {
	if err := checkGrid("Resample", grid); err != nil {
		return err
	}
	return resample(r, grid, "Resample", true, func(Level) (x, x0 float64) { return 0, 1 })
}

func resample[F Float](r *Run[F], grid []Level, solver string, drawLast bool, data func(at Level) (x, x0 float64)) error {
	n := len(grid) - 1
	if err := r.begin(solver, n > 1 || grid[n].Sigma > 0); err != nil {
		return err
	}
	buf := r.scratch(2)
	x0, z := buf[0], buf[1]
	for i := range n {
		if err := r.Denoise(x0, r.X, grid[i], Data); err != nil {
			return err
		}
		to := grid[i+1]
		if to.Sigma > 0 || drawLast && r.Noise != nil {
			r.Noise(z)
		}
		cx, c0 := data(grid[i])
		combine(r.X, term[F]{to.Alpha * cx, r.X}, term[F]{to.Alpha * c0, x0}, term[F]{to.Sigma, z})
		if err := r.after(i, n, to, false); err != nil {
			return err
		}
	}
	return nil
}

// TCD runs trajectory consistency sampling (Zheng et al. 2024, arXiv:2402.19159, algorithm 4): each step goes
// to an inner level, less noisy than the next one, and adds the noise between the two; the last step
// stays at its inner level. Inner levels equal to the next ones make it deterministic.
func TCD[F Float](r *Run[F], grid, inner []Level) error {
	if err := checkGrid("TCD", grid); err != nil {
		return err
	}
	n := len(grid) - 1
	if len(inner) != n {
		return fmt.Errorf("diffusion: TCD: %d inner levels for %d steps", len(inner), n)
	}
	stochastic := false
	for i, l := range inner[:n-1] {
		if !(l.Alpha >= grid[i+1].Alpha && l.Alpha > 0) {
			return fmt.Errorf("diffusion: TCD: the inner level of step %d has α = %g, the next level %g: want less noise", i+1, l.Alpha, grid[i+1].Alpha)
		}
		stochastic = stochastic || l.Alpha != grid[i+1].Alpha
	}
	if err := r.begin("TCD", stochastic); err != nil {
		return err
	}
	buf := r.scratch(3)
	x0, eps, z := buf[0], buf[1], buf[2]
	for i := range n {
		if err := r.Denoise(x0, r.X, grid[i], Data); err != nil {
			return err
		}
		toNoise(eps, r.X, x0, grid[i])
		at, ratio, noise := inner[i], 1.0, 0.0
		if i < n-1 {
			ratio = grid[i+1].Alpha / at.Alpha
			if noise = math.Sqrt(1 - ratio*ratio); noise > 0 {
				r.Noise(z)
			}
			at = grid[i+1]
		}
		combine(r.X, term[F]{ratio * inner[i].Alpha, x0}, term[F]{ratio * inner[i].Sigma, eps}, term[F]{noise, z})
		if err := r.after(i, n, at, false); err != nil {
			return err
		}
	}
	return nil
}
