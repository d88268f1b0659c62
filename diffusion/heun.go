package diffusion

// Heun runs the trapezoidal rule in σ (Karras et al. 2022, arXiv:2206.00364, algorithm 1): two evaluations a
// step, but one in a last step to no noise. Levels are those of [Euler].
func Heun[F Float](r *Run[F], grid []Level) error {
	if err := checkStraight("Heun", grid, true); err != nil {
		return err
	}
	if err := r.begin("Heun", false); err != nil {
		return err
	}
	buf := r.scratch(3)
	d0, d1, before := buf[0], buf[1], buf[2]
	n := len(grid) - 1
	for i := range n {
		a, b := grid[i].Sigma, grid[i+1].Sigma
		if err := r.Denoise(d0, r.X, grid[i], Slope); err != nil {
			return err
		}
		copy(before, r.X)
		combine(r.X, term[F]{1, r.X}, term[F]{b - a, d0})
		if err := r.after(i, n, grid[i+1], b > 0); err != nil {
			return err
		}
		if b == 0 {
			return nil
		}
		if err := r.Denoise(d1, r.X, grid[i+1], Slope); err != nil {
			return err
		}
		h := (b - a) / 2
		combine(r.X, term[F]{1, before}, term[F]{h, d0}, term[F]{h, d1})
		if err := r.after(i, n, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}
