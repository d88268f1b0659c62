package attn

import "math"

// Interpolate divides all frequencies by factor, so that factor times the positions fit.
//
// Source: Chen et al. 2023, arXiv:2306.15595, section 2.3.
func Interpolate(inv []float64, factor float64) {
	for i := range inv {
		inv[i] /= factor
	}
}

// Llama3 divides the frequencies of wavelengths beyond original/low positions by factor, keeps
// those below original/high, and blends in between; original is the length of text that the model
// was first trained on.
//
// Source: _compute_llama3_parameters in huggingface/transformers, modeling_rope_utils.py.
func Llama3(inv []float64, factor, low, high, original float64) {
	for i, f := range inv {
		turns := original * f / (2 * math.Pi) // within the original length
		switch {
		case turns > high:
		case turns < low:
			inv[i] = f / factor
		default:
			s := (turns - low) / (high - low)
			inv[i] = float64((1-s)*f)/factor + float64(s*f)
		}
	}
}

// Yarn are the parameters of [Yarn.Scale].
type Yarn struct {
	Factor   float64 // by which the text grows
	Original float64 // the length of text that the model was first trained on
	Fast     float64 // turns within it from which on a frequency is kept
	Slow     float64 // turns within it up to which a frequency is divided by Factor
	Exact    bool    // the bounds between them are not rounded to whole pairs
}

// Scale scales the frequencies theta^(-2i/r) of r = 2·len(inv) dimensions.
//
// Source: Peng et al. 2023, arXiv:2309.00071, section 3.2; _compute_yarn_parameters in
// huggingface/transformers, modeling_rope_utils.py.
func (y Yarn) Scale(inv []float64, theta float64) {
	r := float64(2 * len(inv))
	// pair is the index at which a frequency makes that many turns.
	pair := func(turns float64) float64 {
		return float64(r*ln(y.Original/(2*math.Pi*turns))) / float64(2*ln(theta))
	}
	lo, hi := pair(y.Fast), pair(y.Slow)
	if !y.Exact {
		lo, hi = math.Floor(lo), math.Ceil(hi)
	}
	lo, hi = max(lo, 0), min(hi, r-1)
	if lo == hi {
		hi += 0.001
	}
	for i, f := range inv {
		ramp := min(max((float64(i)-lo)/(hi-lo), 0), 1)
		inv[i] = float64(f/y.Factor*ramp) + float64(f*(1-ramp))
	}
}

// YarnAttention is the factor of sines and cosines that goes with [Yarn.Scale]: 0.1·m·ln(factor) + 1,
// or 1 for a factor of at most 1.
func YarnAttention(factor, m float64) float64 {
	if factor <= 1 {
		return 1
	}
	return float64(float64(0.1*m)*ln(factor)) + 1
}
