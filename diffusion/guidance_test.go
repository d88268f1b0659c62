package diffusion

import (
	"math"
	"slices"
	"testing"
)

// constant is a network that says one number.
func constant(v float64) Network[float64] {
	return func(dst, _ []float64, _ float64) error {
		for i := range dst {
			dst[i] = v
		}
		return nil
	}
}

// Every prediction of the same x0 and noise gives both back, and the slope, at every kind of level.
func TestPredictions(t *testing.T) {
	const data, noise = 0.7, -1.3
	for _, at := range []Level{VP(5, 14.6), VP(5, 1), VP(5, 0.03), VE(5, 14.6), VE(5, 0.03), Rectified(5, 0.9), Rectified(5, 0.01)} {
		x := []float64{at.Alpha*data + at.Sigma*noise}
		a, s := at.Alpha*at.Scale, at.Sigma*at.Scale
		outputs := map[Prediction]float64{Epsilon: noise, Sample: data, V: a*noise - s*data, Score: -noise / s, Flow: noise - data}
		for p, o := range outputs {
			if p == Flow && at.Alpha+at.Sigma != 1 {
				continue
			}
			var told, saw float64
			d := Predict(func(dst, x []float64, time float64) error {
				dst[0], saw, told = o, x[0], time
				return nil
			}, p)
			for form, want := range map[Form]float64{Data: data, Noise: noise, Slope: (x[0] - data) / at.Sigma} {
				got := []float64{math.NaN()}
				if err := d(got, x, at, form); err != nil {
					t.Fatal(err)
				}
				if (p == V || p == Epsilon || p == Sample || p == Score) && at.Alpha+at.Sigma == 1 {
					continue // a flow's level is none of theirs: α²+σ² is not 1
				}
				if !near(got[0], want, 1e-13/at.Sigma) {
					t.Errorf("%v at %+v, form %d: %.15g, want %.15g", p, at, form, got[0], want)
				}
			}
			if told != 5 || saw != x[0]*at.Scale {
				t.Errorf("%v: the network was asked at %g for %g", p, told, saw)
			}
		}
	}
	// An ideal network for normal data of deviation 0.5: F is such that x0 = x·data²/(σ²+data²).
	d := EDM(constant(0), 0.5)
	got := make([]float64, 1)
	if err := d(got, []float64{3}, VE(0, 2), Data); err != nil || !near(got[0], 3*0.25/4.25, 1e-15) {
		t.Errorf("EDM: %v, %v", got, err)
	}
}

func TestClassifierFree(t *testing.T) {
	cond := func(dst, x []float64, _ float64) error { copy(dst, []float64{1, 3, 2, -2}); return nil }
	uncond := func(dst, x []float64, _ float64) error { copy(dst, []float64{0, 1, 1, 1}); return nil }
	x, got := make([]float64, 4), make([]float64, 4)
	run := func(net Network[float64]) []float64 {
		if err := net(got, x, 0); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(got)
	}
	if got := run(ClassifierFree(cond, uncond, 2, 0, 1)); !slices.Equal(got, []float64{2, 5, 3, -5}) {
		t.Errorf("guided %v", got)
	}
	for _, plain := range []Network[float64]{ClassifierFree(cond, uncond, 1, 0, 1), ClassifierFree(cond, nil, 7, 0, 1)} {
		if got := run(plain); !slices.Equal(got, []float64{1, 3, 2, -2}) {
			t.Errorf("plain %v", got)
		}
	}
	// Rescaled by 1 each of the two samples has the deviation of the conditional output.
	whole := run(ClassifierFree(cond, uncond, 2, 1, 2))
	if !near(deviation(whole[:2]), deviation([]float64{1, 3}), 1e-14) || !near(deviation(whole[2:]), deviation([]float64{2, -2}), 1e-14) {
		t.Errorf("rescaled %v", whole)
	}
	half := run(ClassifierFree(cond, uncond, 2, 0.5, 2))
	for i, v := range []float64{2, 5, 3, -5} {
		if !near(half[i], (v+whole[i])/2, 1e-14) {
			t.Errorf("half rescaled %v", half)
		}
	}
	for _, first := range []bool{false, true} {
		both := func(dst, x []float64, _ float64) error {
			a, b := uncond, cond
			if first {
				a, b = cond, uncond
			}
			_ = a(dst[:4], x[:4], 0)
			return b(dst[4:], x[4:], 0)
		}
		if got := run(ClassifierFreeBatch(both, first, 2, 1, 2)); !slices.Equal(got, run(ClassifierFree(cond, uncond, 2, 1, 2))) {
			t.Errorf("in one batch: %v", got)
		}
	}
}

// The gradient moves the noise by -scale·σ·grad, and x0 and the slope with it.
func TestClassifierGuided(t *testing.T) {
	at := VP(0, 2)
	plain := Predict(constant(0.3), Epsilon)
	d := ClassifierGuided(plain, func(dst, _ []float64, _ Level) error { dst[0] = 0.5; return nil }, 4)
	x, e, x0, slope, was := []float64{1.1}, make([]float64, 1), make([]float64, 1), make([]float64, 1), make([]float64, 1)
	for form, dst := range [][]float64{x0, e, slope} {
		if err := d(dst, x, at, Form(form)); err != nil {
			t.Fatal(err)
		}
	}
	if err := plain(was, x, at, Slope); err != nil {
		t.Fatal(err)
	}
	if !near(e[0], 0.3-4*at.Sigma*0.5, 1e-15) || !near(at.Alpha*x0[0]+at.Sigma*e[0], x[0], 1e-14) || !near(slope[0], (x[0]-x0[0])/at.Sigma, 1e-14) {
		t.Errorf("noise %g, x0 %g, slope %g (without %g)", e[0], x0[0], slope[0], was[0])
	}
}

