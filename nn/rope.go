package nn

import (
	"github.com/mminfer/mminfer/kernels/attn"
	"github.com/mminfer/mminfer/tensor"
)

// Rope rotates pairs of a head's dimensions by angles that grow with the position, half-split.
//
// Source: Su et al. 2021, arXiv:2104.09864, section 3.4.2.
type Rope struct{ inv []float64 }

// NewRope returns the embedding of the first dims dimensions of a head with the base theta.
func NewRope(theta float64, dims int) *Rope {
	r := &Rope{make([]float64, dims/2)}
	attn.Frequencies(r.inv, theta, dims)
	return r
}

// Apply rotates heads of the given width, side by side in each row of x [n, heads·dim], the rows
// at positions pos, pos+1, ...
func (r *Rope) Apply(x tensor.Mat, dim, pos int, ws *tensor.Workspace) {
	mark := ws.Mark()
	sin, cos := ws.Floats(len(r.inv)), ws.Floats(len(r.inv))
	for i := range x.Rows {
		attn.SinCos(sin, cos, float64(pos+i), r.inv)
		row := x.Row(i)
		for h := 0; h < x.Cols; h += dim {
			attn.Rope(row[h:h+dim], cos, sin)
		}
	}
	ws.Release(mark)
}
