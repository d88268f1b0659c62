package nn

import (
	"github.com/mminfer/mminfer/kernels/attn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Rope rotates pairs of a head's first dimensions by angles that grow with the position, half-split.
//
// Source: Su et al. 2021, arXiv:2104.09864, section 3.4.2.
type Rope struct {
	inv    []float64 // angle per position of each pair
	factor float32   // of sines and cosines, 0 for 1
}

// NewRope returns the embedding of the first dims dimensions of a head with the base theta.
func NewRope(theta float64, dims int) *Rope {
	r := &Rope{inv: make([]float64, dims/2)}
	attn.Frequencies(r.inv, theta, dims)
	return r
}

// Interpolate divides all frequencies by factor.
func (r *Rope) Interpolate(factor float64) { attn.Interpolate(r.inv, factor) }

// Divide divides each frequency by a factor of its own.
func (r *Rope) Divide(factors []float64) {
	for i, f := range factors {
		r.inv[i] /= f
	}
}

// Llama3 scales the frequencies by their wavelengths: see [attn.Llama3].
func (r *Rope) Llama3(factor, low, high, original float64) {
	attn.Llama3(r.inv, factor, low, high, original)
}

// Yarn are the parameters of [Rope.Yarn].
type Yarn = attn.Yarn

// Yarn scales the frequencies of the base theta and multiplies sines and cosines by attention.
func (r *Rope) Yarn(theta float64, y Yarn, attention float64) {
	y.Scale(r.inv, theta)
	r.factor = float32(attention)
}

// YarnAttention is the usual attention factor of a scaling by factor, m the weight of its
// logarithm: see [attn.YarnAttention].
func YarnAttention(factor, m float64) float64 { return attn.YarnAttention(factor, m) }

// Apply rotates heads of the given width, side by side in each row of x [n, heads·dim], the rows
// at positions pos, pos+1, ...
func (r *Rope) Apply(x tensor.Mat, dim, pos int, ws *tensor.Workspace) {
	mark := ws.Mark()
	sin, cos := ws.Floats(len(r.inv)), ws.Floats(len(r.inv))
	for i := range x.Rows {
		r.angles(sin, cos, pos+i)
		r.rotate(x.Row(i), dim, sin, cos)
	}
	ws.Release(mark)
}

// angles computes sines and cosines at a position.
func (r *Rope) angles(sin, cos []float32, pos int) {
	attn.SinCos(sin, cos, float64(pos), r.inv)
	if r.factor != 0 {
		vec.Scale(sin, r.factor, sin)
		vec.Scale(cos, r.factor, cos)
	}
}

// rotate rotates the heads of one row.
func (*Rope) rotate(row []float32, dim int, sin, cos []float32) {
	for h := 0; h < len(row); h += dim {
		attn.Rope(row[h:h+dim], cos, sin)
	}
}
