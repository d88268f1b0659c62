package nn

import "github.com/mminfer/mminfer/tensor"

// Constant is y = b for every token: what an attention without heads or an MLP without neurons is.
type Constant struct {
	Bias []float32 // [D], nil for zero
}

// StateSpec says that a constant keeps nothing.
func (*Constant) StateSpec() StateSpec { return StateSpec{} }

// Mix writes the constant to y, [T, D].
func (c *Constant) Mix(y, _ tensor.Mat, _ []Span, _ *tensor.Workspace) {
	for i := range y.Rows {
		if c.Bias == nil {
			clear(y.Row(i))
		} else {
			copy(y.Row(i), c.Bias)
		}
	}
}

// StepBytes counts the vector.
func (c *Constant) StepBytes() int64 { return 4 * int64(len(c.Bias)) }

// StepMulAdds is 0.
func (*Constant) StepMulAdds() int64 { return 0 }
