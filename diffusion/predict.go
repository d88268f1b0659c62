package diffusion

import (
	"fmt"
	"math"
)

// A Network writes its raw output for x [n] at a time to dst [n]; x keeps its values.
type Network[F Float] func(dst, x []F, time float64) error

// A Prediction is what a network's output means.
type Prediction int

// What networks predict, where x = α·x0 + σ·ε.
const (
	Epsilon Prediction = iota // ε
	Sample                    // x0 ("sample")
	V                         // α·ε - σ·x0
	Flow                      // ε - x0, on levels with α = 1 - σ
	Score                     // -ε/σ, the gradient of the log-density
)

// String is the name in a scheduler_config.json.
func (p Prediction) String() string {
	names := []string{"epsilon", "sample", "v_prediction", "flow_prediction", "score"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("Prediction(%d)", int(p))
	}
	return names[p]
}

// Predict makes a denoiser of a network.
func Predict[F Float](net Network[F], p Prediction) Denoiser[F] {
	var scaled []F
	return func(dst, x []F, at Level, form Form) error {
		cx, co, err := p.coefficients(at, form)
		if err != nil {
			return err
		}
		in := x
		if at.Scale != 1 {
			if len(scaled) != len(x) {
				scaled = make([]F, len(x))
			}
			combine(scaled, term[F]{at.Scale, x})
			in = scaled
		}
		if err := net(dst, in, at.Time); err != nil {
			return err
		}
		combine(dst, term[F]{cx, x}, term[F]{co, dst})
		return nil
	}
}

// coefficients of x and of the output in a form.
func (p Prediction) coefficients(at Level, form Form) (cx, co float64, err error) {
	if p < Epsilon || p > Score {
		return 0, 0, fmt.Errorf("diffusion: %v: want Epsilon, Sample, V, Flow or Score", p)
	}
	a, s := at.Alpha*at.Scale, at.Sigma*at.Scale // of the network's input
	switch form {
	case Slope:
		cx, co, err = p.coefficients(at, Data)
		return (1 - cx) / at.Sigma, -co / at.Sigma, err
	case Noise:
		switch p {
		case Epsilon:
			return 0, 1, nil
		case Sample:
			return 1 / at.Sigma, -at.Alpha / at.Sigma, nil
		case V:
			return s * at.Scale, a, nil
		case Flow:
			return 1, at.Alpha, nil
		}
		return 0, -s, nil
	}
	if at.Alpha == 0 && (p == Epsilon || p == Score) {
		return 0, 0, fmt.Errorf("diffusion: a network that predicts the %v says nothing of x0 where there is no signal (α = 0): start at a lower level, or use a v-prediction", p)
	}
	switch p {
	case Epsilon:
		return 1 / at.Alpha, -s / a, nil
	case Sample:
		return 0, 1, nil
	case V:
		return a * at.Scale, -s, nil
	case Flow:
		return 1, -at.Sigma, nil
	}
	return 1 / at.Alpha, s * s / a, nil
}

// EDM makes a denoiser of a network with the preconditioning of Karras et al. 2022, arXiv:2206.00364,
// table 1: x0 = c_skip·x + c_out·F(c_in·x, ln(σ)/4), where data is the standard deviation of the data.
// Its levels have α = 1; their time and scale are not used.
func EDM[F Float](net Network[F], data float64) Denoiser[F] {
	var scaled []F
	return FromData(func(dst, x []F, at Level) error {
		if !(data > 0) || at.Alpha != 1 || !(at.Sigma > 0) {
			return fmt.Errorf("diffusion: EDM: deviation %g of the data at α = %g, σ = %g: want positive ones and α = 1", data, at.Alpha, at.Sigma)
		}
		if len(scaled) != len(x) {
			scaled = make([]F, len(x))
		}
		v := at.Sigma*at.Sigma + data*data
		combine(scaled, term[F]{1 / math.Sqrt(v), x})
		if err := net(dst, scaled, math.Log(at.Sigma)/4); err != nil {
			return err
		}
		combine(dst, term[F]{data * data / v, x}, term[F]{at.Sigma * data / math.Sqrt(v), dst})
		return nil
	})
}
