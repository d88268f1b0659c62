package diffusion

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// tanh is a network without weights.
func tanh[F Float](dst, x []F, t float64) error {
	for i, v := range x {
		dst[i] = F(0.5*math.Tanh(float64(v)) + 0.1*math.Cos(t/300))
	}
	return nil
}

// plan makes a plan of a config; class and prediction are in it.
func plan(class, config string, n int) (*Plan, error) {
	s, err := ParseScheduler([]byte(config), class)
	if err != nil {
		return nil, err
	}
	return s.Plan(n, PlanOptions{Mu: 1})
}

// sampled runs a plan of 20 numbers. It also returns the largest number on the way.
func sampled[F Float](p *Plan, net Network[F]) (x []F, most float64, err error) {
	x = make([]F, 20)
	g := NewGenerator(1)
	Normal(g, x)
	for i := range x {
		x[i] *= F(p.Init)
		most = max(most, math.Abs(float64(x[i])))
	}
	r := &Run[F]{X: x, Denoise: Wrap(p, net), Noise: func(z []F) { Normal(g, z) }, After: func(_ Progress, x []F) error {
		for _, v := range x {
			most = max(most, math.Abs(float64(v)))
		}
		return nil
	}}
	return r.X, most, Solve(p, r)
}

// Every class, with every spacing and end, for few steps and many, is finite in float32 and float64, close
// to each other, and has the same bits twice; or it is refused.
func TestEnds(t *testing.T) {
	ran, refused := 0, 0
	for class := range classes {
		for _, flag := range []string{"", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "use_flow_sigmas"} {
			for _, rest := range []string{
				`"final_sigmas_type":"zero"`, `"final_sigmas_type":"sigma_min"`, `"final_sigmas_type":"sigma_min","solver_type":"heun","solver_order":3`,
				`"final_sigmas_type":"sigma_min","algorithm_type":"dpmsolver","predict_x0":false,"solver_type":"bh1"`, `"solver_type":"bh1"`, `"predict_x0":false`,
				`"timestep_spacing":"trailing","rescale_betas_zero_snr":true,"prediction_type":"v_prediction"`, `"timestep_spacing":"leading","steps_offset":1`,
				`"algorithm_type":"sde-dpmsolver++","solver_order":3`, `"beta_schedule":"squaredcos_cap_v2","lambda_min_clipped":-5.1`,
			} {
				for _, n := range []int{1, 2, 3, 16} {
					config := fmt.Sprintf(`{"%s":true,%s}`, flag, rest)
					p, err := plan(class, config, n)
					if err != nil {
						refused++
						continue
					}
					ran++
					x, most, err := sampled(p, tanh[float64])
					if err != nil {
						t.Fatalf("%s %s %d: %v", class, config, n, err)
					}
					again, _, _ := sampled(p, tanh[float64])
					y, _, err := sampled(p, tanh[float32])
					if err != nil {
						t.Fatalf("%s %s %d: %v", class, config, n, err)
					}
					if !slices.Equal(x, again) {
						t.Fatalf("%s %s %d: twice different", class, config, n)
					}
					for i, v := range x {
						// Every update rounds x, which is σ/α times as large in units of the data, to 2⁻²⁴; the sum of
						// roundings, and what steps make of them, stays below 2⁸ of these.
						if d := math.Abs(v - float64(y[i])); !(d <= 0x1p-16*max(1, most)/max(p.Levels[0].Alpha, 1e-4)) {
							t.Fatalf("%s %s %d: element %d is %g in float64 and %g in float32", class, config, n, i, v, y[i])
						}
					}
				}
			}
		}
	}
	if ran < 2000 {
		t.Errorf("%d plans ran, %d were refused", ran, refused)
	}
}

// A run allocates at its first step and never again.
func TestAllocations(t *testing.T) {
	for class := range classes {
		for _, config := range []string{`{}`, `{"algorithm_type":"sde-dpmsolver++","solver_order":3,"thresholding":true}`} {
			p, err := plan(class, config, 12)
			if err != nil {
				continue
			}
			g := NewGenerator(1)
			r := &Run[float32]{X: make([]float32, 64), Denoise: Wrap(p, tanh[float32]), Noise: func(z []float32) { Normal(g, z) },
				After: func(Progress, []float32) error { return nil }}
			run := func() {
				Normal(g, r.X)
				if err := Solve(p, r); err != nil {
					t.Fatal(class, err)
				}
			}
			// A closure for corrections and one for levels are made for each run, not for each step.
			if n := testing.AllocsPerRun(5, run); n > 3 {
				t.Errorf("%s %s: %g allocations a run", class, config, n)
			}
		}
	}
	o := Adaptive{Order: 3}
	r := &Run[float64]{X: start(), Denoise: FromData(mixtureData)}
	s := Schedule(LinearVP{0.1, 20})
	if n := testing.AllocsPerRun(5, func() {
		copy(r.X, start())
		if _, err := DPMAdaptive(r, s, 1, 1e-3, o); err != nil {
			t.Fatal(err)
		}
	}); n > 4 {
		t.Errorf("adaptive: %g allocations a run", n)
	}
}

