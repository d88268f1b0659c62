package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/loader"
)

// A Solver is a method by name, beside the one that a folder's own scheduler names.
type Solver struct {
	Name   string // as in Request.Solver
	Title  string // what papers call it
	Order  int
	Noisy  bool   // draws noise at every step
	Calls  string // of the network, for n steps; guidance asks it two questions in each
	Eta    bool   // Request.Eta is an option
	Smooth bool   // runs on the continuous spacings too

	class  string // of diffusers
	keys   map[string]any
	method method
	form   diffusion.Form
}

// method is how a solver runs on a grid of the continuous schedule.
type method int

const (
	none method = iota
	multistep
	singlestep
	unipc
	deis
	adaptive
)

// Solvers returns the solvers.
func Solvers() []Solver {
	dpm := func(order int, algorithm, end string) map[string]any {
		return map[string]any{"solver_order": order, "algorithm_type": algorithm, "solver_type": "midpoint", "final_sigmas_type": end}
	}
	const multi, single = "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler"
	data, noise := diffusion.Data, diffusion.Noise
	list := []Solver{
		{Name: "ddim", Title: "DDIM", Order: 1, Eta: true, class: "DDIMScheduler", method: multistep, form: data},
		{Name: "ddpm", Title: "DDPM", Order: 1, Noisy: true, class: "DDPMScheduler"},
		{Name: "dpmpp-2m", Title: "DPM-Solver++ 2M", Order: 2, class: multi, keys: dpm(2, "dpmsolver++", "zero"), method: multistep, form: data},
		{Name: "dpmpp-3m", Title: "DPM-Solver++ 3M", Order: 3, class: multi, keys: dpm(3, "dpmsolver++", "zero"), method: multistep, form: data},
		{Name: "dpmpp-2s", Title: "DPM-Solver++ 2S", Order: 2, class: single, keys: dpm(2, "dpmsolver++", "zero"), method: singlestep, form: data},
		{Name: "dpmpp-3s", Title: "DPM-Solver++ 3S", Order: 3, class: single, keys: dpm(3, "dpmsolver++", "zero"), method: singlestep, form: data},
		{Name: "dpmpp-2m-sde", Title: "DPM-Solver++ 2M SDE", Order: 2, Noisy: true, class: multi, keys: dpm(2, "sde-dpmsolver++", "zero")},
		{Name: "dpmpp-sde", Title: "DPM-Solver++ SDE", Order: 2, Noisy: true, Calls: "2n-1", class: "DPMSolverSDEScheduler"},
		{Name: "dpm-2m", Title: "DPM-Solver 2M", Order: 2, class: multi, keys: dpm(2, "dpmsolver", "sigma_min"), method: multistep, form: noise},
		{Name: "dpm-3m", Title: "DPM-Solver 3M", Order: 3, class: multi, keys: dpm(3, "dpmsolver", "sigma_min"), method: multistep, form: noise},
		{Name: "dpm-2s", Title: "DPM-Solver-2", Order: 2, class: single, keys: dpm(2, "dpmsolver", "sigma_min"), method: singlestep, form: noise},
		{Name: "dpm-3s", Title: "DPM-Solver-3", Order: 3, class: single, keys: dpm(3, "dpmsolver", "sigma_min"), method: singlestep, form: noise},
		{Name: "dpm-adaptive", Title: "DPM-Solver-23", Order: 3, Calls: "as many as its tolerance takes", method: adaptive, form: data},
		{Name: "unipc-2", Title: "UniPC-2", Order: 2, class: "UniPCMultistepScheduler", keys: map[string]any{"solver_order": 2, "solver_type": "bh2", "predict_x0": true, "final_sigmas_type": "zero"}, method: unipc, form: data},
		{Name: "unipc-3", Title: "UniPC-3", Order: 3, class: "UniPCMultistepScheduler", keys: map[string]any{"solver_order": 3, "solver_type": "bh2", "predict_x0": true, "final_sigmas_type": "zero"}, method: unipc, form: data},
		{Name: "deis-2", Title: "DEIS 2M", Order: 2, class: "DEISMultistepScheduler", keys: map[string]any{"solver_order": 2, "algorithm_type": "deis", "solver_type": "logrho"}, method: deis, form: noise},
		{Name: "deis-3", Title: "DEIS 3M", Order: 3, class: "DEISMultistepScheduler", keys: map[string]any{"solver_order": 3, "algorithm_type": "deis", "solver_type": "logrho"}, method: deis, form: noise},
		{Name: "pndm", Title: "PNDM (PLMS)", Order: 4, Calls: "n+1", class: "PNDMScheduler", keys: map[string]any{"skip_prk_steps": true, "timestep_spacing": "leading"}},
		{Name: "lms", Title: "LMS", Order: 4, class: "LMSDiscreteScheduler"},
		{Name: "euler", Title: "Euler", Order: 1, class: "EulerDiscreteScheduler"},
		{Name: "euler-a", Title: "Euler ancestral", Order: 1, Noisy: true, class: "EulerAncestralDiscreteScheduler"},
		{Name: "heun", Title: "Heun", Order: 2, Calls: "2n-1", class: "HeunDiscreteScheduler"},
		{Name: "dpm2", Title: "DPM2", Order: 2, Calls: "2n-1", class: "KDPM2DiscreteScheduler"},
		{Name: "dpm2-a", Title: "DPM2 ancestral", Order: 2, Noisy: true, Calls: "2n-1", class: "KDPM2AncestralDiscreteScheduler"},
		{Name: "lcm", Title: "LCM", Order: 1, Noisy: true, class: "LCMScheduler"},
		{Name: "tcd", Title: "TCD", Order: 1, Noisy: true, Eta: true, class: "TCDScheduler"},
	}
	for i := range list {
		if list[i].Calls == "" {
			list[i].Calls = "n"
		}
		list[i].Smooth = list[i].method != none
	}
	return list
}

