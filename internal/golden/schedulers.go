package golden

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/diffusion"
)

// schedulerRow is a run of a scheduler of diffusers.
type schedulerRow struct {
	Name, Scheduler string
	Config          json.RawMessage
	Steps, NFE      int
	SetTimesteps    struct {
		Mu     float64
		Sigmas []float64
	} `json:"set_timesteps"`
	StepArgs struct {
		Eta    *float64
		SChurn float64 `json:"s_churn"`
		SNoise float64 `json:"s_noise"`
		STMin  float64 `json:"s_tmin"`
		STMax  float64 `json:"s_tmax"`
	} `json:"step_args"`

	Draws     int `json:"noise_draws"`
	Timesteps json.RawMessage
	Sigmas    []float64
	Init      *float64 `json:"init_noise_sigma"`
	X         [][]float64
	Result    []float64
}

// run runs a row, and returns the sample after every call of the network, the times of the calls and the
// number of draws.
func (row *schedulerRow) run(net [3]float64, xT []float64, noise [][]float64) (p *diffusion.Plan, x [][]float64, times []float64, draws int, err error) {
	s, err := diffusion.ParseScheduler(row.Config, row.Scheduler)
	if err != nil {
		return nil, nil, nil, 0, err
	}
	s.Compat = true
	a := row.StepArgs
	p, err = s.Plan(row.Steps, diffusion.PlanOptions{
		Mu: row.SetTimesteps.Mu, Sigmas: row.SetTimesteps.Sigmas, Eta: a.Eta,
		Churn: diffusion.Churn{Total: a.SChurn, Noise: a.SNoise, Least: a.STMin, Most: a.STMax},
	})
	if err != nil {
		return nil, nil, nil, 0, err
	}
	r := &diffusion.Run[float64]{
		X:       slices.Clone(xT),
		Denoise: diffusion.Wrap(p, toyNetwork(net, &times)),
		Noise: func(z []float64) {
			copy(z, noise[draws%len(noise)])
			draws++
		},
		After: func(_ diffusion.Progress, now []float64) error {
			x = append(x, slices.Clone(now))
			return nil
		},
	}
	for i := range r.X {
		r.X[i] *= p.Init
	}
	x = append(x, slices.Clone(r.X))
	err = diffusion.Solve(p, r)
	return p, x, times, draws, err
}

// trajectories checks every step of every run, the times, sigmas and draws too.
func trajectories(raw []byte) (cases []DiffusionCase, err error) {
	var g struct {
		Net   [3]float64
		XT    []float64 `json:"x_T"`
		Noise [][]float64
		Rows  []schedulerRow
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, err
	}
	for _, row := range g.Rows {
		p, x, times, draws, err := row.run(g.Net, g.XT, g.Noise)
		if err == nil {
			err = row.compare(p, x, times, draws)
		}
		cases = append(cases, DiffusionCase{fmt.Sprintf("%s, %d steps", row.Name, max(row.Steps, len(row.SetTimesteps.Sigmas))), err})
	}
	return cases, nil
}

func (row *schedulerRow) compare(p *diffusion.Plan, x [][]float64, times []float64, draws int) error {
	const tolerance = 1e-9
	var want []float64
	if err := json.Unmarshal(row.Timesteps, &want); err != nil {
		return err
	}
	if err := within("times", times, want, tolerance); err != nil {
		return err
	}
	if len(times) != row.NFE || draws != row.Draws || len(x) != len(row.X) {
		return fmt.Errorf("%d evaluations, %d draws, %d samples: want %d, %d, %d", len(times), draws, len(x), row.NFE, row.Draws, len(row.X))
	}
	if row.Init != nil {
		if err := within("init_noise_sigma", []float64{p.Init}, []float64{*row.Init}, tolerance); err != nil {
			return err
		}
	}
	if len(row.Sigmas) == len(p.Levels) {
		var sigmas []float64
		for _, l := range p.Levels {
			if math.Abs(l.Alpha+l.Sigma-1) > 1e-12 {
				l.Sigma /= l.Alpha
			}
			sigmas = append(sigmas, l.Sigma)
		}
		if err := within("sigmas", sigmas, row.Sigmas, tolerance); err != nil {
			return err
		}
	}
	most := 1.0
	for _, v := range slices.Concat(row.X...) {
		most = max(most, math.Abs(v))
	}
	for i, v := range x {
		if err := within(fmt.Sprintf("sample after call %d", i), v, row.X[i], tolerance); err != nil {
			return err
		}
	}
	return nil
}

// schedulers checks the last sample of runs of the float32 code: to 2e-5, and its times to six digits.
func schedulers(raw []byte) (cases []DiffusionCase, err error) {
	var g struct {
		Network string
		XT      string `json:"x_T"` // rows of numbers, and what they are multiplied by
		Rows    []schedulerRow
	}
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, err
	}
	net, err := toyOf(g.Network)
	if err != nil {
		return nil, err
	}
	var xT [][]float64
	if err := json.NewDecoder(strings.NewReader(g.XT)).Decode(&xT); err != nil {
		return nil, err
	}
	for _, row := range g.Rows {
		_, x, times, _, err := row.run(net, slices.Concat(xT...), nil)
		if err == nil {
			err = row.compareLast(x[len(x)-1], times)
		}
		cases = append(cases, DiffusionCase{fmt.Sprintf("%s, %d steps", row.Name, row.Steps), err})
	}
	return cases, nil
}

func (row *schedulerRow) compareLast(x, times []float64) error {
	var listed string // "first,second..last"
	if err := json.Unmarshal(row.Timesteps, &listed); err != nil {
		return err
	}
	var want [3]float64
	if _, err := fmt.Sscanf(strings.Replace(listed, "..", ",", 1), "%g,%g,%g", &want[0], &want[1], &want[2]); err != nil {
		return fmt.Errorf("timesteps %q: %w", listed, err)
	}
	if err := within("times", []float64{times[0], times[1], times[len(times)-1]}, want[:], 1e-6); err != nil {
		return err
	}
	if len(times) != row.NFE {
		return fmt.Errorf("%d evaluations, want %d", len(times), row.NFE)
	}
	for i, v := range x {
		if !(math.Abs(v-row.Result[i]) <= 2e-5) {
			return fmt.Errorf("element %d is %.8g, want %.8g", i, v, row.Result[i])
		}
	}
	return nil
}
