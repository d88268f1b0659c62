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
	GELU       // x·Φ(x), not its approximation by tanh
)

// Apply computes x = f(x).
func (f Activation) Apply(x []float32) {
	switch f {
	case ReLU:
		relu(x)
	case SquaredReLU:
		relu(x)
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
	}
}

// relu keeps what is positive, and NaN.
func relu(x []float32) {
	for i, v := range x {
		if v <= 0 {
			x[i] = 0
		}
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
