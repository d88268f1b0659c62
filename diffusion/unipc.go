package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// UniPC says how the predictor-corrector runs.
type UniPC struct {
	Orders []int // of each step, 1 to 3; see [MultistepOrders]
	Form   Form  // Data predicts x0 ("predict_x0")
	B1     bool  // B(h) = h, not e^h - 1
	Skip   []int // steps, from 0, whose results are not corrected

	// Compat refuses what is NaN in diffusers: B1 or the noise form with a last level without noise. The
	// limit, x0, is the default.
	Compat bool
}

// UniPCMultistep runs the unified predictor-corrector of Zhao et al. 2023, arXiv:2302.04867, algorithm 1: the
// value that the next prediction needs corrects the last one, which raises the order by one at no
// evaluation. The last step is not corrected.
func UniPCMultistep[F Float](r *Run[F], grid []Level, o UniPC) error {
	if err := o.check(grid); err != nil {
		return err
	}
	if err := r.begin("UniPCMultistep", false); err != nil {
		return err
	}
	buf := r.scratch(5)
	m, before := buf[:4], buf[4] // m[0] is the newest value, before the sample before the last prediction
	for i := range len(grid) - 1 {
		turn(m)
		if err := r.Denoise(m[0], r.X, grid[i], o.Form); err != nil {
			return err
		}
		if i > 0 && !slices.Contains(o.Skip, i-1) {
			x, c := o.step(grid, i-1, true)
			combine(r.X, term[F]{x, before}, term[F]{c[0], m[0]}, term[F]{c[1], m[1]}, term[F]{c[2], m[2]}, term[F]{c[3], m[3]})
		}
		copy(before, r.X)
		x, c := o.step(grid, i, false)
		combine(r.X, term[F]{x, r.X}, term[F]{c[1], m[0]}, term[F]{c[2], m[1]}, term[F]{c[3], m[2]})
		if err := r.after(i, len(grid)-1, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}

func (o UniPC) check(grid []Level) error {
	if err := checkRatios("UniPCMultistep", grid); err != nil {
		return err
	}
	if o.Compat && grid[len(grid)-1].Sigma == 0 && (o.B1 || o.Form == Noise) {
		return fmt.Errorf("diffusion: UniPCMultistep: B1 or the noise form with a last level without noise is NaN in the reference: end at the last positive one")
	}
	return checkOrders("UniPCMultistep", o.Form, o.Orders, grid, 3)
}

// step returns the coefficients of a step from level i: of x, of the value at its end, which a prediction
// does not have, of the value at i and of those before it.
func (o UniPC) step(grid []Level, i int, correct bool) (x float64, c [4]float64) {
	from, to, p := grid[i], grid[i+1], o.Orders[i]
	h := to.Lambda() - from.Lambda()
	if h == 0 {
		return 1, c
	}
	e := integrate(o.Form, from, to, false)
	c[1] = e.m
	if to.Sigma == 0 {
		return e.x, c
	}
	hh, scale := -h, to.Alpha
	if o.Form == Noise {
		hh, scale = h, to.Sigma
	}
	b := math.Expm1(hh)
	if o.B1 {
		b = hh
	}
	r := [3]float64{}
	for k := 1; k < p; k++ {
		r[k-1] = (grid[i-k].Lambda() - from.Lambda()) / h
	}
	r[p-1] = 1
	rho := weights(r, p, hh, b, correct)
	for k, w := range rho[:p] {
		// w·(m - m0)/r, where the value at the end has r = 1.
		at := k + 2
		if k == p-1 {
			at = 0
		}
		d := -scale * b * w / r[k]
		c[at] += d
		c[1] -= d
	}
	return e.x, c
}

// weights solves for ρ in Σ r_k^(j-1)·ρ_k = g_j·j!/B, j = 1..p; a predictor leaves out the last of both, and
// the weight of one difference is always 1/2 (UniPC's text below equation 9).
func weights(r [3]float64, p int, hh, b float64, correct bool) (rho [3]float64) {
	n := p
	if !correct {
		n--
	}
	if n == 0 {
		return rho
	}
	if n == 1 {
		return [3]float64{0.5}
	}
	var a [3][4]float64
	factorial := 1.0
	for j := range n {
		factorial *= float64(j + 1)
		for k := range n {
			a[j][k] = math.Pow(r[k], float64(j))
		}
		a[j][3] = tail(hh, j+1) * factorial / b
	}
	return solve(a, n)
}

// tail is Σ h^k/(k+j)! over k >= 1: φ2 for j = 1, φ3 for 2, and so on.
func tail(h float64, j int) float64 {
	if math.Abs(h) <= 0.5 {
		sum, t := 0.0, 1.0
		for k := 2; k <= j; k++ {
			t /= float64(k)
		}
		for k := 1; k <= 16; k++ {
			t *= h / float64(k+j)
			sum += t
		}
		return sum
	}
	g, factorial := math.Expm1(h)/h-1, 1.0
	for k := 2; k <= j; k++ {
		factorial *= float64(k)
		g = g/h - 1/factorial
	}
	return g
}

// solve is Gaussian elimination of n equations, the right sides in the last column.
func solve(a [3][4]float64, n int) (x [3]float64) {
	for c := range n {
		p := c
		for i := c + 1; i < n; i++ {
			if math.Abs(a[i][c]) > math.Abs(a[p][c]) {
				p = i
			}
		}
		a[c], a[p] = a[p], a[c]
		for i := c + 1; i < n; i++ {
			f := a[i][c] / a[c][c]
			for k := c; k < 4; k++ {
				a[i][k] -= float64(f * a[c][k])
			}
		}
	}
	for c := n - 1; c >= 0; c-- {
		x[c] = a[c][3]
		for k := c + 1; k < n; k++ {
			x[c] -= float64(a[c][k] * x[k])
		}
		x[c] /= a[c][c]
	}
	return x
}
