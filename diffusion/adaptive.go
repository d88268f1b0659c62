package diffusion

import (
	"fmt"
	"math"
)

// Adaptive says how DPM-Solver chooses its own steps.
type Adaptive struct {
	Order              int     // 2 compares orders 1 and 2, 3 compares 2 and 3
	Form               Form    // Data is DPM-Solver++, Noise is DPM-Solver
	Taylor             bool    // as in Singlestep
	Absolute, Relative float64 // tolerances; 0 are the reference's, 0.0078 (half a grey level) and 0.05
	First              float64 // the first step in ln(α/σ), 0 is 0.05
	Batch              int     // samples that lie end to end, 0 is 1: the worst one decides
	MaxSteps           int     // attempts before an error, 0 is 10,000

	// Compat rounds the factor of the step to float32, as the reference does.
	Compat bool
}

// Attempts counts the steps that an adaptive run tried: Accepted ones and Rejected ones. The reference
// counts Order evaluations for each; a rejected step costs one less here.
type Attempts struct{ Accepted, Rejected int }

// DPMAdaptive runs DPM-Solver-12 or -23 from a time to one with less noise (arXiv:2206.00927, appendix C;
// dpm_solver_adaptive of LuChengTHU/dpm-solver@52bc3fb). After is called for accepted steps, with Steps 0.
func DPMAdaptive[F Float](r *Run[F], s Schedule, from, to float64, o Adaptive) (n Attempts, err error) {
	if err := o.defaults(len(r.X)); err != nil {
		return n, err
	}
	if err := r.begin("DPMAdaptive", false); err != nil {
		return n, err
	}
	if err := checkRatios("DPMAdaptive", Levels(s, []float64{from, to})); err != nil {
		return n, err
	}
	end, h := s.Level(to).Lambda(), o.First
	if !(end > s.Level(from).Lambda()) || math.IsInf(end, 1) {
		return n, fmt.Errorf("diffusion: DPMAdaptive: from time %g to %g the noise does not fall to a positive level: it runs in that direction only", from, to)
	}
	buf := r.scratch(6)
	m, low, high, last := buf[:3], buf[3], buf[4], buf[5]
	copy(last, r.X)
	var at [4]Level
	for fresh := true; math.Abs(from-to) > 1e-5; { // fresh: m[0] is not known
		if n.Accepted+n.Rejected == o.MaxSteps {
			return n, fmt.Errorf("diffusion: DPMAdaptive: at time %g after %d attempts: loosen the tolerances (%g, %g relative)", from, o.MaxSteps, o.Absolute, o.Relative)
		}
		o.levels(&at, s, from, h)
		if err := attempt(&o, r, at[:], m, low, high, fresh); err != nil {
			return n, err
		}
		e := excess(&o, low, high, last)
		if !(e < math.MaxFloat64) {
			return n, fmt.Errorf("diffusion: DPMAdaptive: the error at time %g is %g: the network's values are not finite", from, e)
		}
		if fresh = e <= 1; fresh {
			n.Accepted++
			from = s.TimeOf(at[0].Lambda() + h)
			copy(r.X, high)
			copy(last, low)
			if err := r.after(n.Accepted-1, 0, at[o.Order], false); err != nil {
				return n, err
			}
		} else {
			n.Rejected++
		}
		h = o.next(h, e, end-s.Level(from).Lambda())
	}
	return n, nil
}

func (o *Adaptive) defaults(n int) error {
	for _, d := range []struct {
		v      *float64
		normal float64
	}{{&o.Absolute, 0.0078}, {&o.Relative, 0.05}, {&o.First, 0.05}} {
		if *d.v == 0 {
			*d.v = d.normal
		}
	}
	o.Batch = max(o.Batch, 1)
	if o.MaxSteps <= 0 {
		o.MaxSteps = 10_000
	}
	if o.Order != 2 && o.Order != 3 || o.Form != Data && o.Form != Noise || !(o.Absolute > 0 && o.Relative > 0 && o.First > 0) || n%o.Batch != 0 {
		return fmt.Errorf("diffusion: DPMAdaptive: %+v for %d elements: want order 2 or 3, Data or Noise, positive tolerances and first step, samples of equal length", *o, n)
	}
	return nil
}

// levels fills those of an attempt: the start, the stages at halves or thirds, the end.
func (o *Adaptive) levels(at *[4]Level, s Schedule, from, h float64) {
	at[0] = s.Level(from)
	start := at[0].Lambda()
	for k := 1; k <= o.Order; k++ {
		at[k] = s.Level(s.TimeOf(start + float64(h*float64(k)/float64(o.Order))))
	}
}

// attempt computes both results of a step from x. The values of the stages serve both; the first one
// outlives a rejected attempt.
func attempt[F Float](o *Adaptive, r *Run[F], at []Level, m [][]F, low, high []F, fresh bool) error {
	for k := range o.Order {
		x := high // at stage k
		if k == 0 {
			x = r.X
		}
		if k > 0 || fresh {
			if err := r.Denoise(m[k], x, at[k], o.Form); err != nil {
				return err
			}
		}
		if k+1 < o.Order {
			move(high, r.X, m, at[:k+2], o.Form, true)
		}
	}
	lower := [3]Level(at[:3])
	lower[o.Order-1] = at[o.Order]
	move(low, r.X, m, lower[:o.Order], o.Form, o.Taylor)
	move(high, r.X, m, at[:o.Order+1], o.Form, o.Taylor)
	return nil
}

// move writes the step from the first of some levels to the last with the values at all but that.
func move[F Float](dst, x []F, m [][]F, at []Level, form Form, taylor bool) {
	cx, c := singleStep(at, form, taylor)
	combine(dst, term[F]{cx, x}, term[F]{c[0], m[0]}, term[F]{c[1], m[1]}, term[F]{c[2], m[2]})
}

// excess is the root mean square of the difference of two results over what is tolerated, of the worst
// sample; 1 is the limit. It is NaN if a value is.
func excess[F Float](o *Adaptive, low, high, last []F) float64 {
	worst, n := 0.0, len(low)/o.Batch
	for from := 0; from < len(low); from += n {
		sum := 0.0
		for i := from; i < from+n; i++ {
			l := float64(low[i])
			tolerated := max(o.Absolute, float64(o.Relative*max(math.Abs(l), math.Abs(float64(last[i])))))
			d := (float64(high[i]) - l) / tolerated
			sum += float64(d * d)
		}
		worst = max(worst, math.Sqrt(sum/float64(n)))
	}
	return worst
}

// next is the length of the step after one with an excess of e, at most what is left.
func (o *Adaptive) next(h, e, left float64) float64 {
	f := math.Pow(e, -1/float64(o.Order))
	if o.Compat {
		f = float64(float32(f))
	}
	return min(0.9*h*f, left)
}
