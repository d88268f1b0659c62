package mminfer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/kernels/vec"
)

// sampler chooses tokens for one session. Its scratch grows to the vocabulary's size once.
type sampler struct {
	rng    rand.PCG
	logits []float64   // of every token
	seen   []int32     // how often the penalties saw a token; zero between calls
	kept   []candidate // by ascending id
	sorted []candidate
	heap   []float64
	lnSum  float64 // of the last softmax: ln Σ e^z
}

// candidate is a token still in the draw.
type candidate struct {
	id int32
	z  float64 // logit less the largest, by the temperature
	p  float64
}

// clone copies the random generator; scratch is not shared.
func (s *sampler) clone() sampler { return sampler{rng: s.rng} }

// next chooses a token from the logits of one position, whose timeline is history.
func (s *sampler) next(logits []float32, history []int32, p *Sampling) (int32, error) {
	only, err := s.prepare(logits, history, p)
	if err != nil || only >= 0 {
		return only, err
	}
	return s.draw(), nil
}

// prepare fills s.kept with what a token is drawn from, or returns the only one that can be, else
// -1.
func (s *sampler) prepare(logits []float32, history []int32, p *Sampling) (only int32, err error) {
	switch top := vec.Max(logits); {
	case top != top:
		return -1, fmt.Errorf("%w at token %d", ErrNaN, len(history))
	case math.IsInf(float64(top), -1):
		return -1, fmt.Errorf("%w: all are -Inf at token %d", ErrNaN, len(history))
	case p.Temperature == 0 && p.plain() || math.IsInf(float64(top), 1):
		return int32(route.ArgMax(logits)), nil
	}
	s.penalise(logits, history, p)
	best := s.argmax()
	switch top := s.logits[best]; {
	case math.IsInf(top, -1):
		return -1, fmt.Errorf("mminfer: the logit bias excludes every token at token %d", len(history))
	case p.Temperature == 0 || math.IsInf(top, 1):
		return best, nil
	}
	s.filter(p, s.logits[best])
	return -1, nil
}

// penalise fills s.logits: bias, then the penalties.
func (s *sampler) penalise(logits []float32, history []int32, p *Sampling) {
	s.logits = slices.Grow(s.logits[:0], len(logits))[:len(logits)]
	for i, z := range logits {
		s.logits[i] = float64(z)
	}
	for id, b := range p.LogitBias {
		s.logits[id] += b
	}
	if p.RepetitionPenalty == 0 && p.FrequencyPenalty == 0 && p.PresencePenalty == 0 {
		return
	}
	if p.PenaltyLast > 0 {
		history = history[max(0, len(history)-p.PenaltyLast):]
	}
	if len(s.seen) < len(logits) {
		s.seen = make([]int32, len(logits))
	}
	for _, id := range history {
		s.seen[id]++
	}
	repetition := p.RepetitionPenalty
	if repetition == 0 {
		repetition = 1
	}
	for _, id := range history {
		n := s.seen[id]
		if n == 0 {
			continue // done at its first occurrence
		}
		s.seen[id] = 0
		z := &s.logits[id]
		if *z < 0 {
			*z *= repetition
		} else {
			*z /= repetition
		}
		*z -= float64(float64(n)*p.FrequencyPenalty) + p.PresencePenalty
		if *z != *z { // ∞ - ∞, of penalties beyond all measure
			*z = math.Inf(-1)
		}
	}
}

// argmax returns the largest of s.logits, the lowest id on a tie.
func (s *sampler) argmax() int32 {
	best := 0
	for i, z := range s.logits {
		if z > s.logits[best] {
			best = i
		}
	}
	return int32(best)
}

// draw walks the tokens by ascending id to the first whose cumulative probability exceeds a
// uniform number; what rounding leaves over goes to the last.
func (s *sampler) draw() int32 {
	u := float64(s.rng.Uint64()>>11) * 0x1p-53
	var sum float64
	last := s.kept[0].id
	for _, c := range s.kept {
		if c.p == 0 {
			continue
		}
		last = c.id
		if sum += c.p; sum > u {
			break
		}
	}
	return last
}

// exp is eˣ for x ≤ 0 with the same bits on every machine, which math.Exp does not promise:
// Cody and Waite's reduction and a Taylor polynomial, no operation of which can be fused.
func exp(x float64) float64 {
	if x < -745 {
		return 0
	}
	n := math.RoundToEven(float64(x * math.Log2E))
	r := x - float64(n*0x1.62e42feep-1)
	r -= float64(n * 0x1.a39ef35793c76p-33)
	p := 1.0
	for k := 14; k > 0; k-- {
		p = 1 + float64(float64(r*p)/float64(k))
	}
	return math.Ldexp(p, int(n))
}

// ln is the natural logarithm of x ≥ 1 with the same bits on every machine: 2 artanh of
// (f-1)/(f+1) for the fraction f nearest to 1.
func ln(x float64) float64 {
	f, e := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f, e = 2*f, e-1
	}
	s := (f - 1) / (f + 1)
	square, sum := s*s, 0.0
	for k := 23; k > 0; k -= 2 {
		sum = float64(sum*square) + 1/float64(k)
	}
	return float64(float64(e)*math.Ln2) + float64(2*s*sum)
}

// LogProb is a token and the natural logarithm of its probability.
type LogProb struct {
	ID      int32   `json:"id"`
	Text    string  `json:"text"`
	LogProb float64 `json:"logprob"` // at most 0
}

// logSumExp returns ln Σ e^z over raw logits, in float64.
func logSumExp(logits []float32) float64 {
	top := float64(vec.Max(logits))
	var sum float64
	for _, z := range logits {
		sum += exp(float64(z) - top)
	}
	return top + ln(sum)
}

// topLogProbs returns the n most probable tokens, ties by id.
func topLogProbs(logits []float32, n int, total float64) []LogProb {
	if n = min(n, len(logits)); n == 0 {
		return nil
	}
	top := make([]LogProb, 0, n+1)
	for i, z := range logits {
		lp := float64(z) - total
		if len(top) == n && !(lp > top[n-1].LogProb) {
			continue
		}
		at := len(top)
		for at > 0 && lp > top[at-1].LogProb {
			at--
		}
		top = slices.Insert(top, at, LogProb{ID: int32(i), LogProb: lp})
		top = top[:min(len(top), n)]
	}
	return top
}