func TestThreshold(t *testing.T) {
	x := []float64{0.5, -3, 2, 0.1, 0.2, -0.3, 0.4, 0.1}
	// Of the first sample the quantile at 0.9·3 = 2.7 is 2 + 0.7·(3 - 2).
	if err := Limit[float64](Threshold{Ratio: 0.9, Least: 1, Batch: 2})(x); err != nil {
		t.Fatal(err)
	}
	want := []float64{0.5 / 2.7, -1, 2 / 2.7, 0.1 / 2.7, 0.2, -0.3, 0.4, 0.1}
	for i := range x {
		if !near(x[i], want[i], 1e-15) {
			t.Fatalf("%v, want %v", x, want)
		}
	}
	x = []float64{0.5, -3, 2, 0.1}
	if err := Limit[float64](Threshold{Ratio: 0.9, Least: 1, Most: 1})(x); err != nil || !slices.Equal(x, []float64{0.5, -1, 1, 0.1}) {
		t.Errorf("%v, %v", x, err)
	}
	x = []float64{0.5, -3, 2, 0.1}
	if err := Clip[float64](2)(x); err != nil || !slices.Equal(x, []float64{0.5, -2, 2, 0.1}) {
		t.Errorf("%v, %v", x, err)
	}
}

// A network that chooses the small variance is FixedSmall, the large one FixedLarge.
func TestLearnedVariance(t *testing.T) {
	table, err := NewTable(LinearBetas(1e-4, 0.02, 1000), false)
	if err != nil {
		t.Fatal(err)
	}
	grid := []Level{table.Step(900), table.Step(600), table.Step(300), table.Step(-1)}
	run := func(o Ancestral[float64]) []float64 {
		g := NewGenerator(3)
		r := &Run[float64]{X: start(), Denoise: FromData(mixtureData), Noise: func(z []float64) { Normal(g, z) }}
		if err := DDPM(r, grid, o); err != nil {
			t.Fatal(err)
		}
		return r.X
	}
	for choice, fixed := range map[float64]Variance{-1: FixedSmall, 1: FixedLarge} {
		learned := slices.Repeat([]float64{choice}, 9)
		got, want := run(Ancestral[float64]{Variance: LearnedRange, Learned: func() []float64 { return learned }}), run(Ancestral[float64]{Variance: fixed})
		for i := range got {
			if !near(got[i], want[i], 1e-13) {
				t.Errorf("choice %g: %v, want %v", choice, got, want)
			}
		}
	}
}

// Data runs up to noise and comes back; a picture is changed by as much as the strength says; what the mask
// leaves stays.
func TestEdits(t *testing.T) {
	s := LinearVP{0.1, 20}
	grid, err := Grid(s, LogSNR, 1, 1e-3, 400)
	if err != nil {
		t.Fatal(err)
	}
	orders := MultistepOrders(400, 2, false)
	picture := []float64{-1.2, -0.9, 0.1, 0.5, 1.4}
	r := &Run[float64]{X: slices.Clone(picture), Denoise: FromData(mixtureData)}
	if err := DPMMultistep(r, Reversed(grid), Multistep{Orders: orders}); err != nil {
		t.Fatal(err)
	}
	for i, x := range picture {
		if want := exact(x, grid[400], grid[0]); !near(r.X[i], want, 1e-3) {
			t.Errorf("%g is the noise %g, want %g", x, r.X[i], want)
		}
	}
	if err := DPMMultistep(r, grid, Multistep{Orders: orders}); err != nil {
		t.Fatal(err)
	}
	for i, x := range picture {
		if !near(r.X[i], x, 1e-3) {
			t.Errorf("%g came back as %g", x, r.X[i])
		}
	}

	part, err := Strength(grid, 0.3)
	if err != nil || len(part) != 121 || part[120] != grid[400] {
		t.Fatalf("%d levels, %v", len(part), err)
	}
	noise := make([]float64, 5)
	AddNoise(r.X, picture, noise, part[0])
	if err := DPMMultistep(r, part, Multistep{Orders: orders[:120]}); err != nil {
		t.Fatal(err)
	}
	for i, x := range picture {
		if want := exact(part[0].Alpha*x, part[0], part[120]); !near(r.X[i], want, 1e-3) {
			t.Errorf("%g became %g, want %g", x, r.X[i], want)
		}
	}

	mask := []float64{1, 1, 0, 0, 1}
	g := NewGenerator(7)
	Normal(g, noise)
	r.X = slices.Clone(noise)
	if r.After, err = Inpaint(mask, picture, noise); err != nil {
		t.Fatal(err)
	}
	toData := ToData(grid)
	if err := DPMMultistep(r, toData, Multistep{Orders: append(slices.Clone(orders), 1)}); err != nil {
		t.Fatal(err)
	}
	for i, x := range picture {
		if mask[i] == 0 && r.X[i] != x || mask[i] == 1 && r.X[i] == x {
			t.Errorf("element %d, mask %g: %g of %g", i, mask[i], r.X[i], x)
		}
	}
}