// What diffusers computes as NaN has a limit here, and Compat refuses it.
func TestUniPCToZero(t *testing.T) {
	for _, config := range []string{`{"solver_type":"bh1"}`, `{"predict_x0":false}`} {
		s, err := ParseScheduler([]byte(config), "UniPCMultistepScheduler")
		if err != nil {
			t.Fatal(err)
		}
		for _, compat := range []bool{false, true} {
			s.Compat = compat
			p, err := s.Plan(5, PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			x, _, err := sampled(p, tanh[float64])
			if compat != (err != nil) {
				t.Errorf("%s, compat %t: %v", config, compat, err)
			}
			for _, v := range x {
				if v-v != 0 {
					t.Fatalf("%s: %v", config, v)
				}
			}
		}
	}
}

// Steps of no length change nothing, and short ones are as exact as long ones.
func TestPhi(t *testing.T) {
	for _, h := range []float64{-9, -0.51, -0.49, -1e-3, -1e-9, 1e-9, 1e-4, 0.3, 0.499, 0.501, 4} {
		_, p2, p3 := phi(h)
		w2, w3, f := 0.0, 0.0, 1.0
		for k := 1; k < 80; k++ { // Σ h^k/(k+1)! and Σ h^k/(k+2)!
			f *= h / float64(k+1)
			w2 += f
			w3 += f / float64(k+2)
		}
		if math.Abs(h) > 1 { // the series cancels
			continue
		}
		if !(math.Abs(p2-w2) <= 1e-15+4e-15*math.Abs(w2)) || !(math.Abs(p3-w3) <= 1e-15+4e-15*math.Abs(w3)) {
			t.Errorf("h = %g: %g, %g, want %g, %g", h, p2, p3, w2, w3)
		}
		for j, w := range []float64{p2, p3} {
			if got := tail(h, j+1); !(math.Abs(got-w) <= 1e-15+4e-15*math.Abs(w)) {
				t.Errorf("h = %g, tail %d: %g, want %g", h, j+1, got, w)
			}
		}
	}
	if p1, p2, p3 := phi(0); p1 != 0 || p2 != 0 || p3 != 0 {
		t.Errorf("at 0: %g %g %g", p1, p2, p3)
	}
}

// Bad parameters are refused with an error that says what is wrong.
func TestRefusals(t *testing.T) {
	s := LinearVP{0.1, 20}
	grid, _ := Grid(s, LogSNR, 1, 1e-3, 4)
	jump := slices.Clone(grid)
	jump[1], jump[2] = jump[2], jump[1]
	nan := slices.Clone(grid)
	nan[1].Alpha = math.NaN()
	dark := slices.Clone(grid)
	dark[0].Alpha = 0
	clean := slices.Clone(grid)
	clean[1].Sigma = 0
	run := func() *Run[float64] { return &Run[float64]{X: start(), Denoise: FromData(mixtureData)} }
	orders := MultistepOrders(4, 2, false)
	ve := []Level{VE(0, 3), VE(0, 1), VE(0, 0)}
	at := func(sigma float64) Level { return VE(0, sigma) }
	second := func(_ any, err error) error { return err }
	for want, err := range map[string]error{
		"at least 2":             DPMMultistep(run(), grid[:1], Multistep{}),
		"one way":                DPMMultistep(run(), jump, Multistep{Orders: orders}),
		"finite numbers, α":      DPMMultistep(run(), nan, Multistep{Orders: orders}),
		"no signal":              DPMMultistep(run(), dark, Multistep{Orders: orders}),
		"has no noise":           DPMMultistep(run(), clean, Multistep{Orders: orders}),
		"orders for 4 steps":     DPMMultistep(run(), grid, Multistep{}),
		"order 2 at step 1":      DPMMultistep(run(), grid, Multistep{Orders: []int{2, 2, 2, 2}}),
		"without noise, want 1":  DPMMultistep(run(), ToData(grid), Multistep{Orders: MultistepOrders(5, 2, false)}),
		"SDE of the noise form":  DPMMultistep(run(), ToData(grid), Multistep{Orders: MultistepOrders(5, 1, false), Form: Noise, Stochastic: true}),
		"run backwards":          DPMMultistep(run(), Reversed(grid), Multistep{Orders: orders, Stochastic: true}),
		"needs Run.Noise":        DPMMultistep(run(), grid, Multistep{Orders: orders, Stochastic: true}),
		"want both":              DPMMultistep(&Run[float64]{}, grid, Multistep{Orders: orders}),
		"sample is NaN":          DPMMultistep(&Run[float64]{X: []float64{math.NaN()}, Denoise: FromData(mixtureData)}, grid, Multistep{Orders: orders}),
		"form 2, want Data":      DPMMultistep(run(), grid, Multistep{Orders: orders, Form: Slope}),
		"in turn":                DPMSinglestep(run(), grid, Singlestep{Stages: []int{1, 3, 1, 2}}),
		"that direction only":    second(DPMAdaptive(run(), s, 1e-3, 1, Adaptive{Order: 2})),
		"order 2 or 3":           second(DPMAdaptive(run(), s, 1, 1e-3, Adaptive{Order: 4})),
		"after 3 attempts":       second(DPMAdaptive(run(), s, 1, 1e-3, Adaptive{Order: 3, MaxSteps: 3})),
		"eta 2":                  DDIM(run(), grid, Implicit[float64]{Eta: 2}),
		"eta 0 to run backwards": DDIM(run(), Reversed(grid), Implicit[float64]{Eta: 1}),
		"rising signal":          DDPM(run(), Reversed(grid), Ancestral[float64]{}),
		"LearnedRange with":      DDPM(run(), grid, Ancestral[float64]{Variance: LearnedRange}),
		"α = 1, or where flows":  Euler(run(), grid, Churn{}),
		"not negative":           Euler(run(), ve, Churn{Total: -1}),
		"falling noise":          EulerAncestral(run(), Reversed(ve[:2])),
		"needs Run.Noise ":       fmt.Errorf("%w ", KDPM2(run(), ve, at, true)),
		"order 5, want 1 to 4":   LMS(run(), ve, 5),
		"pairs of levels":        PNDM(run(), grid, make([][2]Level, 2)),
		"scaling of 0":           LCM(run(), grid, 0),
		"inner levels for 4":     TCD(run(), grid, nil),
		"want less noise":        TCD(run(), grid, []Level{grid[0], grid[2], grid[3], grid[4]}),
		"order of 1 to 3":        second(FastOrders(10, 4)),
		"steps of spacing":       second(Grid(s, LogSNR, 1, 1e-3, 0)),
		"positive ends":          second(KarrasSigmas(0, 1, 7, 4)),
		"rho 0":                  second(KarrasSigmas(1, 2, 0, 4)),
		"beta distribution":      second(BetaSigmas(1, 2, 0, 1, 4)),
		"10,000":                 second(NewLinearVP(1, 0.5)),
		"shift of -1":            second(NewRectifiedFlow(-1)),
		"between 0 and 1":        second(NewTable([]float64{0.1, 1}, false)),
		"2 to":                   second(NewTable(nil, false)),
		"or more, want 2":        second(NewDiscreteVP(LinearBetas(1e-4, 0.02, 1000), 99)),
		"leaves none":            second(Strength(grid, 0.1)),
		"strength NaN":           second(Strength(grid, math.NaN())),
		"as many of each":        second(Inpaint(start(), start(), []float64{1})),
		"predicts the epsilon":   Predict(tanh[float64], Epsilon)(make([]float64, 9), start(), dark[0], Data),
		"Prediction(9)":          Predict(tanh[float64], 9)(make([]float64, 9), start(), grid[0], Noise),
		"threshold":              Limit[float64](Threshold{})(start()),
		"positive limit":         Clip[float64](0)(start()),
		"rescale 2":              ClassifierFree(tanh[float64], tanh[float64], 3, 2, 1)(make([]float64, 9), start(), 0),
		"equal length":           ClassifierFree(tanh[float64], tanh[float64], 3, 0, 2)(make([]float64, 9), start(), 0),
		"EDM":                    EDM(tanh[float64], 0)(make([]float64, 9), start(), ve[0], Data),
	} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "diffusion: ") {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if err := EulerAncestral(run(), ve); !errors.Is(err, ErrNoise) {
		t.Errorf("%v is not ErrNoise", err)
	}
}

// Configs are read over the defaults of their class, and refused where they cannot run.
func TestConfigs(t *testing.T) {
	s, err := ParseScheduler([]byte(`{"_class_name":"PNDMScheduler","lambda_min_clipped":-Infinity,"name":"a \"NaN\" b","beta_end":0.03,
		"unknown":[1],"prediction_type":"sample","_use_default_values":["prediction_type"]}`), "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Class() != "PNDMScheduler" || s.Predicts() != Epsilon || s.cfg.Spacing != "leading" || s.cfg.BetaEnd != 0.03 || s.cfg.LambdaMin != nil {
		t.Errorf("%+v", s.cfg)
	}
	if s, err = ParseScheduler([]byte(`{"_class_name":"PNDMScheduler","set_alpha_to_one":true}`), "FlowMatchEulerDiscreteScheduler"); err != nil || s.Predicts() != Flow {
		t.Errorf("%v, %v", s, err)
	}
	if mu := s.Mu(4096); mu != 1.15 || s.Mu(256) != 0.5 {
		t.Errorf("mu %g, %g", mu, s.Mu(256))
	}
	for want, row := range map[string]struct {
		class, config string
		n             int
	}{
		"class \"\": want one of":    {"", `{}`, 1},
		"end of JSON":                {"", `{`, 1},
		"beta_schedule":              {"DDIMScheduler", `{"beta_schedule":"x"}`, 1},
		"num_train_timesteps 1:":     {"DDIMScheduler", `{"num_train_timesteps":1}`, 1},
		"prediction_type":            {"DDIMScheduler", `{"prediction_type":"x"}`, 1},
		"timestep_spacing":           {"DDIMScheduler", `{"timestep_spacing":"x"}`, 1},
		"more than one of":           {"DDIMScheduler", `{"use_karras_sigmas":true,"use_beta_sigmas":true}`, 1},
		"final_sigmas_type \"x\"":    {"DDIMScheduler", `{"final_sigmas_type":"x"}`, 1},
		"solver_order 4":             {"UniPCMultistepScheduler", `{"solver_order":4}`, 1},
		"sample_max_value 0.5":       {"DDIMScheduler", `{"thresholding":true,"sample_max_value":0.5}`, 1},
		"2 trained_betas for 1000":   {"DDIMScheduler", `{"trained_betas":[0.1,0.2]}`, 1},
		"beta 0 of 1000":             {"DDIMScheduler", `{"beta_start":-1}`, 1},
		"0 steps, want 1 to 1000":    {"DDIMScheduler", `{}`, 0},
		"fewer steps or a smaller":   {"DDIMScheduler", `{"steps_offset":1}`, 1000},
		"want sigma_min, or the ++":  {"DPMSolverMultistepScheduler", `{"algorithm_type":"dpmsolver"}`, 5},
		"algorithm_type \"x\": want": {"DPMSolverMultistepScheduler", `{"algorithm_type":"x"}`, 5},
		"or dpmsolver with sigma":    {"DPMSolverSinglestepScheduler", `{"algorithm_type":"dpmsolver"}`, 5},
		"Runge-Kutta start":          {"PNDMScheduler", `{}`, 3},
		"side by side":               {"PNDMScheduler", `{"timestep_spacing":"linspace"}`, 7},
		"original_inference_steps":   {"LCMScheduler", `{}`, 51},
		"variance_type":              {"DDPMScheduler", `{"variance_type":"fixed_large_log"}`, 5},
		"not for this class":         {"EulerDiscreteScheduler", `{"use_flow_sigmas":true}`, 5},
		"invert_sigmas":              {"FlowMatchEulerDiscreteScheduler", `{"invert_sigmas":true}`, 5},
		"steps_offset -1":            {"DDIMScheduler", `{"steps_offset":-1}`, 5},
	} {
		if _, err := plan(row.class, row.config, row.n); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// Of an odd jump the network is told the second half's time at both stages halfway.
func TestHalfway(t *testing.T) {
	p, err := plan("PNDMScheduler", `{}`, 12)
	if err != nil {
		t.Fatal(err)
	}
	h := p.halfway[0]
	if table := p.scheduler.table; h[0].Time != 830+41 || h[1] != table.Step(830+41) || h[0].Alpha != table.Step(913-41).Alpha {
		t.Errorf("from %g halfway at %+v", p.Levels[0].Time, h)
	}
}

// What a coefficient of 0 multiplies is left out, even what is not finite: buffers may hold anything.
func TestCombine(t *testing.T) {
	x, junk := []float64{2, 3}, []float64{math.NaN(), math.Inf(1)}
	if combine(x, term[float64]{2, x}, term[float64]{0, junk}, term[float64]{0, nil}); x[0] != 4 || x[1] != 6 {
		t.Error(x)
	}
}

// FuzzScheduler: a config is refused, or runs to finite numbers.
func FuzzScheduler(f *testing.F) {
	for class := range classes {
		f.Add([]byte(`{"_class_name":"`+class+`","solver_order":3,"use_karras_sigmas":true}`), 4)
		f.Add([]byte(`{"_class_name":"`+class+`","num_train_timesteps":20,"beta_start":0.01,"thresholding":true,"shift":3}`), 9)
	}
	f.Fuzz(func(t *testing.T, config []byte, n int) {
		var size struct {
			N int `json:"num_train_timesteps"`
		}
		if _ = json.Unmarshal(config, &size); size.N > 5000 || n > 200 {
			return
		}
		p, err := plan("", string(config), n)
		if err != nil {
			return
		}
		x, _, err := sampled(p, tanh[float64])
		if err != nil {
			return
		}
		for i, v := range x {
			if v != v {
				t.Fatalf("element %d is %v", i, v)
			}
		}
	})
}
