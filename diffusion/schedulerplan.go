package diffusion

import (
	"fmt"
	"math"
)

// class is a class of schedulers.
type class struct {
	defaults func(c *config) // what differs from the common defaults
	plan     func(p *Plan, n int) error
	flow     bool   // has no betas
	ratios   bool   // needs a signal at every level
	predicts string // what its networks predict, whatever the file says
}

// classes are those that run, by name.
var classes = map[string]class{
	"DPMSolverMultistepScheduler": {plan: planMultistep, ratios: true},
	"DPMSolverSinglestepScheduler": {plan: planSinglestep, ratios: true,
		defaults: func(c *config) { c.LowerFinal = false }},
	"UniPCMultistepScheduler": {plan: planUniPC, ratios: true,
		defaults: func(c *config) { c.SolverType = "bh2" }},
	"DEISMultistepScheduler": {plan: planDEIS, ratios: true,
		defaults: func(c *config) { c.SolverType, c.Algorithm = "logrho", "deis" }},
	"DDIMScheduler": {plan: planDDIM,
		defaults: func(c *config) { c.Spacing, c.Clip, c.AlphaToOne = "leading", true, true }},
	"DDPMScheduler": {plan: planDDPM,
		defaults: func(c *config) { c.Spacing, c.Clip = "leading", true }},
	"PNDMScheduler": {plan: planPNDM, ratios: true,
		defaults: func(c *config) { c.Spacing = "leading" }},
	"EulerDiscreteScheduler":          {plan: planVE, ratios: true},
	"EulerAncestralDiscreteScheduler": {plan: planVE, ratios: true},
	"LMSDiscreteScheduler":            {plan: planVE, ratios: true},
	"HeunDiscreteScheduler":           {plan: planVE, ratios: true, defaults: smallBetas},
	"KDPM2DiscreteScheduler":          {plan: planVE, ratios: true, defaults: smallBetas},
	"KDPM2AncestralDiscreteScheduler": {plan: planVE, ratios: true, defaults: smallBetas},
	"DPMSolverSDEScheduler":           {plan: planVE, ratios: true, defaults: smallBetas},
	"LCMScheduler": {plan: planLCM, ratios: true, defaults: func(c *config) {
		smallBetas(c)
		c.BetaSchedule, c.AlphaToOne = "scaled_linear", true
	}},
	"TCDScheduler": {plan: planTCD, ratios: true, defaults: func(c *config) {
		smallBetas(c)
		c.BetaSchedule, c.AlphaToOne = "scaled_linear", true
	}},
	"IPNDMScheduler":                  {plan: planIPNDM, flow: true, predicts: "v_prediction"},
	"FlowMatchEulerDiscreteScheduler": {plan: planFlow, flow: true, predicts: "flow_prediction"},
	"FlowMatchHeunDiscreteScheduler":  {plan: planFlow, flow: true, predicts: "flow_prediction"},
}

func smallBetas(c *config) { c.BetaStart, c.BetaEnd = 0.00085, 0.012 }

func planMultistep(p *Plan, n int) error {
	c := p.scheduler.cfg
	switch c.Algorithm {
	case "deis":
		p.scheduler.cfg.Algorithm = "dpmsolver++"
	case "dpmsolver", "sde-dpmsolver":
		if c.FinalSigma == "zero" {
			return fmt.Errorf("diffusion: %s: %s with final_sigmas_type zero: want sigma_min, or the ++ form", c.Class, c.Algorithm)
		}
	case "dpmsolver++", "sde-dpmsolver++":
	default:
		return fmt.Errorf("diffusion: %s: algorithm_type %q: want dpmsolver, dpmsolver++, sde-dpmsolver or sde-dpmsolver++", c.Class, c.Algorithm)
	}
	if err := p.ratioLevels(n, false); err != nil {
		return err
	}
	p.orders = MultistepOrders(n, c.Order, c.LowerFinal && n < 15)
	if c.EulerFinal || c.FinalSigma == "zero" {
		p.orders[n-1] = 1
	}
	return nil
}

func planSinglestep(p *Plan, n int) error {
	c := p.scheduler.cfg
	if c.Algorithm != "dpmsolver++" && (c.Algorithm != "dpmsolver" || c.FinalSigma == "zero") {
		return fmt.Errorf("diffusion: %s: algorithm_type %q with final_sigmas_type %s: want dpmsolver++, or dpmsolver with sigma_min", c.Class, c.Algorithm, c.FinalSigma)
	}
	if err := p.ratioLevels(n, false); err != nil {
		return err
	}
	orders, err := FastOrders(n, c.Order)
	if err != nil {
		return err
	}
	p.orders = Stages(orders)
	lower := c.LowerFinal || n%c.Order != 0 || c.FinalSigma == "zero"
	if !lower {
		for i := range p.orders {
			p.orders[i] = i%c.Order + 1
		}
	} else if c.Order == 2 && n%2 == 0 || c.FinalSigma == "zero" {
		p.orders[n-1] = 1
	}
	return nil
}

