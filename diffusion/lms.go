package diffusion

import "fmt"

// LMS runs the linear multistep method of Adams and Bashforth in σ, of an order from 1 to 4
// (sample_lms of k-diffusion). Levels are those of [Euler].
func LMS[F Float](r *Run[F], grid []Level, order int) error {
	if err := checkStraight("LMS", grid, true); err != nil {
		return err
	}
	if order < 1 || order > 4 {
		return fmt.Errorf("diffusion: LMS: order %d, want 1 to 4", order)
	}
	if err := r.begin("LMS", false); err != nil {
		return err
	}
	d := r.scratch(4) // dx/dσ, the newest first
	for i := range len(grid) - 1 {
		turn(d)
		if err := r.Denoise(d[0], r.X, grid[i], Slope); err != nil {
			return err
		}
		c := adams(grid, i, min(order, i+1))
		combine(r.X, term[F]{1, r.X}, term[F]{c[0], d[0]}, term[F]{c[1], d[1]}, term[F]{c[2], d[2]}, term[F]{c[3], d[3]})
		if err := r.after(i, len(grid)-1, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}

// adams integrates over a step from level i the Lagrange polynomials through the last p levels' σ, by
// Gauss's two points, which is exact for them.
func adams(grid []Level, i, p int) (c [4]float64) {
	const gauss = 0.57735026918962576450914878050196 // 1/√3
	a, b := grid[i].Sigma, grid[i+1].Sigma
	for k := range p {
		for _, u := range [2]float64{-gauss, gauss} {
			at, w := (a+b)/2+u*(b-a)/2, (b-a)/2
			for l := range p {
				if l != k {
					w *= (at - grid[i-l].Sigma) / (grid[i-k].Sigma - grid[i-l].Sigma)
				}
			}
			c[k] += w
		}
	}
	return c
}
