package models

import (
	"encoding/binary"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// normKind takes a norm's weight.
type normKind func(p nn.Params, name string, width int, eps float64) nn.Norm

// rmsNorm takes a norm's weight.
func rmsNorm(p nn.Params, name string, width int, eps float64) nn.Norm {
	return nn.Norm{Weight: p.Vec(name, width), Eps: float32(eps)}
}

// centredNorm takes the weight of a norm that is stored less 1.
func centredNorm(p nn.Params, name string, width int, eps float64) nn.Norm {
	n := rmsNorm(p, name, width, eps)
	for i := range n.Weight {
		n.Weight[i]++
	}
	return n
}

// head takes the output projection: the tensor of its own if the file has one, otherwise the
// embedding where the two are tied.
func head(p nn.Params, embed tensor.Tensor, name string, tied bool) *nn.Linear {
	if tied && !p.Has(name) {
		return p.High().Linear(embed)
	}
	return p.High().Linear(p.Tensor(name, embed.Shape...))
}

// part is a projection: the name of its tensors without .weight and .bias, and its rows.
type part struct {
	name string
	rows int
}

// stack takes projections of one input of cols columns, with their biases if they have any.
func stack(p nn.Params, bias bool, cols int, parts ...part) *nn.Linear {
	var weights []tensor.Tensor
	var biases []float32
	for _, t := range parts {
		weights = append(weights, p.Tensor(t.name+".weight", t.rows, cols))
		if bias {
			biases = append(biases, p.Vec(t.name+".bias", t.rows)...)
		}
	}
	l := p.Linear(weights...)
	l.Bias = biases
	return l
}

// pick returns rows from to to-1 of each of so many equal groups of a tensor's rows.
func pick(t tensor.Tensor, groups, from, to int) (parts []tensor.Tensor) {
	rows := t.Shape[0] / groups
	for g := range groups {
		if t.Data == nil { // missing, or only recorded
			parts = append(parts, tensor.Tensor{Name: t.Name, Type: t.Type, Shape: append([]int{to - from}, t.Shape[1:]...)})
			continue
		}
		parts = append(parts, t.Rows(g*rows+from, g*rows+to))
	}
	return parts
}

// transpose returns a copy of a matrix with rows and columns exchanged, in float32 if its type
// stores blocks.
func transpose(t tensor.Tensor) tensor.Tensor {
	rows, cols := t.Shape[0], t.Shape[1]
	out := tensor.Tensor{Name: t.Name, Type: t.Type, Shape: []int{cols, rows}}
	if t.Data == nil {
		return out
	}
	if n, size := t.Type.Block(); n == 1 {
		out.Data = make([]byte, len(t.Data))
		for i := range rows * cols {
			copy(out.Data[(i%cols*rows+i/cols)*size:], t.Data[i*size:(i+1)*size])
		}
		return out
	}
	v := make([]float32, rows*cols)
	t.Floats(v, 0)
	out.Type, out.Data = tensor.F32, make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(out.Data[4*(i%cols*rows+i/cols):], math.Float32bits(x))
	}
	return out
}

// pickFloats does the same for a vector.
func pickFloats(v []float32, groups, from, to int) (picked []float32) {
	rows := len(v) / groups
	for g := range groups {
		if v != nil {
			picked = append(picked, v[g*rows+from:g*rows+to]...)
		}
	}
	return picked
}
