package diffusion

import "fmt"

// Singlestep says which of the DPM-Solver single-step family runs.
type Singlestep struct {
	// Stages tells for each interval of the grid which stage of its step it is, from 1: 1 2 3 1 2 is a
	// step of order 3 and one of order 2; see [Stages]. Stage k evaluates at the interval's start, and
	// goes from the start of its step to the interval's end with all k values.
	Stages []int
	Form   Form // Data is DPM-Solver++, Noise is DPM-Solver
	Taylor bool // orders 2 and 3 from the Taylor series, not the rules of the paper

	// Compat takes the second stage of order 3 by the midpoint rule, as diffusers does, and not by its
	// derivative as the paper does.
	Compat bool
}

// Stages returns the stages of steps of the given orders.
func Stages(orders []int) (stages []int) {
	for _, p := range orders {
		for k := range p {
			stages = append(stages, k+1)
		}
	}
	return stages
}

// SinglestepGrid returns the levels of single steps of the given orders from one time to another, those of
// the stages included. With LogSNR the steps have one length; otherwise an evaluation has, counted in the
// spacing's own unit (sample and get_orders_and_timesteps_for_singlestep_solver of
// LuChengTHU/dpm-solver@52bc3fb).
func SinglestepGrid(s Schedule, spacing Spacing, from, to float64, orders []int) ([]Level, error) {
	steps, ends := 0, []int{0}
	for _, p := range orders {
		if p < 1 || p > 3 {
			return nil, fmt.Errorf("diffusion: a single step of order %d, want 1 to 3", p)
		}
		steps += p
		ends = append(ends, steps)
	}
	if spacing == LogSNR {
		steps = len(orders)
	}
	outer, err := Times(s, spacing, from, to, steps)
	if err != nil {
		return nil, err
	}
	times := outer[:1:1]
	for i, p := range orders {
		a, b := i, i+1
		if spacing != LogSNR {
			a, b = ends[i], ends[i+1]
		}
		inner, err := Times(s, spacing, outer[a], outer[b], p)
		if err != nil {
			return nil, err
		}
		times = append(times, inner[1:]...)
	}
	return Levels(s, times), nil
}

// DPMSinglestep runs DPM-Solver or DPM-Solver++, single-step (arXiv:2206.00927, algorithms 1 and 2;
// arXiv:2211.01095, algorithm 1): a step of order k takes k evaluations inside itself and forgets them.
func DPMSinglestep[F Float](r *Run[F], grid []Level, o Singlestep) error {
	if err := o.check(grid); err != nil {
		return err
	}
	if err := r.begin("DPMSinglestep", false); err != nil {
		return err
	}
	buf := r.scratch(4)
	m, base := buf[:3], buf[3]
	for i, k := range o.Stages {
		if k == 1 {
			copy(base, r.X)
		}
		if err := r.Denoise(m[k-1], r.X, grid[i], o.Form); err != nil {
			return err
		}
		inner := i+1 < len(o.Stages) && o.Stages[i+1] == k+1
		x, c := singleStep(grid[i+1-k:i+2], o.Form, o.Taylor || inner && !o.Compat)
		combine(r.X, term[F]{x, base}, term[F]{c[0], m[0]}, term[F]{c[1], m[1]}, term[F]{c[2], m[2]})
		if err := r.after(i, len(o.Stages), grid[i+1], inner); err != nil {
			return err
		}
	}
	return nil
}

func (o Singlestep) check(grid []Level) error {
	if err := checkRatios("DPMSinglestep", grid); err != nil {
		return err
	}
	for i, k := range o.Stages {
		if k != 1 && (k < 1 || k > 3 || i == 0 || o.Stages[i-1] != k-1) {
			return fmt.Errorf("diffusion: DPMSinglestep: stage %d at interval %d: want 1, 2 or 3 in turn", k, i+1)
		}
	}
	return checkOrders("DPMSinglestep", o.Form, o.Stages, grid, 3)
}

// singleStep returns the coefficients of x and of the values at all levels but the last in a step from
// the first level to the last.
func singleStep(at []Level, form Form, taylor bool) (x float64, c [3]float64) {
	last := len(at) - 1
	from, to := at[0], at[last]
	h := to.Lambda() - from.Lambda()
	if h == 0 {
		return 1, c
	}
	e := integrate(form, from, to, false)
	if last == 1 {
		return e.x, [3]float64{e.m}
	}
	r1 := (at[1].Lambda() - from.Lambda()) / h
	if last == 2 {
		d := e.mid
		if taylor {
			d = e.d1
		}
		return e.x, [3]float64{e.m - d/r1, d / r1}
	}
	r2 := (at[2].Lambda() - from.Lambda()) / h
	if !taylor {
		return e.x, [3]float64{e.m - e.d1/r2, 0, e.d1 / r2}
	}
	d1 := (e.d1*r2 - 2*e.d2) / (r2 - r1) / r1
	d2 := (2*e.d2 - e.d1*r1) / (r2 - r1) / r2
	return e.x, [3]float64{e.m - d1 - d2, d1, d2}
}
