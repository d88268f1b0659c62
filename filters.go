package mminfer

import (
	"fmt"
	"math"
	"slices"
)

// Order is the order of the filters, and the rules in which libraries differ.
type Order string

// The orders. All begin with bias and penalties and end with the draw.
const (
	// Temperature, top-k (what ties with the last stays), top-p, min-p, typical. Also the zero value.
	OrderTransformers Order = "transformers"
	// Top-k (exactly k), typical, top-p, min-p, and temperature last.
	OrderLlamaCPP Order = "llama.cpp"
	// Top-k (exactly k), temperature, top-p: that of mamba_ssm and mmMamba.
	OrderMamba Order = "mamba"
)

// Orders returns the known orders.
func Orders() []Order { return []Order{OrderTransformers, OrderLlamaCPP, OrderMamba} }

// Distribution returns what a token is drawn from: the ids that the filters keep, ascending, and
// their probabilities, which add up to 1. At temperature 0 it is the token alone. The history is
// what the penalties look at.
func (p *Sampling) Distribution(logits []float32, history []int32) (ids []int32, probs []float64, err error) {
	if err := p.check(len(logits)); err != nil {
		return nil, nil, err
	}
	for _, id := range history {
		if id < 0 || int(id) >= len(logits) {
			return nil, nil, fmt.Errorf("mminfer: history: token %d, expected 0 to %d", id, len(logits)-1)
		}
	}
	var s sampler
	only, err := s.prepare(logits, history, p)
	if err != nil {
		return nil, nil, err
	}
	if only >= 0 {
		return []int32{only}, []float64{1}, nil
	}
	for _, c := range s.kept {
		ids, probs = append(ids, c.id), append(probs, c.p)
	}
	return ids, probs, nil
}

// filter fills s.kept with the tokens that remain and their probabilities; top is the largest
// logit.
func (s *sampler) filter(p *Sampling, top float64) {
	s.topK(p, top)
	switch p.Order {
	case OrderLlamaCPP:
		s.typical(p)
		s.topP(p)
		s.minP(p.MinP)
		s.heat(p.Temperature)
	case OrderMamba:
		s.heat(p.Temperature)
		s.topP(p)
	default:
		s.heat(p.Temperature)
		s.topP(p)
		s.minP(p.MinP)
		s.typical(p)
	}
	s.softmax()
}

// topK fills s.kept with the k largest logits, less the largest: of those that tie with the last,
// all in the order of transformers, the lowest ids in the others. It comes first in every order:
// a temperature before it changes nothing.
func (s *sampler) topK(p *Sampling, top float64) {
	least, ties := math.Inf(-1), len(s.logits)
	if p.TopK > 0 && p.TopK < len(s.logits) {
		least = s.kthLargest(p.TopK)
		if p.Order == OrderLlamaCPP || p.Order == OrderMamba {
			ties = p.TopK
			for _, z := range s.logits {
				if z > least {
					ties--
				}
			}
		}
	}
	s.kept = s.kept[:0]
	for i, z := range s.logits {
		if z < least || math.IsInf(z, -1) {
			continue
		}
		if z == least {
			if ties--; ties < 0 {
				continue
			}
		}
		s.kept = append(s.kept, candidate{id: int32(i), z: z - top})
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

// heat divides by the temperature.
func (s *sampler) heat(temperature float64) {
	for i := range s.kept {
		s.kept[i].z /= temperature
	}
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
	s.lnSum = ln(sum)
}

// topP keeps the most probable tokens that together make up p; of equal ones the lower ids. In
// the order of llama.cpp it counts from the top and keeps the token that reaches p; elsewhere it
// counts from the bottom and drops while the sum is at most 1-p.
func (s *sampler) topP(p *Sampling) {
	if p.TopP <= 0 || p.TopP >= 1 {
		return
	}
	s.softmax()
	s.sorted = append(s.sorted[:0], s.kept...)
	slices.SortFunc(s.sorted, func(a, b candidate) int { return byLogit(b, a) })
	last, sum := 0, 0.0
	if p.Order == OrderLlamaCPP {
		for last < len(s.sorted)-1 {
			if sum += s.sorted[last].p; sum >= p.TopP {
				break
			}
			last++
		}
	} else {
		for last = len(s.sorted) - 1; last > 0; last-- {
			if sum += s.sorted[last].p; sum > 1-p.TopP {
				break
			}
		}
	}
	end := s.sorted[last]
	s.keep(func(c candidate) bool { return byLogit(c, end) >= 0 })
}

// byLogit compares what ranks higher: the larger logit, or the lower id.
func byLogit(a, b candidate) int {
	switch {
	case a.z < b.z:
		return -1
	case a.z > b.z:
		return 1
	}
	return int(b.id - a.id)
}

// minP drops what is less than p times the most probable.
func (s *sampler) minP(p float64) {
	if p <= 0 {
		return
	}
	s.softmax()
	var top float64
	for _, c := range s.kept {
		top = max(top, c.p)
	}
	s.keep(func(c candidate) bool { return c.p >= p*top })
}

// typical keeps the tokens whose information is nearest to the entropy and that together make up
// p.Typical (Meister et al., arXiv 2202.00666). In the order of llama.cpp it ends with the token
// that exceeds it, elsewhere what ties with that one stays.
func (s *sampler) typical(p *Sampling) {
	if p.Typical <= 0 || p.Typical >= 1 {
		return
	}
	s.softmax()
	var entropy float64
	for _, c := range s.kept {
		if c.p > 0 {
			entropy -= float64(c.p * (c.z - s.lnSum))
		}
	}
	distance := func(c candidate) float64 { return math.Abs(s.lnSum - c.z - entropy) }
	s.sorted = s.sorted[:0]
	for _, c := range s.kept {
		s.sorted = append(s.sorted, candidate{c.id, -distance(c), c.p})
	}
	slices.SortFunc(s.sorted, func(a, b candidate) int { return byLogit(b, a) })
	last, sum := 0, 0.0
	for last < len(s.sorted)-1 {
		sum += s.sorted[last].p
		if sum > p.Typical || p.Order != OrderLlamaCPP && sum >= p.Typical {
			break
		}
		last++
	}
	end := s.sorted[last]
	s.keep(func(c candidate) bool {
		near := candidate{c.id, -distance(c), 0}
		if p.Order == OrderLlamaCPP {
			return byLogit(near, end) >= 0
		}
		return near.z >= end.z
	})
}

// keep drops the tokens that do not satisfy ok.
func (s *sampler) keep(ok func(candidate) bool) {
	s.kept = slices.DeleteFunc(s.kept, func(c candidate) bool { return !ok(c) })
}
