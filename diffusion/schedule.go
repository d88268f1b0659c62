package diffusion

import (
	"fmt"
	"math"
	"sort"
)

// A Schedule gives the noise at every time. Time runs from 1, all noise, towards 0.
type Schedule interface {
	Level(time float64) Level
	TimeOf(lambda float64) float64 // at which ln(α/σ) is lambda
	End() float64                  // the time to stop at by default
}

// vp is the variance-preserving level with a logarithm of α, exact where α is almost 1.
func vp(time, logAlpha float64) Level {
	return Level{Time: time, Alpha: math.Exp(logAlpha), Sigma: math.Sqrt(-math.Expm1(2 * logAlpha)), Scale: 1}
}

// logAlphaOf is ln(α) of a variance-preserving level.
func logAlphaOf(lambda float64) float64 {
	if lambda < 0 {
		return lambda - math.Log1p(math.Exp(2*lambda))/2
	}
	return -math.Log1p(math.Exp(-2*lambda)) / 2
}

// LinearVP is the schedule whose β rises linearly from Least to Most over time (Song et al. 2021,
// arXiv:2011.13456, equation 33). The network is told the time itself.
type LinearVP struct{ Least, Most float64 }

// NewLinearVP returns the schedule with Song et al.'s β of 0.1 to 20 for zeros.
func NewLinearVP(least, most float64) (LinearVP, error) {
	if least == 0 && most == 0 {
		least, most = 0.1, 20
	}
	if !(least > 0 && most > least && most <= 1e4) {
		return LinearVP{}, fmt.Errorf("diffusion: a linear schedule of β from %g to %g: want 0 < least < most <= 10,000", least, most)
	}
	return LinearVP{least, most}, nil
}

// Level implements [Schedule].
func (s LinearVP) Level(t float64) Level {
	return vp(t, -t*t*(s.Most-s.Least)/4-t*s.Least/2)
}

// TimeOf implements [Schedule].
func (s LinearVP) TimeOf(lambda float64) float64 {
	q := -4 * (s.Most - s.Least) * logAlphaOf(lambda)
	return q / ((math.Sqrt(s.Least*s.Least+q) + s.Least) * (s.Most - s.Least))
}

// End implements [Schedule].
func (LinearVP) End() float64 { return 1e-3 }

// CosineVP is the continuous cosine schedule, with an offset of 0.008 and a time of 0.9946 at most
// (NoiseScheduleVP of LuChengTHU/dpm-solver@52bc3fb, JAX). The network is told the time itself.
type CosineVP struct{}

const cosineOffset = 0.008

func (CosineVP) start() float64 {
	return math.Log(math.Cos(cosineOffset / (1 + cosineOffset) * math.Pi / 2))
}

// Level implements [Schedule].
func (s CosineVP) Level(t float64) Level {
	u := (min(t, 0.9946) + cosineOffset) / (1 + cosineOffset) * math.Pi / 2
	return vp(t, math.Log(math.Cos(u))-s.start())
}

// TimeOf implements [Schedule].
func (s CosineVP) TimeOf(lambda float64) float64 {
	return 2*(1+cosineOffset)/math.Pi*math.Acos(min(1, math.Exp(logAlphaOf(lambda)+s.start()))) - cosineOffset
}

// End implements [Schedule].
func (CosineVP) End() float64 { return 1e-3 }

// RectifiedFlow is the schedule of flow matching: at time t, σ is t, moved by Shift towards noise,
// σ = s·t/(1 + (s-1)·t). The network is told Scale·σ.
type RectifiedFlow struct{ Shift, Scale float64 }

// NewRectifiedFlow returns the schedule; a shift of 1 is none.
func NewRectifiedFlow(shift float64) (RectifiedFlow, error) {
	if !(shift > 0 && shift <= 1e6) {
		return RectifiedFlow{}, fmt.Errorf("diffusion: a flow with a shift of %g: want a positive one", shift)
	}
	return RectifiedFlow{Shift: shift, Scale: 1000}, nil
}

// shift moves the sigma of a flow towards noise: as many tokens of a picture as in training times shift²
// hide as much of it (Esser et al. 2024, arXiv:2403.03206, section 5.3.2).
func shift(s, sigma float64) float64 { return s * sigma / (1 + (s-1)*sigma) }

// Level implements [Schedule].
func (s RectifiedFlow) Level(t float64) Level {
	sigma := shift(s.Shift, t)
	return Rectified(s.Scale*sigma, sigma)
}

// TimeOf implements [Schedule].
func (s RectifiedFlow) TimeOf(lambda float64) float64 {
	sigma := 1 / (1 + math.Exp(lambda))
	return sigma / (s.Shift - (s.Shift-1)*sigma)
}

// End implements [Schedule].
func (RectifiedFlow) End() float64 { return 1e-3 }

// DiscreteVP is a schedule through the levels of a table: ln(α) is interpolated between the steps of
// training, i/n for the i-th of n, and extrapolated outside.
type DiscreteVP struct {
	logs  []float64 // ln(α)
	steps int       // of training, before clipping

	// ExactIndex tells the network, where steps were clipped, the step that a level has in the table, and
	// not its share of all steps, as the reference does.
	ExactIndex bool
}

// NewDiscreteVP makes a schedule of betas. Trailing steps whose ln(α/σ) is below least are clipped;
// the reference, NoiseScheduleVP of LuChengTHU/dpm-solver@52bc3fb, has -5.1, and math.Inf(-1) clips none.
func NewDiscreteVP(betas []float64, least float64) (*DiscreteVP, error) {
	if _, err := NewTable(betas, false); err != nil {
		return nil, err
	}
	s := &DiscreteVP{logs: make([]float64, len(betas)), steps: len(betas)}
	sum := 0.0
	for i, b := range betas {
		sum += math.Log1p(-b) / 2
		s.logs[i] = sum
	}
	n := len(s.logs)
	for n > 0 && s.logs[n-1]-math.Log(-math.Expm1(2*s.logs[n-1]))/2 < least {
		n--
	}
	if n < 2 {
		return nil, fmt.Errorf("diffusion: %d of %d betas lead to a ln(α/σ) of %g or more, want 2", n, len(betas), least)
	}
	s.logs = s.logs[:n]
	return s, nil
}

// Level implements [Schedule]. The network is told (t - 1/n)·1000, in units of a table of 1000 steps.
func (s *DiscreteVP) Level(t float64) Level {
	n := float64(len(s.logs))
	i := max(0, min(int(math.Ceil(t*n))-2, len(s.logs)-2)) // steps i and i+1 are at (i+1)/n and (i+2)/n
	w := t*n - float64(i+1)
	time := (t - 1/n) * float64(s.steps)
	if s.ExactIndex {
		time = t*n - 1
	}
	return vp(time, s.logs[i]+float64(w*(s.logs[i+1]-s.logs[i])))
}

// TimeOf implements [Schedule].
func (s *DiscreteVP) TimeOf(lambda float64) float64 {
	l, n := logAlphaOf(lambda), len(s.logs)
	i := max(0, min(sort.Search(n, func(i int) bool { return s.logs[i] <= l })-1, n-2))
	w := (l - s.logs[i]) / (s.logs[i+1] - s.logs[i])
	return (float64(i+1) + w) / float64(n)
}

// End implements [Schedule].
func (s *DiscreteVP) End() float64 { return 1 / float64(len(s.logs)) }
