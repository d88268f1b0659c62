package diffusion

import (
	"fmt"
	"math"
	"slices"
)

// Correct wraps a denoiser so that a correction is applied to every estimate of x0.
func Correct[F Float](d Denoiser[F], correct func(x0 []F) error) Denoiser[F] {
	return FromData(func(dst, x []F, at Level) error {
		if err := d(dst, x, at, Data); err != nil {
			return err
		}
		return correct(dst)
	})
}

// Clip returns a correction that clamps every element to [-limit, limit].
func Clip[F Float](limit float64) func(x0 []F) error {
	return func(x0 []F) error {
		if !(limit > 0) {
			return fmt.Errorf("diffusion: clip to %g: want a positive limit", limit)
		}
		for i, v := range x0 {
			x0[i] = max(-F(limit), min(F(limit), v))
		}
		return nil
	}
}

// A Threshold is dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487, section 2.3): each sample is
// clamped to its own quantile of absolute values and divided by it, if that is above Least.
type Threshold struct {
	Ratio       float64 // the quantile, 0.995 in the paper
	Least, Most float64 // bounds of the divisor; Most 0 is none. dpm-solver: Least is max_val; diffusers: 1 and sample_max_value
	Batch       int     // samples that lie end to end, 0 is 1
}

// Limit returns the correction. The quantile at index Ratio·(n-1) of the sorted values is interpolated.
func Limit[F Float](t Threshold) func(x0 []F) error {
	var sorted []float64
	return func(x0 []F) error {
		batch := max(t.Batch, 1)
		if !(t.Ratio > 0 && t.Ratio <= 1 && t.Least > 0) || t.Most != 0 && !(t.Most >= t.Least) || len(x0)%batch != 0 {
			return fmt.Errorf("diffusion: threshold %+v of %d elements: want a ratio in (0, 1], 0 < Least <= Most, samples of equal length", t, len(x0))
		}
		n := len(x0) / batch
		if len(sorted) != n {
			sorted = make([]float64, n)
		}
		for from := 0; from < len(x0); from += n {
			x := x0[from : from+n]
			for i, v := range x {
				sorted[i] = math.Abs(float64(v))
			}
			slices.Sort(sorted)
			s := t.divisor(sorted)
			for i, v := range x {
				x[i] = F(max(-s, min(s, float64(v))) / s)
			}
		}
		return nil
	}
}

// divisor is that of a sample whose absolute values are sorted.
func (t Threshold) divisor(sorted []float64) float64 {
	at := t.Ratio * float64(len(sorted)-1)
	i := int(at)
	q := sorted[i]
	if i+1 < len(sorted) {
		q += float64((at - float64(i)) * (sorted[i+1] - q))
	}
	q = max(q, t.Least)
	if t.Most != 0 {
		q = min(q, t.Most)
	}
	return q
}
