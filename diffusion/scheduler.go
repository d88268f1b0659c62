package diffusion

import (
	"fmt"
	"math"
)

// A Scheduler is a scheduler_config.json of diffusers: a solver with its noise levels and options. Its
// plans run the class of the same name.
type Scheduler struct {
	cfg   config
	table *Table // nil for flow matching and IPNDM

	// Compat runs with what diffusers does where that departs from the formulas: see Multistep.Compat,
	// Singlestep.Compat and UniPC.Compat.
	Compat bool
}

// ParseScheduler reads a scheduler_config.json. Unknown keys are ignored, missing ones take the defaults of
// the class, and class, if not "", is another class than the file names to run with it.
func ParseScheduler(file []byte, class string) (*Scheduler, error) {
	c, err := parseConfig(file, class)
	if err != nil {
		return nil, err
	}
	s := &Scheduler{cfg: c}
	if classes[c.Class].flow {
		return s, nil
	}
	betas, err := c.betas()
	if err != nil {
		return nil, err
	}
	if len(betas) != c.Steps {
		return nil, fmt.Errorf("diffusion: scheduler config: %d trained_betas for %d num_train_timesteps", len(betas), c.Steps)
	}
	if s.table, err = NewTable(betas, c.ZeroSNR); err != nil {
		return nil, err
	}
	if c.ZeroSNR && classes[c.Class].ratios {
		s.table.Floor(1. / (1 << 24))
	}
	return s, nil
}

// Class is the class that runs.
func (s *Scheduler) Class() string { return s.cfg.Class }

// Predicts is what the network predicts.
func (s *Scheduler) Predicts() Prediction { return s.cfg.predicts() }

// Mu is the parameter of dynamic shifting for a picture of so many tokens: a straight line through the
// config's two ends.
func (s *Scheduler) Mu(tokens int) float64 {
	c := s.cfg
	m := (c.MaxShift - c.BaseShift) / float64(c.MaxTokens-c.BaseTokens)
	return c.BaseShift + m*float64(tokens-c.BaseTokens)
}

// PlanOptions is what a caller of diffusers hands to set_timesteps and step.
type PlanOptions struct {
	Sigmas []float64 // of flow matching, in place of a number of steps
	Mu     float64   // of dynamic shifting; see [Scheduler.Mu]
	Eta    *float64  // nil is the class's own: 0 for DDIM, 0.3 for TCD
	Churn  Churn     // of Euler
	Batch  int       // samples that lie end to end, for thresholding; 0 is 1
}

// A Plan is a scheduler with a number of steps: its levels and its solver.
type Plan struct {
	Levels []Level // n+1, from noise to data
	Init   float64 // the deviation that normal noise is multiplied by at the start

	scheduler *Scheduler
	options   PlanOptions
	orders    []int      // of the steps, or stages
	to        []Level    // DDIM: where steps go; TCD: inner levels
	halfway   [][2]Level // PNDM
}

// Plan makes the plan of n steps.
func (s *Scheduler) Plan(n int, o PlanOptions) (*Plan, error) {
	if len(o.Sigmas) > 0 {
		n = len(o.Sigmas)
	}
	if n < 1 || n > s.cfg.Steps {
		return nil, fmt.Errorf("diffusion: %s: %d steps, want 1 to %d", s.cfg.Class, n, s.cfg.Steps)
	}
	if len(o.Sigmas) > 0 && !classes[s.cfg.Class].flow {
		return nil, fmt.Errorf("diffusion: %s: sigmas are for flow matching only", s.cfg.Class)
	}
	own := *s // which plans change
	p := &Plan{scheduler: &own, options: o, Init: 1}
	return p, classes[s.cfg.Class].plan(p, n)
}

// eta is the option, or the class's own.
func (p *Plan) eta(normal float64) float64 {
	if p.options.Eta != nil {
		return *p.options.Eta
	}
	return normal
}

// Wrap makes the denoiser that a plan's solver is driven by: the network's prediction, and the config's
// clipping and thresholding.
func Wrap[F Float](p *Plan, net Network[F]) Denoiser[F] {
	d := Predict(net, p.scheduler.Predicts())
	if correct := correction[F](p); correct != nil && p.scheduler.cfg.Class != "DDIMScheduler" {
		d = Correct(d, correct)
	}
	return d
}

