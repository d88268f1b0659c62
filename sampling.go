package mminfer

import (
	"fmt"
	"math"
	"slices"
)

// Sampling says how the next token is chosen. The zero value is greedy: the most probable token,
// the lower id on a tie.
//
// The stages apply in this order, which is that of transformers unless Order says otherwise: logit
// bias, repetition penalty, frequency and presence penalties, temperature, top-k, top-p, min-p,
// typical, then a draw from what is left.
type Sampling struct {
	Temperature float64 // divides the logits; 0 is greedy
	TopK        int     // keep the k most probable, and what ties with the last; 0 keeps all
	TopP        float64 // keep the most probable that make up this probability; 0 or 1 keeps all
	MinP        float64 // keep what is at least this fraction of the most probable; 0 keeps all
	Typical     float64 // keep what is nearest to the entropy and makes up this probability; 0 or 1 keeps all
	Order       Order   // of the filters

	RepetitionPenalty float64 // divides positive logits of seen tokens, multiplies negative; 0 or 1 is none
	FrequencyPenalty  float64 // subtracted for each time a token was seen
	PresencePenalty   float64 // subtracted from seen tokens
	PenaltyLast       int     // how many last tokens the penalties see; 0 is all

	LogitBias map[int32]float64 // added to the logits of tokens; -Inf excludes one
}

// check refuses parameters without meaning.
func (p *Sampling) check(vocab int) error {
	for _, c := range []struct {
		ok   bool
		name string
		got  any
		want string
	}{
		{p.Temperature >= 0 && p.Temperature <= math.MaxFloat64, "temperature", p.Temperature, "at least 0"},
		{p.TopK >= 0, "top-k", p.TopK, "at least 0"},
		{p.TopP >= 0 && p.TopP <= 1, "top-p", p.TopP, "0 to 1"},
		{p.MinP >= 0 && p.MinP <= 1, "min-p", p.MinP, "0 to 1"},
		{p.Typical >= 0 && p.Typical <= 1, "typical", p.Typical, "0 to 1"},
		{p.Order == "" || slices.Contains(Orders(), p.Order), "order", p.Order, fmt.Sprint("one of ", Orders())},
		{p.Order != OrderMamba || p.MinP == 0 && p.Typical == 0, "min-p and typical", "one of them with the order mamba", "neither: that order has none"},
		{p.RepetitionPenalty >= 0 && p.RepetitionPenalty <= math.MaxFloat64, "repetition penalty", p.RepetitionPenalty, "a positive number, or 0 for none"},
		{finite(p.FrequencyPenalty), "frequency penalty", p.FrequencyPenalty, "a number"},
		{finite(p.PresencePenalty), "presence penalty", p.PresencePenalty, "a number"},
		{p.PenaltyLast >= 0, "penalty window", p.PenaltyLast, "at least 0"},
	} {
		if !c.ok {
			return fmt.Errorf("mminfer: %s: found %v, expected %s", c.name, c.got, c.want)
		}
	}
	for id, b := range p.LogitBias {
		if id < 0 || int(id) >= vocab || !(b <= math.MaxFloat64) {
			return fmt.Errorf("mminfer: logit bias of token %d: found %v, expected a number or -Inf, and an id from 0 to %d", id, b, vocab-1)
		}
	}
	return nil
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

// plain reports whether nothing changes the logits' order.
func (p *Sampling) plain() bool {
	return (p.RepetitionPenalty == 0 || p.RepetitionPenalty == 1) && p.FrequencyPenalty == 0 && p.PresencePenalty == 0 && len(p.LogitBias) == 0
}
