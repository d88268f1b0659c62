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
	switch top := vec.Max(logits); {
	case top != top:
		return 0, fmt.Errorf("%w at token %d", ErrNaN, len(history))
	case math.IsInf(float64(top), -1):
		return 0, fmt.Errorf("%w: all are -Inf at token %d", ErrNaN, len(history))
	case p.Temperature == 0 && p.plain() || math.IsInf(float64(top), 1):
		return int32(route.ArgMax(logits)), nil
	}
	s.penalise(logits, history, p)
	best := s.argmax()
	switch top := s.logits[best]; {
	case math.IsInf(top, -1):
		return 0, fmt.Errorf("mminfer: the logit bias excludes every token at token %d", len(history))
	case p.Temperature == 0 || math.IsInf(top, 1):
		return best, nil
	}
	s.filter(p, s.logits[best])
	return s.draw(), nil
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

// filter fills s.kept with the tokens that remain and their probabilities; top is the largest
// logit.
func (s *sampler) filter(p *Sampling, top float64) {
	least := math.Inf(-1)
	if p.TopK > 0 && p.TopK < len(s.logits) {
		least = s.kthLargest(p.TopK)
	}
	s.kept = s.kept[:0]
	for i, z := range s.logits {
		if z >= least && !math.IsInf(z, -1) {
			// Less the largest before the division, which then cannot overflow upwards.
			s.kept = append(s.kept, candidate{id: int32(i), z: (z - top) / p.Temperature})
		}
	}
	s.softmax()
	if p.TopP > 0 && p.TopP < 1 {
		s.topP(p.TopP)
	}
	if p.MinP > 0 {
		s.minP(p.MinP)
	}
}

// kthLargest returns the k-th largest of s.logits, by a heap of the k largest so far with the
// least on top.
func (s *sampler) kthLargest(k int) float64 {
	h := append(s.heap[:0], s.logits[:k]...)
	down := func(i int) {
		for {
			c := 2*i + 1
			if c >= k {
				return
			}
			if c+1 < k && h[c+1] < h[c] {
				c++
			}
			if h[i] <= h[c] {
				return
			}
			h[i], h[c] = h[c], h[i]
			i = c
		}
	}
	for i := k/2 - 1; i >= 0; i-- {
		down(i)
	}
	for _, z := range s.logits[k:] {
		if z > h[0] {
			h[0] = z
			down(0)
		}
	}
	s.heap = h
	return h[0]
}

// softmax turns the logits of s.kept, the largest of which is 0, into probabilities.
func (s *sampler) softmax() {
	var sum float64
	for i := range s.kept {
		c := &s.kept[i]
		c.p = exp(c.z)
		sum += c.p
	}
	for i := range s.kept {
		s.kept[i].p /= sum
	}
}

// topP drops the least probable tokens that together make up at most 1-p; of equal ones the
// higher id goes first.
func (s *sampler) topP(p float64) {
	s.sorted = append(s.sorted[:0], s.kept...)
	slices.SortFunc(s.sorted, func(a, b candidate) int {
		switch {
		case a.z < b.z:
			return -1
		case a.z > b.z:
			return 1
		}
		return int(b.id - a.id)
	})
	var sum float64
	drop := 0
	for drop < len(s.sorted)-1 {
		if sum += s.sorted[drop].p; sum > 1-p {
			break
		}
		drop++
	}
	first := s.sorted[drop]
	s.keep(func(c candidate) bool { return c.z > first.z || c.z == first.z && c.id <= first.id })
}

// minP drops what is less than p times the most probable.
func (s *sampler) minP(p float64) {
	var top float64
	for _, c := range s.kept {
		top = max(top, c.p)
	}
	s.keep(func(c candidate) bool { return c.p >= p*top })
}

// keep drops the tokens that do not satisfy ok and makes the rest add up to 1.
func (s *sampler) keep(ok func(candidate) bool) {
	s.kept = slices.DeleteFunc(s.kept, func(c candidate) bool { return !ok(c) })
	var sum float64
	for _, c := range s.kept {
		sum += c.p
	}
	for i := range s.kept {
		s.kept[i].p /= sum
	}
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
	return top + math.Log(sum)
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
