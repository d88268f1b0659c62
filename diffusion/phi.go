package diffusion

import "math"

// phi returns φ1(h) = e^h - 1, φ2 = φ1/h - 1, φ3 = φ2/h - 1/2: the integrals over a step of e^(h-τ) times
// 1, τ/h and (τ/h)²/2, without their factors. The data form is φ(-h). Near 0, where the divisions lose their
// digits, they are power series; all are 0 at 0.
func phi(h float64) (p1, p2, p3 float64) {
	p1 = math.Expm1(h)
	if math.Abs(h) > 0.5 {
		p2 = p1/h - 1
		return p1, p2, p2/h - 0.5
	}
	// Σ h^k/(k+1)! and Σ h^k/(k+2)! from k = 1 on: the 16th term is below 1e-19.
	for k := 16; k >= 1; k-- {
		p2 = (p2 + 1) * (h / float64(k+1))
		p3 = (p3 + 1) * (h / float64(k+2))
	}
	return p1, p2, p3 / 2
}
