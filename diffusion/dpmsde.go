package diffusion

import "math"

// DPMSDE runs DPM-Solver++ (SDE) of k-diffusion, sample_dpmpp_sde with r = 1/2: order 2 in the data form,
// with noise after the stage at √(σσ') and after the step. at gives the level of a σ between those of the
// grid. The two draws of a step are increments of one Brownian path in k-diffusion; here they are
// independent. Levels have α = 1 and falling σ.
func DPMSDE[F Float](r *Run[F], grid []Level, at func(sigma float64) Level) error {
	if err := checkFalling("DPMSDE", grid); err != nil {
		return err
	}
	if err := r.begin("DPMSDE", true); err != nil {
		return err
	}
	buf := r.scratch(3)
	x0, before, z := buf[0], buf[1], buf[2]
	n := len(grid) - 1
	for i := range n {
		a, b := grid[i].Sigma, grid[i+1].Sigma
		if err := r.Denoise(x0, r.X, grid[i], Data); err != nil {
			return err
		}
		if b == 0 {
			copy(r.X, x0)
			return r.after(i, n, grid[i+1], false)
		}
		mid := at(math.Sqrt(a * b))
		copy(before, r.X)
		for stage, to := range [2]Level{mid, grid[i+1]} {
			if stage == 1 {
				if err := r.Denoise(x0, r.X, mid, Data); err != nil {
					return err
				}
			}
			down, up := ancestral(a, to.Sigma)
			r.Noise(z)
			combine(r.X, term[F]{down / a, before}, term[F]{1 - down/a, x0}, term[F]{up, z})
			if err := r.after(i, n, to, stage == 0); err != nil {
				return err
			}
		}
	}
	return nil
}
