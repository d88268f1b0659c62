package diffusion

import (
	"math"
	"testing"
)

// curve is what the network is replaced by: values that depend on λ alone, so that a solution is an integral.
func curve(lambda float64) float64 { return math.Sin(1.3*lambda) + 0.2*lambda }

// integral of e^(k·λ)·curve(λ) by Simpson's rule.
func weighted(k, a, b float64) float64 {
	const n = 20000
	h, sum := (b-a)/n, 0.0
	for i := range n + 1 {
		w := 2.0 + float64(i%2)*2
		if i == 0 || i == n {
			w = 1
		}
		l := a + float64(i)*h
		sum += w * math.Exp(k*l) * curve(l)
	}
	return sum * h / 3
}

// TestQuadrature finds a wrong sign of any single coefficient: it changes the order. The SDE forms run
// without noise, where their drift is that of the data form twice. Order 3 of the noise form is missing: its
// first step, of order 1, has most of the integral.
func TestQuadrature(t *testing.T) {
	s := LinearVP{0.1, 20}
	const from, to = 1, 1e-3
	a, b := s.Level(from), s.Level(to)
	for _, row := range []struct {
		name      string
		run       solver
		noise     bool // the curve is ε
		twice     bool
		low, high float64
	}{
		{"data 1", multistep(1, Multistep{}), false, false, 0.9, 1.1},
		{"data 2", multistep(2, Multistep{}), false, false, 1.9, 2.1},
		{"data 2 taylor", multistep(2, Multistep{Taylor: true}), false, false, 1.9, 2.1},
		{"data 3", multistep(3, Multistep{}), false, false, 2.85, 3.15},
		{"data 3 compat", multistep(3, Multistep{Compat: true}), false, false, 1.9, 2.1},
		{"noise 1", multistep(1, Multistep{Form: Noise}), true, false, 0.9, 1.1},
		{"noise 2", multistep(2, Multistep{Form: Noise}), true, false, 1.9, 2.1},
		{"noise 3 compat", multistep(3, Multistep{Form: Noise, Compat: true}), true, false, 1.9, 2.1},
		{"single 2", singlestep(2, Singlestep{}), false, false, 1.9, 2.1},
		{"single 3", singlestep(3, Singlestep{}), false, false, 2.85, 4.2},
		{"single 3 taylor", singlestep(3, Singlestep{Taylor: true}), false, false, 2.85, 4.2},
		{"single 3 noise taylor", singlestep(3, Singlestep{Form: Noise, Taylor: true}), true, false, 2.85, 4.2},
		{"sde 1", multistep(1, Multistep{Stochastic: true}), false, true, 0.9, 1.1},
		{"sde 2", multistep(2, Multistep{Stochastic: true}), false, true, 1.9, 2.1},
		{"sde 2 taylor", multistep(2, Multistep{Stochastic: true, Taylor: true}), false, true, 1.9, 2.1},
		{"sde 3", multistep(3, Multistep{Stochastic: true}), false, true, 2.85, 3.15},
		{"sde 3 compat", multistep(3, Multistep{Stochastic: true, Compat: true}), false, true, 0.85, 1.15},
		{"UniPC 3", unipc(3, UniPC{}), false, false, 3.8, 4.2},
	} {
		var want float64
		switch {
		case row.noise:
			want = b.Alpha/a.Alpha*0.7 - b.Alpha*weighted(-1, a.Lambda(), b.Lambda())
		case row.twice:
			want = b.Sigma * math.Exp(-b.Lambda()) * (0.7*math.Exp(a.Lambda())/a.Sigma + 2*weighted(2, a.Lambda(), b.Lambda()))
		default:
			want = b.Sigma * (0.7/a.Sigma + weighted(1, a.Lambda(), b.Lambda()))
		}
		var errors [2]float64
		for i, n := range []int{384, 768} {
			grid, err := Grid(s, LogSNR, from, to, n)
			if err != nil {
				t.Fatal(err)
			}
			r := &Run[float64]{X: []float64{0.7}, Noise: func(z []float64) { clear(z) }, Denoise: func(dst, _ []float64, l Level, form Form) error {
				if (form == Noise) != row.noise {
					t.Fatal(row.name, " asks for another form")
				}
				dst[0] = curve(l.Lambda())
				return nil
			}}
			if err := row.run(r, grid); err != nil {
				t.Fatal(row.name, err)
			}
			errors[i] = math.Abs(r.X[0] - want)
		}
		if slope := math.Log2(errors[0] / errors[1]); !(slope >= row.low && slope <= row.high) {
			t.Errorf("%s: errors %.3g, slope %.3f, want %g to %g", row.name, errors, slope, row.low, row.high)
		}
	}
}