func planUniPC(p *Plan, n int) error {
	c := p.scheduler.cfg
	if err := p.ratioLevels(n, true); err != nil {
		return err
	}
	p.orders = MultistepOrders(n, c.Order, c.LowerFinal)
	return nil
}

func planDEIS(p *Plan, n int) error {
	p.scheduler.cfg.FinalSigma = "sigma_min"
	if err := p.ratioLevels(n, true); err != nil {
		return err
	}
	p.orders = MultistepOrders(n, p.scheduler.cfg.Order, p.scheduler.cfg.LowerFinal && n < 15)
	return nil
}

// ratioLevels are the levels of the DPM family: variance-preserving ones of given σ/α, or a flow's. own is
// what UniPC and DEIS do: sigma_min is the grid's own last sigma, and UniPC's flow has its own points.
func (p *Plan) ratioLevels(n int, own bool) error {
	s, c := p.scheduler, p.scheduler.cfg
	level := VP
	var sigmas, times []float64
	var err error
	end := s.table.Ratio[0]
	switch {
	case c.FlowSigmas:
		level = Rectified
		sigmas, times = s.flowSigmas(n)
	case c.spacings() > 0:
		sigmas, err = c.respaced(s.table.Ratio[0], s.table.Ratio[c.Steps-1], n)
		for _, v := range sigmas {
			t := s.table.TimeOf(v)
			if c.Karras || c.Lu {
				t = math.RoundToEven(t)
			}
			times = append(times, t)
		}
	default:
		times, err = s.times(n, s.clipped(), true)
		for _, t := range times {
			sigmas = append(sigmas, s.table.RatioAt(t))
		}
	}
	if err != nil {
		return err
	}
	if own && c.spacings() > 0 {
		end = sigmas[n-1]
	}
	if c.FinalSigma == "zero" {
		end = 0
	}
	for i, t := range times {
		p.Levels = append(p.Levels, level(math.Floor(t+1e-9), sigmas[i]))
	}
	p.Levels = append(p.Levels, level(0, end))
	return nil
}

// clipped is the number of training steps whose ln(α/σ) is not below the config's bound.
func (s *Scheduler) clipped() int {
	m := len(s.table.Ratio)
	if s.cfg.LambdaMin != nil {
		for m > 2 && -s.table.logs[m-1] < *s.cfg.LambdaMin {
			m--
		}
	}
	return m
}

// flowSigmas are a flow's for the DPM family, with times.
func (s *Scheduler) flowSigmas(n int) (sigmas, times []float64) {
	c := s.cfg
	points := linspace(1, 1/float64(c.Steps), n+1)
	sigmas = make([]float64, n)
	for i := range sigmas {
		sigma := 1 - points[n-i]
		if c.Class == "UniPCMultistepScheduler" {
			sigma = points[i]
		}
		sigmas[i] = shift(c.FlowShift, sigma)
	}
	if c.Class == "UniPCMultistepScheduler" {
		sigmas[0] = min(sigmas[0], 1-1e-6)
	}
	for _, v := range sigmas {
		times = append(times, v*float64(c.Steps))
	}
	return sigmas, times
}

// respaced are n sigmas from most to least as the config's flags say.
func (c *config) respaced(least, most float64, n int) ([]float64, error) {
	switch {
	case c.Karras:
		return KarrasSigmas(least, most, 7, n)
	case c.Beta:
		return BetaSigmas(least, most, 0.6, 0.6, n)
	}
	return ExponentialSigmas(least, most, n)
}

// planVE is the family of k-diffusion: α = 1, and a network that was trained on other levels.
func planVE(p *Plan, n int) error {
	s, c := p.scheduler, p.scheduler.cfg
	if c.FlowSigmas || c.Lu {
		return fmt.Errorf("diffusion: %s: use_flow_sigmas and use_lu_lambdas are not for this class", c.Class)
	}
	times, err := s.times(n, c.Steps, false)
	if err != nil {
		return err
	}
	sigmas := make([]float64, n)
	for i, t := range times {
		sigmas[i] = s.table.RatioAt(t)
	}
	if c.spacings() > 0 {
		if sigmas, err = c.respaced(sigmas[n-1], sigmas[0], n); err != nil {
			return err
		}
		for i, v := range sigmas {
			times[i] = s.table.TimeOf(v)
		}
	}
	for i, v := range sigmas {
		p.Levels = append(p.Levels, VE(times[i], v))
	}
	p.Levels = append(p.Levels, VE(0, 0))
	if p.Init = sigmas[0]; c.Spacing == "leading" {
		p.Init = math.Sqrt(sigmas[0]*sigmas[0] + 1)
	}
	return nil
}

// steps appends the levels of training steps.
func (p *Plan) steps(times []float64) {
	for _, t := range times {
		p.Levels = append(p.Levels, p.scheduler.table.Step(int(t)))
	}
}

// before is the level that DDIM and PNDM reach at a training step, which below 0 is data or the first.
func (p *Plan) before(step int) Level {
	if step < 0 && !p.scheduler.cfg.AlphaToOne {
		step = 0
	}
	return p.scheduler.table.Step(step)
}

