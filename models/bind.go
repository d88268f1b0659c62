package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// rmsNorm takes a norm's weight.
func rmsNorm(p nn.Params, name string, width int, eps float64) nn.Norm {
	return nn.Norm{Weight: p.Vec(name, width), Eps: float32(eps)}
}

// head takes the output projection: the tensor of its own if the file has one, otherwise the
// embedding where the two are tied.
func head(p nn.Params, embed tensor.Tensor, name string, tied bool) *nn.Linear {
	if tied && !p.Has(name) {
		return p.Linear(embed)
	}
	return p.Linear(p.Tensor(name, embed.Shape...))
}
