package diffusion

import "math"

// betaQuantile returns the x in [0, 1] below which a beta distribution has the probability p, by bisection of
// the regularised incomplete beta function until no float64 lies between.
func betaQuantile(p, a, b float64) float64 {
	if p <= 0 {
		return 0
	}
	if p >= 1 {
		return 1
	}
	low, high := 0.0, 1.0
	for {
		mid := (low + high) / 2
		if mid <= low || mid >= high {
			return mid
		}
		if betaProbability(mid, a, b) < p {
			low = mid
		} else {
			high = mid
		}
	}
}

// betaProbability is the regularised incomplete beta function I_x(a, b), by the continued fraction of the
// Digital Library of Mathematical Functions, 8.17.22.
func betaProbability(x, a, b float64) float64 {
	if x > (a+1)/(a+b+2) {
		return 1 - betaProbability(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const tiny = 1e-300
	f, c, d := 1.0, 1.0, 0.0
	for n := range 500 {
		m := float64(n / 2)
		var k float64
		switch {
		case n == 0:
			k = 1
		case n%2 == 0:
			k = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			k = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		if d = 1 + k*d; d == 0 {
			d = tiny
		}
		if c = 1 + k/c; c == 0 {
			c = tiny
		}
		d = 1 / d
		f *= c * d
		if math.Abs(1-c*d) < 1e-16 {
			break
		}
	}
	return front * (f - 1)
}
