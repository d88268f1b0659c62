package subnet

import (
	"errors"
	"fmt"
	"math"
)

// Timing is the time of one token of a shape.
type Timing struct {
	Layers  int   // that are kept
	Bytes   int64 // that a token reads
	Seconds float64
}

// TimeModel predicts the time of a token: what does not depend on the shape, a share of each layer, and
// one of each byte.
type TimeModel struct {
	Base, Layer, Byte float64 // seconds
	R2                float64 // the share of the timings' variance that it explains
}

// FitTimes finds the model of least squared relative errors. Timings must be of at least three shapes
// of different depths and widths; without different widths the bytes explain all but the base.
func FitTimes(timings []Timing) (TimeModel, error) {
	for _, t := range timings {
		if !(t.Seconds > 0) {
			return TimeModel{}, fmt.Errorf("subnet: fit: found a time of %v s, expected more than 0", t.Seconds)
		}
	}
	m, err := fitTimes(timings, func(t Timing) []float64 { return []float64{1, float64(t.Layers), float64(t.Bytes) / 1e9} })
	if err != nil || m[0] < 0 || m[1] < 0 || m[2] < 0 { // parts that cannot be told apart
		if m, err = fitTimes(timings, func(t Timing) []float64 { return []float64{1, float64(t.Bytes) / 1e9} }); err == nil {
			m = []float64{m[0], 0, m[1]}
		}
	}
	if err != nil {
		return TimeModel{}, err
	}
	model := TimeModel{Base: m[0], Layer: m[1], Byte: m[2] / 1e9}
	var mean, left, all float64
	for _, t := range timings {
		mean += t.Seconds / float64(len(timings))
	}
	for _, t := range timings {
		left += math.Pow(t.Seconds-model.Predict(t.Layers, t.Bytes), 2)
		all += math.Pow(t.Seconds-mean, 2)
	}
	model.R2 = 1 - left/all
	return model, nil
}

// Predict returns the seconds of a token.
func (m TimeModel) Predict(layers int, bytes int64) float64 {
	return m.Base + m.Layer*float64(layers) + m.Byte*float64(bytes)
}

// fitTimes solves the normal equations for terms of timings, each divided by its time.
func fitTimes(timings []Timing, terms func(t Timing) []float64) ([]float64, error) {
	var a [][]float64 // [n, n+1]
	for _, t := range timings {
		x := terms(t)
		if a == nil {
			for range x {
				a = append(a, make([]float64, len(x)+1))
			}
		}
		for i := range x {
			for j := range x {
				a[i][j] += x[i] * x[j] / t.Seconds / t.Seconds
			}
			a[i][len(x)] += x[i] / t.Seconds
		}
	}
	n := len(a)
	if len(timings) < n || n == 0 {
		return nil, errors.New("subnet: fit: found too few timings")
	}
	scale := make([]float64, n)
	for i := range n {
		scale[i] = a[i][i]
	}
	for i := range n {
		pivot := i
		for r := i; r < n; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[pivot][i]) {
				pivot = r
			}
		}
		a[i], a[pivot] = a[pivot], a[i]
		if math.Abs(a[i][i]) <= 1e-10*scale[i] {
			return nil, errors.New("subnet: fit: the shapes are too alike")
		}
		for r := range n {
			if r == i {
				continue
			}
			f := a[r][i] / a[i][i]
			for c := i; c <= n; c++ {
				a[r][c] -= f * a[i][c]
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = a[i][n] / a[i][i]
	}
	return x, nil
}

// Corners returns a grid of up to three depths and three widths of a family's shapes, the extremes among
// them: what a [TimeModel] is fitted to.
func (f *Family) Corners() (shapes []Shape) {
	depths, widths := f.Depths(), f.Widths()
	for _, d := range ends(depths) {
		for _, w := range ends(widths) {
			shapes = append(shapes, Shape{d, w})
		}
	}
	return shapes
}

// ends returns the first, the middle and the last.
func ends[T any](v []T) []T {
	if len(v) <= 3 {
		return v
	}
	return []T{v[0], v[len(v)/2], v[len(v)-1]}
}
