package diffusion

import (
	"fmt"
	"math"
)

// EulerAncestral runs Euler's method to less noise than the next level has, and adds what is missing
// (sample_euler_ancestral of k-diffusion). Levels have α = 1 and falling σ.
func EulerAncestral[F Float](r *Run[F], grid []Level) error {
	if err := checkFalling("EulerAncestral", grid); err != nil {
		return err
	}
	if err := r.begin("EulerAncestral", true); err != nil {
		return err
	}
	buf := r.scratch(2)
	x0, z := buf[0], buf[1]
	for i := range len(grid) - 1 {
		if err := r.Denoise(x0, r.X, grid[i], Data); err != nil {
			return err
		}
		r.Noise(z)
		down, up := ancestral(grid[i].Sigma, grid[i+1].Sigma)
		d := down / grid[i].Sigma
		combine(r.X, term[F]{d, r.X}, term[F]{1 - d, x0}, term[F]{up, z})
		if err := r.after(i, len(grid)-1, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}

// ancestral splits the step from σ = a to b: down to which a solver goes, and the deviation of the noise
// that leads back up.
func ancestral(a, b float64) (down, up float64) {
	up = min(b, math.Sqrt(b*b*(a*a-b*b)/(a*a)))
	return math.Sqrt(b*b - up*up), up
}

// checkFalling also demands α = 1 and σ that falls.
func checkFalling(solver string, grid []Level) error {
	if err := checkStraight(solver, grid, false); err != nil {
		return err
	}
	for i := range len(grid) - 1 {
		if !(grid[i+1].Sigma < grid[i].Sigma) {
			return fmt.Errorf("diffusion: %s: σ goes from %g to %g at step %d: want falling noise", solver, grid[i].Sigma, grid[i+1].Sigma, i+1)
		}
	}
	return nil
}
