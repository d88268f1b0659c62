package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// Part returns the plan of the last ⌊n·strength⌋ of n steps, with which a picture is changed: see
// [Strength]. Orders rise anew from the first of them, and the stages of a step stay together, so that
// a few more steps may be left.
func (p *Plan) Part(strength float64) (*Plan, error) {
	kept, err := Strength(p.Levels, strength)
	if err != nil {
		return nil, err
	}
	from := len(p.Levels) - len(kept)
	class := p.scheduler.cfg.Class
	if class == "DPMSolverSinglestepScheduler" {
		for from > 0 && p.orders[from] != 1 {
			from--
		}
	}
	own, part := *p.scheduler, *p
	part.scheduler = &own
	part.Levels = p.Levels[from:]
	if len(p.to) > 0 {
		part.to = p.to[from:]
	}
	if from > 0 {
		part.halfway = nil
	}
	if len(p.orders) > 0 {
		part.orders = slices.Clone(p.orders[from:])
		for i, order := range part.orders {
			part.orders[i] = min(order, i+1)
		}
		if class == "DPMSolverSinglestepScheduler" {
			copy(part.orders, p.orders[from:])
		}
	}
	own.cfg.NoCorrector = nil
	for _, step := range p.scheduler.cfg.NoCorrector {
		own.cfg.NoCorrector = append(own.cfg.NoCorrector, step-from)
	}
	return &part, nil
}

// Continuous is the schedule through the levels that the network was trained on, for grids of any
// spacing: the whole table, with the network told of fractions of a step.
func (s *Scheduler) Continuous() (*DiscreteVP, error) {
	if classes[s.cfg.Class].flow {
		return nil, fmt.Errorf("diffusion: %s: a flow has no betas, which a continuous schedule needs", s.cfg.Class)
	}
	if s.cfg.ZeroSNR {
		return nil, fmt.Errorf("diffusion: %s: rescale_betas_zero_snr leaves no signal at the first step, which a continuous schedule needs", s.cfg.Class)
	}
	betas, err := s.cfg.betas()
	if err != nil {
		return nil, err
	}
	return NewDiscreteVP(betas, math.Inf(-1))
}
