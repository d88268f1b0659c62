package diffusion

import (
	"math"
	"testing"
)

// near tells whether two numbers agree to so many digits after the point.
func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

// Schedules have the published values, which of discrete ones come from float32 betas, and TimeOf undoes
// Level.
func TestSchedules(t *testing.T) {
	ddpm, err := NewDiscreteVP(LinearBetas(1e-4, 0.02, 1000), -5.1)
	if err != nil {
		t.Fatal(err)
	}
	sd, err := NewDiscreteVP(ScaledLinearBetas(0.00085, 0.012, 1000), -5.1)
	if err != nil {
		t.Fatal(err)
	}
	cosine, err := NewDiscreteVP(CosineBetas(1000), -5.1)
	if err != nil {
		t.Fatal(err)
	}
	linear, err := NewLinearVP(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	flow, err := NewRectifiedFlow(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		s    Schedule
		name string
		want map[float64]float64 // ln(α/σ) by time
	}{
		{linear, "linear", map[float64]float64{1: -5.02497841, .5: -1.22756773, .1: 1.07829059, .01: 3.10805678, 1e-3: 4.55771493}},
		{ddpm, "ddpm", map[float64]float64{1: -5.05883659, .5: -1.23084936, .1: 1.08226166, .01: 3.13337401, .001: 4.60512021, .0005: 5.06278778}},
		{sd, "sd", map[float64]float64{1: -2.68202385, .5: -.478025241, .1: 1.07389871, .01: 2.36907122, .001: 3.53471195}},
		{cosine, "cosine betas", nil},
		{CosineVP{}, "cosine", nil},
		{flow, "flow", map[float64]float64{.25: 0, .5: math.Log(1. / 3)}},
	} {
		for time, want := range row.want {
			if got := row.s.Level(time).Lambda(); !near(got, want, 1e-7) {
				t.Errorf("%s: ln(α/σ) at %g is %.9g, want %.9g", row.name, time, got, want)
			}
		}
		for _, time := range []float64{row.s.End(), 0.0123, 0.3, 0.77, 0.99} {
			l := row.s.Level(time)
			if got := row.s.TimeOf(l.Lambda()); !near(got, time, 1e-11) {
				t.Errorf("%s: time %g comes back as %.15g", row.name, time, got)
			}
			if sum := l.Alpha*l.Alpha + l.Sigma*l.Sigma; row.name != "flow" && !near(sum, 1, 1e-14) {
				t.Errorf("%s: α²+σ² = %.17g at %g", row.name, sum, time)
			}
		}
	}
	if l := linear.Level(1); !near(math.Log(l.Alpha), -5.025, 1e-12) || !near(linear.Level(1e-3).Sigma, .0104854163, 1e-10) {
		t.Errorf("linear at 1: %+v", l)
	}
	// Clipping leaves 996 levels, and the last is announced as 998.996 or by its own index.
	if got := cosine.Level(1).Time; !near(got, 998.996, 1e-3) || len(cosine.logs) != 996 {
		t.Errorf("%d levels, the last at %g", len(cosine.logs), got)
	}
	cosine.ExactIndex = true
	if got := cosine.Level(1).Time; !near(got, 995, 1e-9) {
		t.Errorf("exact index %g", got)
	}
	if got := sd.Level(0.4).Time; !near(got, 399, 1e-9) {
		t.Errorf("time %g", got)
	}
}

// Betas, tables and sigmas.
func TestTables(t *testing.T) {
	sd, err := NewTable(ScaledLinearBetas(0.00085, 0.012, 1000), false)
	if err != nil {
		t.Fatal(err)
	}
	if !near(sd.Ratio[0], .02916716, 5e-9) || !near(sd.Ratio[999], 14.614641, 5e-7) {
		t.Errorf("ratios %.9g to %.9g", sd.Ratio[0], sd.Ratio[999])
	}
	for _, time := range []float64{0, 0.5, 17.25, 998.5, 999} {
		if got := sd.RatioAt(sd.TimeOf(sd.RatioAt(math.Floor(time)))); got != sd.Ratio[int(time)] {
			t.Errorf("step %g comes back as ratio %g", time, got)
		}
	}
	if sd.RatioAt(-3) != sd.Ratio[0] || sd.RatioAt(5000) != sd.Ratio[999] || sd.TimeOf(0) != 0 || sd.TimeOf(1e9) != 999 {
		t.Error("times and ratios outside the table are not its ends")
	}
	dark, err := NewTable(ScaledLinearBetas(0.00085, 0.012, 1000), true)
	if err != nil {
		t.Fatal(err)
	}
	if dark.Signal[999] != 0 || dark.Step(999).Alpha != 0 || dark.Step(999).Sigma != 1 || !near(dark.Signal[0], sd.Signal[0], 1e-15) {
		t.Errorf("signal %g to %g", dark.Signal[0], dark.Signal[999])
	}
	if dark.Floor(0x1p-24); !near(dark.Ratio[999], 4096, 1e-3) {
		t.Errorf("ratio %g", dark.Ratio[999])
	}
	if b := SigmoidBetas(1e-4, 0.02, 1001); !near(b[500], 0.01005, 1e-15) || !(b[0] > 1e-4 && b[1000] < 0.02) {
		t.Errorf("sigmoid %g %g %g", b[0], b[500], b[1000])
	}
	if b := CosineBetas(1000); b[999] != 0.999 || !near(b[0], 4.128422482e-05, 1e-13) {
		t.Errorf("cosine %.10g to %g", b[0], b[999])
	}
	for name, f := range map[string]func(n int) ([]float64, error){
		"karras":      func(n int) ([]float64, error) { return KarrasSigmas(0.002, 80, 7, n) },
		"exponential": func(n int) ([]float64, error) { return ExponentialSigmas(0.002, 80, n) },
		"beta":        func(n int) ([]float64, error) { return BetaSigmas(0.002, 80, 0.6, 0.6, n) },
	} {
		for _, n := range []int{1, 2, 19} {
			s, err := f(n)
			if err != nil || len(s) != n || !near(s[0], 80, 1e-12) || n > 1 && !near(s[n-1], 0.002, 1e-15) {
				t.Errorf("%s: %v, %v", name, s, err)
			}
			for i := 1; i < n; i++ {
				if !(s[i] < s[i-1]) {
					t.Errorf("%s: sigma %d does not fall", name, i)
				}
			}
		}
	}
	// Of Karras et al., table 1, for 18 steps from 80 to 0.002 with rho 7: the second is 57.586.
	if s, _ := KarrasSigmas(0.002, 80, 7, 18); !near(s[1], 57.586, 5e-4) {
		t.Errorf("second sigma %g", s[1])
	}
}

// Quantiles of beta distributions that have a closed form: uniform, powers, and the arcsine law.
func TestBetaQuantile(t *testing.T) {
	for _, p := range []float64{0, 1e-9, 0.01, 0.3, 0.5, 0.77, 0.999, 1} {
		sin := math.Sin(math.Pi * p / 2)
		for _, row := range [][3]float64{{1, 1, p}, {2, 1, math.Sqrt(p)}, {1, 3, 1 - math.Cbrt(1-p)}, {0.5, 0.5, sin * sin}} {
			if got := betaQuantile(p, row[0], row[1]); !near(got, row[2], 2e-15) {
				t.Errorf("beta(%g, %g) at %g: %.17g, want %.17g", row[0], row[1], p, got, row[2])
			}
		}
	}
}
