package diffusion

import (
	"math"
	"testing"
)

// mixture is data of three normal distributions, whose noise estimate and ODE are known.
var mixture = struct{ w, mu, s [3]float64 }{[3]float64{0.3, 0.5, 0.2}, [3]float64{-1, 0.4, 1.5}, [3]float64{0.3, 0.25, 0.4}}

// component returns the mean and deviation of a component at a level.
func component(i int, l Level) (mean, deviation float64) {
	return l.Alpha * mixture.mu[i], math.Hypot(l.Alpha*mixture.s[i], l.Sigma)
}

// mixtureData is E[x0 | x], exactly.
func mixtureData(dst, x []float64, l Level) error {
	for k, v := range x {
		sum, data := 0.0, 0.0
		for i, w := range mixture.w {
			mean, d := component(i, l)
			z := (v - mean) / d
			p := w / d * math.Exp(-z*z/2)
			sum += p
			data += p * (mixture.mu[i] + l.Alpha*mixture.s[i]*mixture.s[i]/(d*d)*(v-mean))
		}
		dst[k] = data / sum
	}
	return nil
}

// below is the probability of values below x at a level.
func below(x float64, l Level) (p float64) {
	for i, w := range mixture.w {
		mean, d := component(i, l)
		p += w * math.Erfc((mean-x)/(d*math.Sqrt2)) / 2
	}
	return p
}

