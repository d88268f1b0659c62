package diffusion

import (
	"fmt"
	"math"
)

// IPNDMGrid returns the n+1 levels of [IPNDM]: σ = sin²(uπ/2) for u from 1 to 0, and an angle as time. Its
// networks predict v.
func IPNDMGrid(n int) ([]Level, error) {
	if n < 1 || n > maxTrainSteps {
		return nil, fmt.Errorf("diffusion: IPNDM: %d steps, want 1 to %d", n, maxTrainSteps)
	}
	grid := make([]Level, n+1)
	for i, u := range linspace(1, 0, n+1) {
		s := math.Sin(u * math.Pi / 2)
		s *= s
		a := math.Sqrt(1 - s*s)
		grid[i] = Level{Time: math.Atan2(s, a) / math.Pi * 2, Alpha: a, Sigma: s, Scale: 1}
	}
	return grid, nil
}

// IPNDM runs Adams-Bashforth of the noise, as if steps were equal, of orders that rise to 4 (Zhang & Chen
// 2023, arXiv:2204.13902, section 5.1), with DDIM's transfer. It may start where there is no signal.
func IPNDM[F Float](r *Run[F], grid []Level) error {
	if err := checkGrid("IPNDM", grid); err != nil {
		return err
	}
	if err := r.begin("IPNDM", false); err != nil {
		return err
	}
	buf := r.scratch(5)
	e, sum := buf[:4], buf[4]
	for i := range len(grid) - 1 {
		turn(e)
		if err := r.Denoise(e[0], r.X, grid[i], Noise); err != nil {
			return err
		}
		w := bashforth[min(i, 3)]
		combine(sum, term[F]{w[0], e[0]}, term[F]{w[1], e[1]}, term[F]{w[2], e[2]}, term[F]{w[3], e[3]})
		from, to := grid[i], grid[i+1]
		// The data that the noise leaves, 0 where there is no signal, and then the next level.
		a := max(from.Alpha, 1e-8)
		combine(r.X, term[F]{1 / a, r.X}, term[F]{-from.Sigma / a, sum})
		combine(r.X, term[F]{to.Alpha, r.X}, term[F]{to.Sigma, sum})
		if err := r.after(i, len(grid)-1, to, false); err != nil {
			return err
		}
	}
	return nil
}
