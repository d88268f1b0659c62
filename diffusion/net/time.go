package net

import (
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// timeFeatures writes sines and cosines of times, dst [N, dim]:
//
//	f[i] = 10000^(-i/(dim/2 - shift)),  dst = [sin(t·f), cos(t·f)], or with flip the cosines first
//
// Exponent, frequency and angle are rounded to float32, as the references do: at t = 1000 a unit in the last place
// moves an angle by 6e-5.
func timeFeatures(dst tensor.Mat, t []float64, shift float64, flip bool) {
	half := dst.Cols / 2
	sin, cos := 0, half
	if flip {
		sin, cos = half, 0
	}
	for n := range t {
		row := dst.Row(n)
		clear(row) // an odd width ends on a zero
		for i := range half {
			exponent := float32(-math.Log(10000)) * float32(i) / float32(float64(half)-shift)
			angle := float64(float32(t[n]) * float32(math.Exp(float64(exponent))))
			row[sin+i], row[cos+i] = float32(math.Sin(angle)), float32(math.Cos(angle))
		}
	}
}

// timeEmbedding is a network of two layers over time features.
type timeEmbedding struct {
	dim    int // of the features
	shift  float64
	flip   bool
	first  *nn.Linear // [width, dim]
	second *nn.Linear // [width, width]
	cond   *nn.Linear // [dim, guidance], added to the features, or nil
}

func newTimeEmbedding(p nn.Params, name string, dim, width int, shift float64, flip bool) timeEmbedding {
	p = p.Sub(name)
	first := p.Exact(p.Sub("linear_1").Tensor("weight", width, dim))
	first.Bias = p.Sub("linear_1").Vec("bias", width)
	second := p.Exact(p.Sub("linear_2").Tensor("weight", width, width))
	second.Bias = p.Sub("linear_2").Vec("bias", width)
	return timeEmbedding{dim: dim, shift: shift, flip: flip, first: first, second: second}
}

// features returns the time features, [N, dim].
func (e *timeEmbedding) features(r *run, t []float64) tensor.Mat {
	f := r.ws.Mat(len(t), e.dim)
	timeFeatures(f, t, e.shift, e.flip)
	return f
}

// guide adds the projected features of guidance scales: sinusoids of 1000·(scale - 1).
//
// Source: get_guidance_scale_embedding, pipelines/latent_consistency_models in huggingface/diffusers 0.42.
func (e *timeEmbedding) guide(r *run, features tensor.Mat, scales []float64) {
	w := r.ws.Mat(len(scales), e.cond.W.Cols)
	t := make([]float64, len(scales))
	for i, s := range scales {
		t[i] = 1000 * (s - 1)
	}
	timeFeatures(w, t, 1, false)
	e.cond.Project(features, w, features, r.ws)
}

// apply returns the embedding of features, [N, width].
func (e *timeEmbedding) apply(r *run, features tensor.Mat) tensor.Mat {
	h := e.first.Out(features, r.ws)
	nn.Activate(h, nn.SiLU, r.ws)
	return e.second.Out(h, r.ws)
}

// addRow adds row class of a table [classes, width] to a row.
func addRow(row, table []float32, class int32) {
	for i, v := range table[int(class)*len(row):][:len(row)] {
		row[i] += v
	}
}
