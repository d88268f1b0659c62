package diffusion

import (
	"fmt"
	"math"
)

// Churn adds noise before each Euler step and lets the step remove it (Karras et al. 2022,
// arXiv:2206.00364, algorithm 2). The network is asked at the level before the noise is added, as in
// diffusers, and the slope it finds there is used.
type Churn struct {
	Total       float64 // over all steps; 0 is none
	Noise       float64 // the deviation of what is added, 0 is 1
	Least, Most float64 // the sigmas between which it is added; a Most of 0 is no bound
}

// Euler runs Euler's method in σ, where dx/dσ = (x - x0)/σ: on levels with α = 1, and on those of a
// rectified flow, where that is the flow itself. Churn needs α = 1.
func Euler[F Float](r *Run[F], grid []Level, c Churn) error {
	if err := checkStraight("Euler", grid, c.Total == 0); err != nil {
		return err
	}
	if !(c.Total >= 0 && c.Noise >= 0 && c.Least >= 0 && c.Most >= 0) {
		return fmt.Errorf("diffusion: Euler: %+v: want numbers that are not negative", c)
	}
	if err := r.begin("Euler", c.Total > 0); err != nil {
		return err
	}
	buf := r.scratch(2)
	d, z := buf[0], buf[1]
	n := len(grid) - 1
	for i := range n {
		a, b := grid[i].Sigma, grid[i+1].Sigma
		if err := r.Denoise(d, r.X, grid[i], Slope); err != nil {
			return err
		}
		high, noise := a, 0.0
		if g := min(c.Total/float64(n), math.Sqrt2-1); g > 0 && a >= c.Least && (c.Most == 0 || a <= c.Most) {
			r.Noise(z)
			high = a * (1 + g)
			noise = math.Sqrt(high*high - a*a)
			if c.Noise != 0 {
				noise *= c.Noise
			}
		}
		combine(r.X, term[F]{1, r.X}, term[F]{b - high, d}, term[F]{noise, z})
		if err := r.after(i, n, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}

// checkStraight holds a grid against what solvers in σ need: α = 1 everywhere, or the levels of a flow.
func checkStraight(solver string, grid []Level, flow bool) error {
	if err := checkGrid(solver, grid); err != nil {
		return err
	}
	for i, l := range grid {
		if l.Alpha != 1 && !(flow && math.Abs(l.Alpha+l.Sigma-1) <= 1e-12) {
			return fmt.Errorf("diffusion: %s: level %d has α = %g, σ = %g: want α = 1, or where flows are possible α = 1-σ", solver, i, l.Alpha, l.Sigma)
		}
	}
	return nil
}
