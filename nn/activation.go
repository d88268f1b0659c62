package nn

import "github.com/mminfer/mminfer/kernels/vec"

// Activation is an elementwise function.
type Activation uint8

// The activations.
const (
	Identity    Activation = iota
	ReLU                   // max(x, 0)
	SquaredReLU            // max(x, 0)²
	SiLU                   // x·σ(x), also called swish
	Sigmoid                // σ(x)
	Tanh
	ELUPlusOne // x+1 above 0, eˣ below
	GELU       // x·Φ(x)
	GELUTanh   // the same by a hyperbolic tangent
	QuickGELU  // x·σ(1.702·x)
)

// Apply computes x = f(x).
func (f Activation) Apply(x []float32) {
	switch f {
	case ReLU:
		vec.ReLU(x, x)
	case SquaredReLU:
		vec.ReLU(x, x)
		vec.Mul(x, x, x)
	case SiLU:
		vec.SiLU(x, x)
	case Sigmoid:
		vec.Sigmoid(x, x)
	case Tanh:
		vec.Tanh(x, x)
	case ELUPlusOne:
		eluPlusOne(x)
	case GELU:
		vec.GELU(x, x)
	case GELUTanh, QuickGELU:
		gateItself(x, f)
	}
}

// eluPlusOne takes the exponentials of a few elements at a time, in a buffer.
func eluPlusOne(x []float32) {
	var buf [64]float32
	for len(x) > 0 {
		n := min(len(x), len(buf))
		vec.Exp(buf[:n], x[:n])
		for i, v := range x[:n] {
			if v <= 0 {
				x[i] = buf[i]
			} else {
				x[i] = v + 1
			}
		}
		x = x[n:]
	}
}

// gateItself computes x·σ(u): u is 1.702·x of QuickGELU; of GELUTanh, which is x/2·(1 + tanh(u/2)), it is
// √(8/π)·(x + 0.044715·x³).
func gateItself(x []float32, f Activation) {
	var buf [64]float32
	for len(x) > 0 {
		n := min(len(x), len(buf))
		u := buf[:n]
		if f == QuickGELU {
			vec.Scale(u, 1.702, x[:n])
		} else {
			vec.Mul(u, x[:n], x[:n])
			vec.Scale(u, 0.044715, u)
			vec.Shift(u, u, 1)
			vec.Mul(u, u, x[:n])
			vec.Scale(u, 1.5957691216, u)
		}
		vec.Sigmoid(u, u)
		vec.Mul(x[:n], x[:n], u)
		x = x[n:]
	}
}
