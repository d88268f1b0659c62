package diffusion

import (
	"fmt"
	"math"
)

// A Spacing places the points of a grid between two times of a schedule.
type Spacing int

// The spacings of LuChengTHU/dpm-solver: uniform in ln(α/σ), in time, and in the square root of time.
const (
	LogSNR Spacing = iota
	TimeUniform
	TimeQuadratic
)

// Times returns n+1 times from one to another.
func Times(s Schedule, spacing Spacing, from, to float64, n int) ([]float64, error) {
	if n < 1 || spacing < LogSNR || spacing > TimeQuadratic {
		return nil, fmt.Errorf("diffusion: %d steps of spacing %d: want at least 1 and LogSNR, TimeUniform or TimeQuadratic", n, spacing)
	}
	a, b := from, to
	switch spacing {
	case LogSNR:
		a, b = s.Level(from).Lambda(), s.Level(to).Lambda()
	case TimeQuadratic:
		a, b = math.Sqrt(from), math.Sqrt(to)
	}
	if a-a != 0 || b-b != 0 {
		return nil, fmt.Errorf("diffusion: times %g to %g: their ln(α/σ) or roots are %g and %g, want finite numbers", from, to, a, b)
	}
	t := linspace(a, b, n+1)
	for i, v := range t {
		switch spacing {
		case LogSNR:
			t[i] = s.TimeOf(v)
		case TimeQuadratic:
			t[i] = v * v
		}
	}
	if spacing == LogSNR {
		t[0], t[n] = from, to
	}
	return t, nil
}

// Levels returns the levels of a schedule at times.
func Levels(s Schedule, times []float64) []Level {
	levels := make([]Level, len(times))
	for i, t := range times {
		levels[i] = s.Level(t)
	}
	return levels
}

// Grid returns the n+1 levels of a schedule from one time to another.
func Grid(s Schedule, spacing Spacing, from, to float64, n int) ([]Level, error) {
	times, err := Times(s, spacing, from, to, n)
	if err != nil {
		return nil, err
	}
	return Levels(s, times), nil
}

// ToData appends to a grid the step to data without noise: with order 1 it is the estimate of x0 at the
// last level ("denoise to zero").
func ToData(grid []Level) []Level {
	return append(grid[:len(grid):len(grid)], Level{Alpha: 1, Scale: 1})
}

// KarrasSigmas returns n sigmas from most to least, uniform in their power 1/rho (arXiv:2206.00364,
// equation 5; rho is 7 there).
func KarrasSigmas(least, most, rho float64, n int) ([]float64, error) {
	if err := checkSigmas(least, most, n); err != nil {
		return nil, err
	}
	if !(rho >= 1 && rho <= 100) {
		return nil, fmt.Errorf("diffusion: rho %g, want 1 to 100", rho)
	}
	s := linspace(math.Pow(most, 1/rho), math.Pow(least, 1/rho), n)
	for i, v := range s {
		s[i] = math.Pow(v, rho)
	}
	return s, nil
}

// ExponentialSigmas returns n sigmas from most to least, uniform in their logarithm.
func ExponentialSigmas(least, most float64, n int) ([]float64, error) {
	if err := checkSigmas(least, most, n); err != nil {
		return nil, err
	}
	s := linspace(math.Log(most), math.Log(least), n)
	for i, v := range s {
		s[i] = math.Exp(v)
	}
	return s, nil
}

// BetaSigmas returns n sigmas from most to least, at uniform quantiles of a beta distribution (Lee et al.
// 2024, arXiv:2407.12173; alpha and beta are 0.6 there).
func BetaSigmas(least, most, alpha, beta float64, n int) ([]float64, error) {
	if err := checkSigmas(least, most, n); err != nil {
		return nil, err
	}
	if !(alpha > 0 && alpha <= 100 && beta > 0 && beta <= 100) {
		return nil, fmt.Errorf("diffusion: a beta distribution of %g and %g: want numbers in (0, 100]", alpha, beta)
	}
	s := linspace(0, 1, n)
	for i, u := range s {
		s[i] = least + (most-least)*betaQuantile(1-u, alpha, beta)
	}
	return s, nil
}

// checkSigmas holds the ends of a series of sigmas against what logarithms and powers take.
func checkSigmas(least, most float64, n int) error {
	if n < 1 || !(least > 0 && most >= least && most <= math.MaxFloat64) {
		return fmt.Errorf("diffusion: %d sigmas from %g down to %g: want at least 1, and positive ends in order", n, most, least)
	}
	return nil
}

// linspace returns n numbers from a to b; one is a.
func linspace(a, b float64, n int) []float64 {
	x := make([]float64, n)
	if n == 1 {
		x[0] = a
		return x
	}
	step := (b - a) / float64(n-1)
	for i := range x {
		x[i] = a + float64(float64(i)*step)
	}
	x[n-1] = b
	return x
}
