package diffusion

import (
	"fmt"
	"math"
)

// Multistep says which of the DPM-Solver multistep family runs.
type Multistep struct {
	Orders     []int // of each step, 1 to 3; see [MultistepOrders]
	Form       Form  // Data is DPM-Solver++, Noise is DPM-Solver
	Taylor     bool  // order 2 from the Taylor series ("heun" in diffusers), not the midpoint; order 3 always is
	Stochastic bool  // the SDE forms; the noise form has them up to order 2

	// Compat gives order 3 as every published implementation has it: half the second derivative, which
	// leaves order 2, and diffusers' sign of it in the SDE form, which leaves order 1.
	Compat bool
}

// DPMMultistep runs DPM-Solver or DPM-Solver++, multistep (arXiv:2211.01095, algorithm 2; its 2M is order 2
// of the data form): one evaluation a step, polynomials in ln(α/σ) through the last values. Order 1 is DDIM.
func DPMMultistep[F Float](r *Run[F], grid []Level, o Multistep) error {
	if err := o.check(grid); err != nil {
		return err
	}
	if err := r.begin("DPMMultistep", o.Stochastic); err != nil {
		return err
	}
	buf := r.scratch(4)
	history, z := buf[:3], buf[3]
	for i := range len(grid) - 1 {
		turn(history)
		if err := r.Denoise(history[0], r.X, grid[i], o.Form); err != nil {
			return err
		}
		if o.Stochastic {
			r.Noise(z)
		}
		u := o.step(grid, i)
		combine(r.X, term[F]{u.x, r.X}, term[F]{u.m[0], history[0]}, term[F]{u.m[1], history[1]}, term[F]{u.m[2], history[2]}, term[F]{u.z, z})
		if err := r.after(i, len(grid)-1, grid[i+1], false); err != nil {
			return err
		}
	}
	return nil
}

func (o Multistep) check(grid []Level) error {
	if err := checkRatios("DPMMultistep", grid); err != nil {
		return err
	}
	most := 3
	if o.Stochastic && o.Form == Noise {
		if most = 2; grid[len(grid)-1].Sigma == 0 {
			return fmt.Errorf("diffusion: DPMMultistep: the SDE of the noise form has no step to a level without noise: end at the last positive one, or use the data form")
		}
	}
	if o.Stochastic && grid[len(grid)-1].Lambda() < grid[0].Lambda() {
		return fmt.Errorf("diffusion: DPMMultistep: an SDE does not run backwards: want a grid of falling noise")
	}
	return checkOrders("DPMMultistep", o.Form, o.Orders, grid, most)
}

// update is x ← x·X + Σ m·history + z·noise.
type update struct {
	x float64
	m [3]float64
	z float64
}

// step returns the update from level i to the next.
func (o Multistep) step(grid []Level, i int) (u update) {
	from, to := grid[i], grid[i+1]
	h := to.Lambda() - from.Lambda()
	if h == 0 {
		return update{x: 1}
	}
	e := integrate(o.Form, from, to, o.Stochastic)
	if o.Orders[i] == 1 {
		return update{e.x, [3]float64{e.m}, e.z}
	}
	r0 := (from.Lambda() - grid[i-1].Lambda()) / h
	if o.Orders[i] == 2 {
		d := e.mid
		if o.Taylor {
			d = e.d1
		}
		return update{e.x, [3]float64{e.m + d/r0, -d / r0}, e.z}
	}
	// The quadratic through three values: E0 and E1 are its divided differences times h, D1 and D2 its
	// derivatives times h and h².
	r1 := (grid[i-1].Lambda() - grid[i-2].Lambda()) / h
	curve := 2 * e.d2
	if o.Compat {
		curve = e.d2
		if o.Stochastic {
			curve -= to.Alpha
		}
	}
	e1 := -(e.d1*r0 + curve) / (r0 + r1)
	e0 := e.d1 - e1
	return update{e.x, [3]float64{e.m + e0/r0, e1/r1 - e0/r0, -e1 / r1}, e.z}
}

// integral is a step of an exponential integrator: the coefficients of x, of the model's value, of its
// derivatives in λ times h and h², of its difference by the midpoint rule, and of noise.
type integral struct{ x, m, d1, d2, mid, z float64 }

// integrate returns the integral of a step. In the data form x' = (σ'/σ)·x + α'·∫e^(λ-λ')·x0·dλ, in the
// noise form x' = (α'/α)·x - σ'·∫e^(λ'-λ)·ε·dλ; the SDEs count the integral twice (arXiv:2211.01095,
// section 3, proposition 4.1, and appendix A). To a level without noise, both end at x0.
func integrate(form Form, from, to Level, stochastic bool) (e integral) {
	h := to.Lambda() - from.Lambda()
	if form == Noise {
		e.x = to.Alpha / from.Alpha
		if to.Sigma == 0 {
			e.m = -e.x * from.Sigma
			return e
		}
		p1, p2, p3 := phi(h)
		s := -to.Sigma
		if stochastic {
			s, e.z = 2*s, to.Sigma*math.Sqrt(math.Expm1(2*h))
		}
		e.m, e.d1, e.d2, e.mid = s*p1, s*p2, s*p3, s*p1/2
		return e
	}
	if to.Sigma == 0 {
		return integral{m: to.Alpha}
	}
	e.x = to.Sigma / from.Sigma
	hh := -h
	if stochastic {
		hh = -2 * h
		e.x *= math.Exp(-h)
		e.z = to.Sigma * math.Sqrt(-math.Expm1(hh))
	}
	p1, p2, p3 := phi(hh)
	a := -to.Alpha
	e.m, e.d1, e.d2, e.mid = a*p1, a*p2, a*p3, a*p1/2
	return e
}
