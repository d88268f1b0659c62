package main

import (
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mminfer/mminfer"
)

// defaultTokens is the length of a continuation where neither the user nor the model gives one.
const defaultTokens = 256

// samplingFlags say how a text is continued. What is not given is as the model's
// generation_config.json says.
type samplingFlags struct {
	set *pflag.FlagSet

	tokens                            whole
	temperature, topP, minP, typical  number
	topK, penaltyLast                 whole
	repetition, frequency, occurrence number
	bias                              biases
	order                             choice
	greedy                            bool
	seed                              uint64
	stop                              []string
}

func newSamplingFlags(c *cobra.Command) *samplingFlags {
	const inf = math.MaxFloat64
	f := &samplingFlags{
		set:         c.Flags(),
		tokens:      whole{max: math.MaxInt32},
		temperature: number{max: inf}, topP: number{max: 1}, minP: number{max: 1}, typical: number{max: 1},
		topK: whole{max: math.MaxInt32}, penaltyLast: whole{max: math.MaxInt32},
		repetition: number{max: inf}, frequency: number{min: -inf, max: inf}, occurrence: number{min: -inf, max: inf},
		bias: biases{}, order: choice{value: string(mminfer.OrderTransformers)},
	}
	add := func(v pflag.Value, name, usage string) { f.set.Var(v, name, usage); f.set.Lookup(name).DefValue = "" }
	f.set.VarP(&f.tokens, "tokens", "n", "tokens to generate at most, 0 for as many as the model likes (default: the model's, or 256)")
	f.set.Lookup("tokens").DefValue = ""
	add(&f.temperature, "temperature", "divides the logits; 0 always takes the most probable token")
	add(&f.topK, "top-k", "keep the n most probable tokens, 0 for all")
	add(&f.topP, "top-p", "keep the most probable tokens that make up probability x, 1 for all")
	add(&f.minP, "min-p", "keep tokens at least x times as probable as the most probable one")
	add(&f.typical, "typical", "keep tokens whose information is nearest to the entropy and that make up probability x, 1 for all")
	for _, o := range mminfer.Orders() {
		f.order.words = append(f.order.words, string(o))
	}
	f.set.Var(&f.order, "order", "order and rules of the filters: transformers (temperature, top-k, top-p, min-p, typical), llama.cpp (top-k, typical, top-p, min-p, temperature) or mamba (top-k, temperature, top-p)")
	add(&f.repetition, "repeat-penalty", "divides the logits of tokens seen, 1 for none")
	add(&f.frequency, "frequency-penalty", "subtracted from a logit for each time its token was seen")
	add(&f.occurrence, "presence-penalty", "subtracted from the logits of tokens seen")
	add(&f.penaltyLast, "penalty-last", "how many last tokens the penalties see, 0 for all")
	add(f.bias, "logit-bias", "add to a token's logit; may be repeated")
	f.set.BoolVar(&f.greedy, "greedy", false, "always take the most probable token")
	f.set.Uint64Var(&f.seed, "seed", 0, "`number` that fixes the random choices (default: a random one, shown by -v)")
	f.set.StringArrayVar(&f.stop, "stop", nil, "end at this `text`, which is not shown; may be repeated")
	c.MarkFlagsMutuallyExclusive("greedy", "temperature")
	return f
}

// options returns the engine's defaults with the flags over them.
func (f *samplingFlags) options(e *mminfer.Engine) (mminfer.GenerateOptions, error) {
	o := e.Defaults()
	if o.MaxTokens == 0 {
		o.MaxTokens = defaultTokens
	}
	s := &o.Sampling
	override(f, "tokens", &o.MaxTokens, f.tokens.value)
	override(f, "temperature", &s.Temperature, f.temperature.value)
	override(f, "top-k", &s.TopK, f.topK.value)
	override(f, "top-p", &s.TopP, f.topP.value)
	override(f, "min-p", &s.MinP, f.minP.value)
	override(f, "typical", &s.Typical, f.typical.value)
	if s.Order == "" || f.set.Changed("order") {
		s.Order = mminfer.Order(f.order.value)
	}
	f.order.value = string(s.Order) // what the output tells
	override(f, "repeat-penalty", &s.RepetitionPenalty, f.repetition.value)
	override(f, "frequency-penalty", &s.FrequencyPenalty, f.frequency.value)
	override(f, "presence-penalty", &s.PresencePenalty, f.occurrence.value)
	override(f, "penalty-last", &s.PenaltyLast, f.penaltyLast.value)
	if f.greedy {
		s.Temperature = 0
	}
	o.Stop = f.stop
	if s.Temperature == 0 && !f.greedy && !f.set.Changed("temperature") {
		for _, name := range []string{"top-k", "top-p", "min-p", "typical", "order"} {
			if f.set.Changed(name) {
				return o, usagef("--%s has no effect: this model takes the most probable token unless --temperature says otherwise", name)
			}
		}
	}
	s.LogitBias = f.bias
	return o, nil
}

// override takes the flag's value if the flag was given.
func override[T any](f *samplingFlags, name string, dst *T, value T) {
	if f.set.Changed(name) {
		*dst = value
	}
}

// biases is a flag that takes logit biases, one at a time.
type biases map[int32]float64

func (b biases) String() string { return "" }
func (b biases) Type() string   { return "ID=BIAS" }

func (b biases) Set(s string) error {
	left, right, _ := strings.Cut(s, "=")
	id, err := strconv.ParseInt(left, 10, 32)
	x, err2 := strconv.ParseFloat(right, 64)
	if err != nil || err2 != nil || x != x {
		return errors.New("expected ID=BIAS, such as 42=-1.5 or 42=-inf")
	}
	b[int32(id)] = x
	return nil
}

// sow seeds the session's generator with --seed or, where fresh, with a random seed. It returns
// the seed, nil if the session's generator goes on.
func (f *samplingFlags) sow(s *mminfer.Session, fresh bool) *uint64 {
	seed := f.seed
	switch {
	case f.set.Changed("seed"):
	case fresh:
		seed = uint64(rand.Uint32())
	default:
		return nil
	}
	s.Seed(seed)
	return &seed
}
