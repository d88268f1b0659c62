package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/kernels/route"
)

// sampling checks every stage of every order of cases.jsonl, and logprobs.json.
func (v *verify) sampling(dir string) ([]counts, error) {
	f, err := os.Open(filepath.Join(dir, "cases.jsonl"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cases, err := golden.SamplingCases(f)
	if err != nil {
		return nil, err
	}
	orders := map[string]*counts{}
	for _, c := range cases {
		for order, stages := range c.Stages() {
			if orders[order] == nil {
				orders[order] = &counts{file: "cases.jsonl, stages of " + order}
			}
			for _, want := range stages {
				orders[order].check(samplingStage(c, order, want))
			}
		}
	}
	var all []counts
	for _, order := range slices.Sorted(maps.Keys(orders)) {
		all = append(all, *orders[order])
	}
	logs, err := logProbs(filepath.Join(dir, "logprobs.json"))
	return append(all, logs...), err
}

// samplingStage checks what is kept after one stage.
func samplingStage(c *golden.SamplingCase, order string, want golden.SamplingStage) error {
	g, history, err := c.Through(order, want.Stage)
	if err != nil {
		return err
	}
	p := mminfer.Sampling{
		Temperature: 1, TopK: g.TopK, MinP: g.MinP, Typical: g.Typical, Order: mminfer.Order(order),
		RepetitionPenalty: g.Repetition, FrequencyPenalty: g.Frequency, PresencePenalty: g.Presence, LogitBias: map[int32]float64{},
	}
	if g.Temperature != nil {
		p.Temperature = *g.Temperature
	}
	if g.TopP != nil {
		p.TopP = max(*g.TopP, math.SmallestNonzeroFloat64) // 0 keeps one token there, and is off here
	}
	for _, b := range g.LogitBias {
		p.LogitBias[int32(b[0])] = b[1]
	}
	kept, probs, err := p.Distribution(golden.Logits(c.Logits), history)
	if err == nil {
		err = want.Compare(kept, probs)
	}
	if err != nil {
		return fmt.Errorf("case %d, %s: %w", c.ID, want.Stage, err)
	}
	return nil
}

// logProbs checks the most probable tokens, log-probabilities and divergences.
func logProbs(path string) ([]counts, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var g golden.LogProbs
	if err := json.Unmarshal(raw, &g); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	greedy, perplexity, kld := counts{file: "logprobs.json, greedy"}, counts{file: "logprobs.json, perplexity"}, counts{file: "logprobs.json, kld"}
	for _, c := range g.Greedy {
		greedy.check(differs("token", float64(route.ArgMax(golden.Logits(c.Logits))), float64(c.ArgMax)))
	}
	for _, c := range g.Perplexity {
		for j, row := range c.Logits {
			logits := golden.Logits(row)
			perplexity.check(differs("log-probability", mminfer.LogProbOf(logits, c.Targets[j]), float64(c.LogProbs[j])))
			if len(c.Top) == 0 {
				continue
			}
			for k, top := range mminfer.TopLogProbs(logits, len(c.Top[j])) {
				perplexity.check(differs("token", float64(top.ID), float64(c.Top[j][k][0])))
				perplexity.check(differs("log-probability", top.LogProb, float64(c.Top[j][k][1])))
			}
		}
	}
	for _, c := range g.KLD {
		kld.check(differs("divergence", mminfer.Divergence(golden.Logits(c.Ref), golden.Logits(c.Logits)), c.KLD))
	}
	return []counts{greedy, perplexity, kld}, nil
}

// differs returns an error if two numbers are not as equal as float64 makes them.
func differs(what string, got, want float64) error {
	if golden.Close(got, want) {
		return nil
	}
	return fmt.Errorf("%s %v, want %v", what, got, want)
}