func planDDIM(p *Plan, n int) error {
	times, err := p.scheduler.times(n, p.scheduler.cfg.Steps, false)
	if err != nil {
		return err
	}
	jump := p.scheduler.cfg.Steps / n
	for i, t := range times {
		times[i] = math.RoundToEven(t)
		p.to = append(p.to, p.before(int(times[i])-jump))
	}
	p.steps(times)
	p.Levels = append(p.Levels, p.to[n-1])
	return nil
}

func planDDPM(p *Plan, n int) error {
	c := p.scheduler.cfg
	if c.VarianceType != "fixed_small" && c.VarianceType != "fixed_large" {
		return fmt.Errorf("diffusion: %s: variance_type %q: want fixed_small or fixed_large; learned variances are an option of DDPM", c.Class, c.VarianceType)
	}
	times, err := p.scheduler.times(n, c.Steps, false)
	if err != nil {
		return err
	}
	for i, t := range times {
		times[i] = math.RoundToEven(t)
	}
	p.steps(append(times, -1))
	return nil
}

func planPNDM(p *Plan, n int) error {
	s, c := p.scheduler, p.scheduler.cfg
	times, err := s.times(n, c.Steps, false)
	if err != nil {
		return err
	}
	jump := c.Steps / n
	for i := range n - 1 {
		if times[i]-float64(jump) != times[i+1] {
			return fmt.Errorf("diffusion: %s: timestep_spacing %s puts training steps %g and %g side by side, which is not a jump of %d: want leading", c.Class, c.Spacing, times[i], times[i+1], jump)
		}
	}
	p.steps(times)
	p.Levels = append(p.Levels, p.before(int(times[n-1])-jump))
	if c.SkipPRK {
		return nil
	}
	if n < 4 {
		return fmt.Errorf("diffusion: %s: %d steps with a Runge-Kutta start, want at least 4, or skip_prk_steps", c.Class, n)
	}
	for _, t := range times[:3] {
		// Of an odd jump the halves differ: the network is told the second one's time at both.
		first, second := s.table.Step(int(t)-jump/2), s.table.Step(int(t)-jump+jump/2)
		first.Time = second.Time
		p.halfway = append(p.halfway, [2]Level{first, second})
	}
	return nil
}

// planLCM picks from the grid of the distillation.
func planLCM(p *Plan, n int) error {
	c := p.scheduler.cfg
	if n > c.OriginalSteps {
		return fmt.Errorf("diffusion: %s: %d steps, want at most original_inference_steps, %d", c.Class, n, c.OriginalSteps)
	}
	jump := c.Steps / c.OriginalSteps
	var times []float64
	for i := range n {
		skip := int(float64(i) * (float64(c.OriginalSteps) / float64(n)))
		times = append(times, float64((c.OriginalSteps-skip)*jump-1))
	}
	p.steps(append(times, -1))
	return nil
}

func planTCD(p *Plan, n int) error {
	if err := planLCM(p, n); err != nil {
		return err
	}
	eta := p.eta(0.3)
	if !(eta >= 0 && eta <= 1) {
		return fmt.Errorf("diffusion: TCD: eta %g, want 0 to 1", eta)
	}
	for _, l := range p.Levels[1:] {
		p.to = append(p.to, p.scheduler.table.Step(int((1-eta)*max(l.Time, 0))))
	}
	return nil
}

func planIPNDM(p *Plan, n int) (err error) {
	p.Levels, err = IPNDMGrid(n)
	return err
}

// planFlow is flow matching's: the sigmas of the constructor, which are shifted, are shifted again.
func planFlow(p *Plan, n int) error {
	c := p.scheduler.cfg
	sigmas := p.options.Sigmas
	if len(sigmas) == 0 {
		first, last := 1.0, 1/float64(c.Steps)
		if !c.DynamicShift {
			first, last = shift(c.Shift, first), shift(c.Shift, last)
		}
		sigmas = linspace(first, last, n)
	}
	s := c.Shift
	if c.DynamicShift {
		if s = p.options.Mu; c.ShiftType == "exponential" {
			s = math.Exp(s)
		}
	}
	shifted := make([]float64, n)
	for i, v := range sigmas {
		if !(v > 0 && v <= 1) || !(s > 0 && s < 1e6) {
			return fmt.Errorf("diffusion: %s: sigma %g, shift %g (Mu %g): want a sigma in (0, 1] and a positive shift", c.Class, v, s, p.options.Mu)
		}
		shifted[i] = shift(s, v)
	}
	if c.ShiftTerminal > 0 {
		stretch := (1 - c.ShiftTerminal) / (1 - shifted[n-1])
		for i, v := range shifted {
			shifted[i] = 1 - (1-v)*stretch
		}
	}
	if c.spacings() > 0 {
		var err error
		if shifted, err = c.respaced(shifted[n-1], shifted[0], n); err != nil {
			return err
		}
	}
	for _, v := range append(shifted, 0) {
		p.Levels = append(p.Levels, Rectified(v*float64(c.Steps), v))
	}
	return nil
}
