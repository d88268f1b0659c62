package diffusion

import "math"

// KDPM2 runs the explicit midpoint rule in σ, the midpoint being that of ln σ (sample_dpm_2 of k-diffusion;
// "DPM2"). at gives the level of a σ between those of the grid. Its ancestral form goes lower and adds
// noise, as [EulerAncestral]. Levels have α = 1 and falling σ.
func KDPM2[F Float](r *Run[F], grid []Level, at func(sigma float64) Level, withNoise bool) error {
	if err := checkFalling("KDPM2", grid); err != nil {
		return err
	}
	if err := r.begin("KDPM2", withNoise); err != nil {
		return err
	}
	buf := r.scratch(3)
	d, before, z := buf[0], buf[1], buf[2]
	n := len(grid) - 1
	for i := range n {
		a, b := grid[i].Sigma, grid[i+1].Sigma
		if err := r.Denoise(d, r.X, grid[i], Slope); err != nil {
			return err
		}
		if b == 0 {
			combine(r.X, term[F]{1, r.X}, term[F]{-a, d})
			return r.after(i, n, grid[i+1], false)
		}
		down, up := b, 0.0
		if withNoise {
			down, up = ancestral(a, b)
		}
		mid := at(math.Exp((math.Log(a) + math.Log(down)) / 2))
		copy(before, r.X)
		combine(r.X, term[F]{1, r.X}, term[F]{mid.Sigma - a, d})
		if err := r.after(i, n, mid, true); err != nil {
			return err
		}
		if err := r.Denoise(d, r.X, mid, Slope); err != nil {
			return err
		}
		if withNoise {
			r.Noise(z)
		}
		combine(r.X, term[F]{1, before}, term[F]{down - a, d}, term[F]{up, z})
		if err := r.after(i, n, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}