// FindSolver returns the solver of a name.
func FindSolver(name string) (Solver, error) {
	var names []string
	for _, s := range Solvers() {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Solver{}, fmt.Errorf("solver %q: want one of %s", clip(name), strings.Join(names, ", "))
}

// The spacings of diffusers, and those of a schedule that is continuous in time.
var (
	spaced     = []string{"linspace", "leading", "trailing"}
	respaced   = map[string]string{"karras": "use_karras_sigmas", "exponential": "use_exponential_sigmas", "beta": "use_beta_sigmas", "lu": "use_lu_lambdas"}
	continuous = map[string]diffusion.Spacing{"logsnr": diffusion.LogSNR, "time": diffusion.TimeUniform, "quadratic": diffusion.TimeQuadratic}
)

// Spacings returns the names of the spacings of steps: three of training steps and four of σ as diffusers
// has them, and three of the continuous schedule of DPM-Solver's authors, which ends at the first training
// step and not at data.
func Spacings() []string {
	return append(slices.Clone(spaced), "karras", "exponential", "beta", "lu", "logsnr", "time", "quadratic")
}

// spacingKeys are the keys of a scheduler's configuration for a spacing that is not continuous.
func spacingKeys(name string) (map[string]any, error) {
	keys := map[string]any{}
	if name == "" {
		return keys, nil
	}
	for _, key := range respaced {
		keys[key] = false
	}
	keys["use_flow_sigmas"] = false
	switch key, ok := respaced[name]; {
	case ok:
		keys[key] = true
	case slices.Contains(spaced, name):
		keys["timestep_spacing"] = name
	default:
		return nil, fmt.Errorf("spacing %q: want one of %s", clip(name), strings.Join(Spacings(), ", "))
	}
	return keys, nil
}

// merge sets keys of a JSON object.
func merge(data []byte, changes map[string]any) ([]byte, error) {
	if len(changes) == 0 {
		return data, nil
	}
	var keys map[string]any
	if err := json.Unmarshal(loader.StandardJSON(data), &keys); err != nil {
		return nil, err
	}
	if keys == nil {
		return nil, fmt.Errorf("found null, expected an object")
	}
	const unset = "_use_default_values"
	if list, ok := keys[unset].([]any); ok {
		keys[unset] = slices.DeleteFunc(list, func(key any) bool {
			name, _ := key.(string)
			_, set := changes[name]
			return set
		})
	}
	for key, value := range changes {
		keys[key] = value
	}
	return json.Marshal(keys)
}

// run moves a run along n steps of a continuous schedule, or back.
func (s Solver) run(r *diffusion.Run[float64], c smooth) error {
	orders := diffusion.MultistepOrders(c.steps, s.Order, c.steps < 10)
	var err error
	switch s.method {
	case adaptive:
		if c.back {
			return fmt.Errorf("%s does not run backwards: want another solver", s.Name)
		}
		_, err := diffusion.DPMAdaptive(r, c.schedule, 1, c.schedule.End(), diffusion.Adaptive{Order: s.Order, Form: s.form, Absolute: c.tolerance, Relative: c.tolerance})
		return err
	case singlestep:
		if orders, err = diffusion.FastOrders(c.steps, s.Order); err != nil {
			return err
		}
		from, to := c.ends()
		grid, err := diffusion.SinglestepGrid(c.schedule, c.spacing, from, to, orders)
		if err != nil {
			return err
		}
		// Compat is a departure of diffusers, whose grids these are not.
		return diffusion.DPMSinglestep(r, grid, diffusion.Singlestep{Stages: diffusion.Stages(orders), Form: s.form})
	}
	from, to := c.ends()
	grid, err := diffusion.Grid(c.schedule, c.spacing, from, to, c.steps)
	if err != nil {
		return err
	}
	switch s.method {
	case unipc:
		return diffusion.UniPCMultistep(r, grid, diffusion.UniPC{Orders: diffusion.MultistepOrders(c.steps, s.Order, true), Form: s.form, Compat: c.compat})
	case deis:
		return diffusion.DEIS(r, grid, orders)
	}
	return diffusion.DPMMultistep(r, grid, diffusion.Multistep{Orders: orders, Form: s.form, Compat: c.compat})
}

// smooth is a number of steps of a continuous schedule.
type smooth struct {
	schedule  *diffusion.DiscreteVP
	spacing   diffusion.Spacing
	steps     int
	back      bool // from data to noise
	compat    bool
	tolerance float64 // of dpm-adaptive
}

// ends are the times that the steps go from and to.
func (c smooth) ends() (from, to float64) {
	if c.back {
		return c.schedule.End(), 1
	}
	return 1, c.schedule.End()
}
