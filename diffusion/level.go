package diffusion

import (
	"fmt"
	"math"
)

// Float is the element type of a sample.
type Float interface{ ~float32 | ~float64 }

// A Level is a noise level: x = Alpha·x0 + Sigma·ε. Variance-preserving levels have α²+σ² = 1, flows
// have α+σ = 1, and where x is in units of the data ("VE"), α = 1.
type Level struct {
	Time         float64 // what the network is told
	Alpha, Sigma float64
	Scale        float64 // the network sees x·Scale; 1 but for VE levels of a network trained otherwise
}

// VP is the variance-preserving level whose σ/α is ratio.
func VP(time, ratio float64) Level {
	a := 1 / math.Sqrt(ratio*ratio+1)
	return Level{Time: time, Alpha: a, Sigma: ratio * a, Scale: 1}
}

// VE is the level of x = x0 + sigma·ε for a network that was trained on variance-preserving levels.
func VE(time, sigma float64) Level {
	return Level{Time: time, Alpha: 1, Sigma: sigma, Scale: 1 / math.Sqrt(sigma*sigma+1)}
}

// Rectified is the level of a rectified flow, x = (1-sigma)·x0 + sigma·ε.
func Rectified(time, sigma float64) Level {
	return Level{Time: time, Alpha: 1 - sigma, Sigma: sigma, Scale: 1}
}

// Lambda is half the logarithm of the signal-to-noise ratio, ln(α/σ).
func (l Level) Lambda() float64 { return math.Log(l.Alpha) - math.Log(l.Sigma) }

// AddNoise writes dst = α·x0 + σ·noise. dst may be either of them.
func AddNoise[F Float](dst, x0, noise []F, at Level) {
	combine(dst, term[F]{at.Alpha, x0}, term[F]{at.Sigma, noise})
}

// term is a coefficient and what it multiplies; a coefficient of 0 leaves it out, whatever it holds.
type term[F Float] struct {
	c float64
	v []F
}

// combine writes dst[i] = Σ c·v[i]. The terms may overlap dst exactly.
func combine[F Float](dst []F, terms ...term[F]) {
	for i := range dst {
		s := 0.0
		for _, t := range terms {
			if t.c != 0 {
				s += float64(t.c * float64(t.v[i]))
			}
		}
		dst[i] = F(s)
	}
}

// checkGrid holds a grid against what solvers rely on: at least two levels, finite, and no level but the
// last without noise.
func checkGrid(solver string, grid []Level) error {
	if len(grid) < 2 {
		return fmt.Errorf("diffusion: %s: a grid of %d levels, want at least 2", solver, len(grid))
	}
	for i, l := range grid {
		ok := l.Alpha >= 0 && l.Sigma >= 0 && l.Alpha+l.Sigma > 0 && l.Alpha <= math.MaxFloat64 && l.Sigma <= math.MaxFloat64
		if !ok || !(l.Scale > 0 && l.Scale <= math.MaxFloat64) || math.IsNaN(l.Time) || math.IsInf(l.Time, 0) {
			return fmt.Errorf("diffusion: %s: level %d is %+v: want finite numbers, α and σ not negative nor both 0, a positive scale", solver, i, l)
		}
		if l.Sigma == 0 && i < len(grid)-1 {
			return fmt.Errorf("diffusion: %s: level %d of %d has no noise: only the last may", solver, i, len(grid))
		}
	}
	return nil
}

// checkRatios also demands what a solver in ln(α/σ) divides by: signal everywhere, and levels that go one
// way. The last may repeat the one before it, which changes nothing.
func checkRatios(solver string, grid []Level) error {
	if err := checkGrid(solver, grid); err != nil {
		return err
	}
	up := grid[len(grid)-1].Lambda() >= grid[0].Lambda()
	for i, l := range grid {
		if l.Alpha == 0 {
			return fmt.Errorf("diffusion: %s: level %d has no signal (α = 0), and ln(α/σ) is not finite: raise its α", solver, i)
		}
		if i == 0 {
			continue
		}
		h := l.Lambda() - grid[i-1].Lambda()
		if h != 0 && (h > 0) != up || h == 0 && i < len(grid)-1 {
			return fmt.Errorf("diffusion: %s: levels %d and %d: ln(α/σ) goes from %g to %g: want a grid that goes one way", solver, i-1, i, grid[i-1].Lambda(), l.Lambda())
		}
	}
	return nil
}
