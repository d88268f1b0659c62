package chart

import (
	"math"
	"slices"
)

// axis maps numbers from its first tick to its last to pixels.
type axis struct {
	ticks    []float64
	log      bool
	from, to float64
}

// newAxis returns an axis that has room for the numbers v.
func newAxis(s Scale, v []float64, from, to float64) axis {
	a := axis{log: s.log(), from: from, to: to}
	switch low, high := slices.Min(v), slices.Max(v); s {
	case Octaves:
		a.ticks = powers(2, low, high)
	case Decades:
		a.ticks = powers(10, low, high)
	case Near:
		a.ticks = ticks(low, high)
	default:
		a.ticks = ticks(min(low, 0), high)
	}
	return a
}

func (a axis) at(v float64) float64 {
	low, high := a.ticks[0], a.ticks[len(a.ticks)-1]
	if a.log {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return a.from + (a.to-a.from)*(v-low)/(high-low)
}

// powers returns powers of base from at most low to at least high.
func powers(base, low, high float64) (t []float64) {
	exponent := func(v float64) float64 {
		e := math.Log(v) / math.Log(base)
		if near := math.Round(e); math.Abs(e-near) < 1e-9 { // a power itself
			return near
		}
		return e
	}
	from, to := math.Floor(exponent(low)), math.Ceil(exponent(high))
	step := math.Ceil((max(to, from+1) - from) / 10) // at most 11 of them
	for at := from; ; at += step {
		t = append(t, math.Pow(base, at))
		if at >= to && len(t) > 1 {
			return t
		}
	}
}

// ticks returns multiples of 1, 2 or 5 times a power of ten from at most low to at least high.
func ticks(low, high float64) (t []float64) {
	span := high - low
	if span <= 0 {
		span = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(span)))
	switch {
	case span < 2*step:
		step /= 5
	case span < 5*step:
		step /= 2
	}
	for i := math.Floor(low / step); ; i++ {
		t = append(t, i*step)
		if i*step >= high && len(t) > 1 {
			return t
		}
	}
}
