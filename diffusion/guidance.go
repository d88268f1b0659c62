package diffusion

import (
	"fmt"
	"math"
)

// ClassifierFree guides a conditional network away from an unconditional one: o = u + scale·(c - u),
// in whatever the two predict (Ho & Salimans 2022, arXiv:2207.12598). rescale φ in [0, 1] then mixes in
// the output with the conditional one's deviation, sample by sample (Lin et al. 2023, arXiv:2305.08891,
// section 3.4); batch is how many samples lie end to end. A scale of 1 or a nil uncond is the plain
// conditional network.
func ClassifierFree[F Float](cond, uncond Network[F], scale, rescale float64, batch int) Network[F] {
	if scale == 1 || uncond == nil {
		return cond
	}
	var u []F
	return func(dst, x []F, time float64) error {
		if err := checkGuidance(len(x), scale, rescale, batch); err != nil {
			return err
		}
		if len(u) != len(x) {
			u = make([]F, len(x))
		}
		if err := uncond(u, x, time); err != nil {
			return err
		}
		if err := cond(dst, x, time); err != nil {
			return err
		}
		guide(dst, dst, u, scale, rescale, batch)
		return nil
	}
}

// ClassifierFreeBatch is [ClassifierFree] of one network that answers both questions in one call: its
// input is x twice [2, n], its output [unconditional, conditional], or the other way around if condFirst.
func ClassifierFreeBatch[F Float](both Network[F], condFirst bool, scale, rescale float64, batch int) Network[F] {
	var in, out []F
	return func(dst, x []F, time float64) error {
		if err := checkGuidance(len(x), scale, rescale, batch); err != nil {
			return err
		}
		n := len(x)
		if len(in) != 2*n {
			in, out = make([]F, 2*n), make([]F, 2*n)
		}
		copy(in, x)
		copy(in[n:], x)
		if err := both(out, in, time); err != nil {
			return err
		}
		u, c := out[:n], out[n:]
		if condFirst {
			u, c = c, u
		}
		guide(dst, c, u, scale, rescale, batch)
		return nil
	}
}

func checkGuidance(n int, scale, rescale float64, batch int) error {
	if math.IsNaN(scale) || math.IsInf(scale, 0) || !(rescale >= 0 && rescale <= 1) {
		return fmt.Errorf("diffusion: guidance scale %g, rescale %g: want a finite scale and a rescale of 0 to 1", scale, rescale)
	}
	if batch < 1 || n%batch != 0 || rescale > 0 && n/batch < 2 {
		return fmt.Errorf("diffusion: guidance of %d elements in %d samples: want samples of equal length, of 2 elements at least to rescale", n, batch)
	}
	return nil
}

// guide writes u + scale·(c - u), rescaled. dst may be c.
func guide[F Float](dst, c, u []F, scale, rescale float64, batch int) {
	n := len(dst) / batch
	for from := 0; from < len(dst); from += n {
		d, c, u := dst[from:from+n], c[from:from+n], u[from:from+n]
		want := 0.0
		if rescale > 0 {
			want = deviation(c)
		}
		combine(d, term[F]{scale, c}, term[F]{1 - scale, u})
		if got := deviation(d); rescale > 0 && got > 0 {
			combine(d, term[F]{rescale*want/got + (1 - rescale), d})
		}
	}
}

// deviation is the standard deviation of a sample's elements, over n-1.
func deviation[F Float](x []F) float64 {
	mean, sum := 0.0, 0.0
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		sum += float64(d * d)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

// ClassifierGuided moves a denoiser's estimate along the gradient of a classifier's log-probability of
// the wanted class, which grad writes for the noisy x: ε ← ε - scale·σ·∇log p (Dhariwal & Nichol 2021,
// arXiv:2105.05233, algorithm 2), which is x0 ← x0 + scale·σ²/α·∇log p.
func ClassifierGuided[F Float](d Denoiser[F], grad func(dst, x []F, at Level) error, scale float64) Denoiser[F] {
	var g []F
	return func(dst, x []F, at Level, form Form) error {
		c := -scale * at.Sigma
		if form != Noise {
			if at.Alpha == 0 {
				return fmt.Errorf("diffusion: classifier guidance where there is no signal (α = 0): start at a lower level")
			}
			if c /= at.Alpha; form == Data {
				c *= -at.Sigma
			}
		}
		if len(g) != len(x) {
			g = make([]F, len(x))
		}
		if err := grad(g, x, at); err != nil {
			return err
		}
		if err := d(dst, x, at, form); err != nil {
			return err
		}
		combine(dst, term[F]{1, dst}, term[F]{c, g})
		return nil
	}
}
