package diffusion

import "fmt"

// bashforth are the weights of the Adams-Bashforth methods of orders 1 to 4 on equal steps.
var bashforth = [4][4]float64{
	{1},
	{3. / 2, -1. / 2},
	{23. / 12, -16. / 12, 5. / 12},
	{55. / 24, -59. / 24, 37. / 24, -9. / 24},
}

// PNDM runs the pseudo numerical methods of Liu et al. 2022, arXiv:2202.09778: Adams-Bashforth of the noise,
// as if steps were equal, and DDIM's transfer. It starts with one repeated step (n+1 evaluations; "PLMS"),
// or, where the levels of the two stages halfway through the first three steps are given, with Runge-Kutta
// steps of four evaluations (n+9).
func PNDM[F Float](r *Run[F], grid []Level, halfway [][2]Level) error {
	if err := checkGrid("PNDM", grid); err != nil {
		return err
	}
	n := len(grid) - 1
	if len(halfway) != 0 && (len(halfway) != 3 || n < 4) {
		return fmt.Errorf("diffusion: PNDM: %d pairs of levels halfway for %d steps: want none, or 3 for at least 4 steps", len(halfway), n)
	}
	for i, l := range grid[:n] {
		if l.Alpha == 0 {
			return fmt.Errorf("diffusion: PNDM: level %d has no signal (α = 0): raise its α", i)
		}
	}
	if err := r.begin("PNDM", false); err != nil {
		return err
	}
	buf := r.scratch(7)
	e, sum, before := buf[:4], buf[4], buf[5]
	stored := 0
	for i := range n {
		turn(e)
		if err := r.Denoise(e[0], r.X, grid[i], Noise); err != nil {
			return err
		}
		stored = min(stored+1, 4)
		var err error
		switch {
		case i < len(halfway):
			err = rungeKutta(r, i, n, [4]Level{grid[i], halfway[i][0], halfway[i][1], grid[i+1]}, e[0], sum, before, buf[6])
		case i == 0 && n > 1:
			err = repeat(r, n, grid, e[0], sum, before)
		default:
			w := bashforth[stored-1]
			combine(sum, term[F]{w[0], e[0]}, term[F]{w[1], e[1]}, term[F]{w[2], e[2]}, term[F]{w[3], e[3]})
			transfer(r.X, r.X, sum, grid[i], grid[i+1])
			err = r.after(i, n, grid[i+1], false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// transfer writes the sample at a level that has the noise e at another.
func transfer[F Float](dst, x, e []F, from, to Level) {
	a := to.Alpha / from.Alpha
	combine(dst, term[F]{a, x}, term[F]{to.Sigma - a*from.Sigma, e})
}

// repeat takes the first step, and takes it again with the mean of the noise at both ends.
func repeat[F Float](r *Run[F], n int, grid []Level, e, sum, before []F) error {
	copy(before, r.X)
	transfer(r.X, before, e, grid[0], grid[1])
	if err := r.after(0, n, grid[1], true); err != nil {
		return err
	}
	if err := r.Denoise(sum, r.X, grid[1], Noise); err != nil {
		return err
	}
	combine(sum, term[F]{0.5, e}, term[F]{0.5, sum})
	transfer(r.X, before, sum, grid[0], grid[1])
	return r.after(0, n, grid[1], false)
}

// rungeKutta takes step i through the levels at its start, middle, middle and end. e is the noise at the
// start.
func rungeKutta[F Float](r *Run[F], i, n int, at [4]Level, e, sum, before, stage []F) error {
	copy(before, r.X)
	combine(sum, term[F]{1. / 6, e})
	last := e
	for k, to := range at[1:] {
		transfer(r.X, before, last, at[0], to)
		if err := r.after(i, n, to, true); err != nil {
			return err
		}
		if err := r.Denoise(stage, r.X, to, Noise); err != nil {
			return err
		}
		w := 1. / 3
		if k == 2 {
			w = 1. / 6
		}
		combine(sum, term[F]{1, sum}, term[F]{w, stage})
		last = stage
	}
	transfer(r.X, before, sum, at[0], at[3])
	return r.after(i, n, at[3], false)
}