// exact moves x along the ODE from one level to another: by the quantile it is at.
func exact(x float64, from, to Level) float64 {
	p := below(x, from)
	low, high := -100.0, 100.0
	for range 200 {
		if mid := (low + high) / 2; below(mid, to) < p {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// start is linspace(-2, 2, 9).
func start() []float64 { return linspace(-2, 2, 9) }

// The solution by quantiles is the published one.
func TestExactSolution(t *testing.T) {
	s := LinearVP{0.1, 20}
	want := []float64{-1.43078314, -1.2295863, -.97901921, -.12898209, .33544326, .59097821, 1.17392728, 1.67055225, 1.98205065}
	for i, x := range start() {
		if got := exact(x, s.Level(1), s.Level(1e-3)); !(math.Abs(got-want[i]) < 1e-8) {
			t.Errorf("from %g: %.9g, want %.9g", x, got, want[i])
		}
	}
}

// solver runs a grid with evaluations of the mixture.
type solver func(r *Run[float64], grid []Level) error

func multistep(order int, o Multistep) solver {
	return func(r *Run[float64], grid []Level) error {
		o.Orders = MultistepOrders(len(grid)-1, order, false)
		return DPMMultistep(r, grid, o)
	}
}

func singlestep(order int, o Singlestep) solver {
	return func(r *Run[float64], grid []Level) error {
		o.Stages = nil
		for i := range len(grid) - 1 {
			o.Stages = append(o.Stages, i%order+1)
		}
		return DPMSinglestep(r, grid, o)
	}
}

func unipc(order int, o UniPC) solver {
	return func(r *Run[float64], grid []Level) error {
		o.Orders = MultistepOrders(len(grid)-1, order, false)
		return UniPCMultistep(r, grid, o)
	}
}

// uncorrected is the predictor alone.
func uncorrected(order int) solver {
	return func(r *Run[float64], grid []Level) error {
		o := UniPC{}
		for i := range grid {
			o.Skip = append(o.Skip, i)
		}
		return unipc(order, o)(r, grid)
	}
}

func asVE(l Level) Level { return VE(l.Time, l.Sigma/l.Alpha) }

// straight runs a solver in σ on the same levels.
func straight(run solver) solver {
	return func(r *Run[float64], grid []Level) error {
		ve := make([]Level, len(grid))
		for i, l := range grid {
			ve[i] = asVE(l)
		}
		first, last := grid[0].Alpha, grid[len(grid)-1].Alpha
		for i := range r.X {
			r.X[i] /= first
		}
		err := run(r, ve)
		for i := range r.X {
			r.X[i] *= last
		}
		return err
	}
}

// solvers is the table of solvers: one row each. The slope, log2 of the error after 384 evaluations over that
// after 768, lies in the window, and the latter is at most the given one. Solvers that are the same method
// have the same figures: Euler and DDIM, UniP and multistep, DEIS and the Taylor series, KDPM2 and 2S of
// twice the evaluations; windows and errors of the others are published, 0 where they are not.
var solvers = []struct {
	name      string
	run       solver
	low, high float64
	error     float64
}{
	{"order 1", multistep(1, Multistep{}), 0.95, 1.05, 5.15e-3},
	{"order 1 noise", multistep(1, Multistep{Form: Noise}), 0.95, 1.05, 5.15e-3},
	{"DDIM", func(r *Run[float64], g []Level) error { return DDIM(r, g, Implicit[float64]{}) }, 0.95, 1.05, 5.15e-3},
	{"2M noise", multistep(2, Multistep{Form: Noise}), 1.9, 2.1, 2.25e-5},
	{"2M noise taylor", multistep(2, Multistep{Form: Noise, Taylor: true}), 1.9, 2.1, 3.25e-5},
	{"2M data", multistep(2, Multistep{}), 1.9, 2.1, 2.95e-5},
	{"2M data taylor", multistep(2, Multistep{Taylor: true}), 1.9, 2.1, 3.55e-5},
	{"3M noise", multistep(3, Multistep{Form: Noise}), 2.8, 3.4, 5.25e-7},
	{"3M data", multistep(3, Multistep{}), 2.8, 3.4, 9.55e-8},
	{"3M noise compat", multistep(3, Multistep{Form: Noise, Compat: true}), 1.9, 2.1, 6.65e-6},
	{"3M data compat", multistep(3, Multistep{Compat: true}), 1.9, 2.1, 7.25e-6},
	{"2S noise", singlestep(2, Singlestep{Form: Noise}), 1.9, 2.1, 6.95e-5},
	{"2S data", singlestep(2, Singlestep{}), 1.9, 2.1, 7.35e-5},
	{"3S noise", singlestep(3, Singlestep{Form: Noise}), 2.8, 3.3, 2.35e-7},
	{"3S noise taylor", singlestep(3, Singlestep{Form: Noise, Taylor: true}), 2.8, 3.3, 6.65e-7},
	{"3S data", singlestep(3, Singlestep{}), 2.8, 3.1, 1.45e-6},
	{"3S data taylor", singlestep(3, Singlestep{Taylor: true}), 2.8, 3.1, 9.45e-7},
	{"3S data compat", singlestep(3, Singlestep{Compat: true}), 2.8, 3.1, 1.45e-6},
	{"UniPC-1", unipc(1, UniPC{}), 1.85, 2.15, 0},
	{"UniPC-2", unipc(2, UniPC{}), 2.85, 3.15, 0},
	{"UniPC-3", unipc(3, UniPC{}), 3.85, 4.15, 0},
	{"UniPC-2 noise, B1", unipc(2, UniPC{Form: Noise, B1: true}), 2.85, 3.15, 0},
	{"UniP-2", uncorrected(2), 1.9, 2.1, 2.95e-5},
	{"UniP-3", uncorrected(3), 2.8, 3.4, 9.55e-8},
	{"DEIS-2", func(r *Run[float64], g []Level) error { return DEIS(r, g, MultistepOrders(len(g)-1, 2, false)) }, 1.9, 2.1, 3.25e-5},
	{"DEIS-3", func(r *Run[float64], g []Level) error { return DEIS(r, g, MultistepOrders(len(g)-1, 3, false)) }, 2.8, 3.4, 5.25e-7},
	{"Euler", straight(func(r *Run[float64], g []Level) error { return Euler(r, g, Churn{}) }), 0.9, 1.1, 5.15e-3},
	{"Heun", straight(Heun[float64]), 1.9, 2.1, 0},
	{"KDPM2", straight(func(r *Run[float64], g []Level) error {
		return KDPM2(r, g, func(sigma float64) Level { return VE(0, sigma) }, false)
	}), 1.9, 2.1, 6.95e-5 / 4},
	{"LMS-4", straight(func(r *Run[float64], g []Level) error { return LMS(r, g, 4) }), 3.6, 4.4, 0},
}

// solved is the largest error of a solver on n steps, uniform in ln(α/σ).
func solved(t *testing.T, run solver, n int) (worst float64) {
	t.Helper()
	s := LinearVP{0.1, 20}
	grid, err := Grid(s, LogSNR, 1, 1e-3, n)
	if err != nil {
		t.Fatal(err)
	}
	r := &Run[float64]{X: start(), Denoise: FromData(mixtureData)}
	if err := run(r, grid); err != nil {
		t.Fatal(err)
	}
	for i, x := range start() {
		worst = max(worst, math.Abs(r.X[i]-exact(x, grid[0], grid[n])))
	}
	return worst
}

// TestOrder measures every solver's order of convergence against the exact solution.
func TestOrder(t *testing.T) {
	for _, s := range solvers {
		before, last := solved(t, s.run, 384), solved(t, s.run, 768)
		slope := math.Log2(before / last)
		if !(slope >= s.low && slope <= s.high) || s.error != 0 && !(last <= s.error) {
			t.Errorf("%s: error %.3g after 768 steps, at most %.3g; slope %.3f, want %g to %g", s.name, last, s.error, slope, s.low, s.high)
		}
		t.Logf("%-18s %.2e %.2e  slope %.3f", s.name, solved(t, s.run, 48), last, slope)
	}
}

// On a grid uniform in time the slopes are not there yet, but errors fall with every doubling.
func TestTimeUniform(t *testing.T) {
	s := LinearVP{0.1, 20}
	for _, row := range solvers[:18] {
		before := math.Inf(1)
		for n := 48; n <= 1536; n *= 2 {
			grid, err := Grid(s, TimeUniform, 1, 1e-3, n)
			if err != nil {
				t.Fatal(err)
			}
			r := &Run[float64]{X: start(), Denoise: FromData(mixtureData)}
			if err := row.run(r, grid); err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, x := range start() {
				worst = max(worst, math.Abs(r.X[i]-exact(x, grid[0], grid[n])))
			}
			if !(worst < before) {
				t.Errorf("%s: error %.3g of %d steps, %.3g of half as many", row.name, worst, n, before)
			}
			before = worst
		}
	}
}

// Steps that the solver chooses keep the error that the tolerances ask for, at the published number of
// evaluations.
func TestAdaptive(t *testing.T) {
	s := LinearVP{0.1, 20}
	for _, row := range []struct {
		o     Adaptive
		nfe   int
		error float64
	}{
		{Adaptive{Order: 3, Form: Noise}, 48, 1.85e-2},
		{Adaptive{Order: 3, Form: Noise, Relative: 5e-3, Absolute: 1e-3}, 102, 5.5e-4},
		{Adaptive{Order: 3, Form: Noise, Relative: 5e-5, Absolute: 1e-5}, 255, 3.5e-5},
		{Adaptive{Order: 3}, 39, 2.5e-2},
		{Adaptive{Order: 3, Relative: 5e-3, Absolute: 1e-3}, 72, 8.5e-4},
		{Adaptive{Order: 3, Relative: 5e-5, Absolute: 1e-5}, 222, 2.5e-5},
		{Adaptive{Order: 2, Form: Noise}, 78, 1},
		{Adaptive{Order: 2}, 38, 1},
	} {
		calls := 0
		r := &Run[float64]{X: start(), Denoise: FromData(func(dst, x []float64, l Level) error {
			calls++
			return mixtureData(dst, x, l)
		})}
		row.o.Batch = len(r.X)
		n, err := DPMAdaptive(r, s, 1, 1e-3, row.o)
		if err != nil {
			t.Fatal(err)
		}
		worst := 0.0
		for i, x := range start() {
			worst = max(worst, math.Abs(r.X[i]-exact(x, s.Level(1), s.Level(1e-3))))
		}
		nfe := row.o.Order * (n.Accepted + n.Rejected)
		if nfe != row.nfe || calls != nfe-n.Rejected || !(worst <= row.error) {
			t.Errorf("%+v: %d evaluations by the reference's count, %d calls, %d rejected, error %.2g: want %d, and an error of %.2g", row.o, nfe, calls, n.Rejected, worst, row.nfe, row.error)
		}
	}
}