// correction is what the config does to estimates of x0, nil if nothing.
func correction[F Float](p *Plan) func([]F) error {
	switch c := p.scheduler.cfg; {
	case c.Thresholding:
		return Limit[F](Threshold{Ratio: c.ThresholdRatio, Least: 1, Most: c.MaxValue, Batch: p.options.Batch})
	case c.Clip:
		return Clip[F](c.ClipRange)
	}
	return nil
}

// Solve runs a plan. The run's sample is normal noise times Init, or data with noise at the first level.
func Solve[F Float](p *Plan, r *Run[F]) error {
	s, c := p.scheduler, p.scheduler.cfg
	at := func(sigma float64) Level { return VE(s.table.TimeOf(sigma), sigma) }
	form := Data
	if c.Algorithm == "dpmsolver" || c.Algorithm == "sde-dpmsolver" {
		form = Noise
	}
	switch c.Class {
	case "DPMSolverMultistepScheduler":
		return DPMMultistep(r, p.Levels, Multistep{Orders: p.orders, Form: form, Taylor: c.SolverType == "heun",
			Stochastic: c.Algorithm == "sde-dpmsolver" || c.Algorithm == "sde-dpmsolver++", Compat: s.Compat})
	case "DPMSolverSinglestepScheduler":
		return DPMSinglestep(r, p.Levels, Singlestep{Stages: p.orders, Form: form, Taylor: c.SolverType == "heun", Compat: s.Compat})
	case "UniPCMultistepScheduler":
		u := UniPC{Orders: p.orders, B1: c.SolverType == "bh1", Skip: c.NoCorrector, Compat: s.Compat}
		if !c.PredictX0 {
			u.Form = Noise
		}
		return UniPCMultistep(r, p.Levels, u)
	case "DEISMultistepScheduler":
		return DEIS(r, p.Levels, p.orders)
	case "DDIMScheduler":
		return DDIM(r, p.Levels, Implicit[F]{Eta: p.eta(0), To: p.to, Correct: correction[F](p)})
	case "DDPMScheduler":
		o := Ancestral[F]{}
		if c.VarianceType == "fixed_large" {
			o.Variance = FixedLarge
		}
		return DDPM(r, p.Levels, o)
	case "EulerDiscreteScheduler":
		return Euler(r, p.Levels, p.options.Churn)
	case "EulerAncestralDiscreteScheduler":
		return EulerAncestral(r, p.Levels)
	case "HeunDiscreteScheduler", "FlowMatchHeunDiscreteScheduler":
		return Heun(r, p.Levels)
	case "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler":
		return KDPM2(r, p.Levels, at, c.Class == "KDPM2AncestralDiscreteScheduler")
	case "DPMSolverSDEScheduler":
		return DPMSDE(r, p.Levels, at)
	case "LMSDiscreteScheduler":
		return LMS(r, p.Levels, 4)
	case "PNDMScheduler":
		return PNDM(r, p.Levels, p.halfway)
	case "IPNDMScheduler":
		return IPNDM(r, p.Levels)
	case "LCMScheduler":
		return LCM(r, p.Levels, c.TimeScaling)
	case "TCDScheduler":
		return TCD(r, p.Levels, p.to)
	case "FlowMatchEulerDiscreteScheduler":
		if c.Stochastic {
			return Resample(r, p.Levels)
		}
		return Euler(r, p.Levels, Churn{})
	}
	return fmt.Errorf("diffusion: %s: no solver", c.Class)
}

// times returns the n times of a spacing over the first m steps of training, from most noise to least.
// Where skipsZero is set, n+1 points are spread and the last left out.
func (s *Scheduler) times(n, m int, skipsZero bool) ([]float64, error) {
	c := s.cfg
	t := make([]float64, n)
	points := n
	if skipsZero {
		points++
	}
	for i := range t {
		k := float64(points - 1 - i)
		switch c.Spacing {
		case "linspace":
			if points > 1 {
				t[i] = k * float64(m-1) / float64(points-1)
			}
			if skipsZero {
				t[i] = math.RoundToEven(t[i])
			}
		case "leading":
			t[i] = k*float64(m/points) + float64(c.Offset)
		case "trailing":
			t[i] = math.RoundToEven(float64(c.Steps)-float64(i)*float64(c.Steps)/float64(n)) - 1
		}
		if !(t[i] >= 0 && t[i] < float64(c.Steps)) {
			return nil, fmt.Errorf("diffusion: %s: step %d of %d is at training step %g of %d (%s, steps_offset %d): want fewer steps or a smaller offset",
				c.Class, i+1, n, t[i], c.Steps, c.Spacing, c.Offset)
		}
	}
	return t, nil
}