// TestMarginals holds every stochastic step to the forward process: of data that is one point, x keeps mean
// α·x0 and variance σ², whatever share of noise is fresh. Where the drift is exact for such data.
func TestMarginals(t *testing.T) {
	table, err := NewTable(ScaledLinearBetas(0.00085, 0.012, 1000), false)
	if err != nil {
		t.Fatal(err)
	}
	vp := []Level{table.Step(900), table.Step(500), table.Step(200)}
	var ve []Level
	for _, l := range vp {
		ve = append(ve, asVE(l))
	}
	at := func(sigma float64) Level { return VE(0, sigma) }
	flow := []Level{Rectified(0, 0.9), Rectified(0, 0.5), Rectified(0, 0.2)}
	for name, row := range map[string]struct {
		grid []Level
		run  solver
	}{
		"sde data 1": {vp, multistep(1, Multistep{Stochastic: true})},
		"sde data 2": {vp, multistep(2, Multistep{Stochastic: true})},
		"sde data 3": {vp, multistep(3, Multistep{Stochastic: true})},
		"DDIM 0":     {vp, func(r *Run[float64], g []Level) error { return DDIM(r, g, Implicit[float64]{}) }},
		"DDIM 0.6":   {vp, func(r *Run[float64], g []Level) error { return DDIM(r, g, Implicit[float64]{Eta: 0.6}) }},
		"DDIM 1":     {vp, func(r *Run[float64], g []Level) error { return DDIM(r, g, Implicit[float64]{Eta: 1}) }},
		"DDPM":       {vp, func(r *Run[float64], g []Level) error { return DDPM(r, g, Ancestral[float64]{}) }},
		"ancestral":  {ve, EulerAncestral[float64]},
		"DPM2 a":     {ve, func(r *Run[float64], g []Level) error { return KDPM2(r, g, at, true) }},
		"DPM++ SDE":  {ve, func(r *Run[float64], g []Level) error { return DPMSDE(r, g, at) }},
		"resample":   {flow, Resample[float64]},
		"TCD":        {vp, func(r *Run[float64], g []Level) error { return TCD(r, g, []Level{table.Step(300), table.Step(200)}) }},
	} {
		const data = 0.8
		// The sample is linear in the start and in every draw.
		solve := func(x float64, unit int) float64 {
			draw := -1
			r := &Run[float64]{X: []float64{x}, Noise: func(z []float64) {
				if draw++; draw == unit {
					z[0] = 1
				} else {
					z[0] = 0
				}
			}, Denoise: FromData(func(dst, _ []float64, _ Level) error {
				dst[0] = data
				return nil
			})}
			if err := row.run(r, row.grid); err != nil {
				t.Fatal(name, err)
			}
			return r.X[0]
		}
		first, last := row.grid[0], row.grid[2]
		mean := solve(first.Alpha*data, -1)
		kept := solve(first.Alpha*data+1, -1) - mean
		variance := kept * kept * first.Sigma * first.Sigma
		for unit := range 6 {
			c := solve(first.Alpha*data, unit) - mean
			variance += c * c
		}
		if !(math.Abs(mean-last.Alpha*data) < 1e-13) || !(math.Abs(variance-last.Sigma*last.Sigma) < 1e-13) {
			t.Errorf("%s: mean %.15g, variance %.15g, want %.15g and %.15g", name, mean, variance, last.Alpha*data, last.Sigma*last.Sigma)
		}
	}
}
