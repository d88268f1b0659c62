package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mminfer/mminfer"
)

// sampled is what --json writes with --samples.
type sampled struct {
	Model     string      `json:"model"`
	Prompt    string      `json:"prompt"`
	PromptIDs []int32     `json:"prompt_ids"`
	Order     string      `json:"order"`
	Samples   []generated `json:"samples"`
}

// several continues a prompt several times: it is read once, the state forked, and all
// continuations are computed together. They are shown one after the other.
func (g *generate) several(ctx context.Context, s *mminfer.Session, prompt string, ids []int32, pictures []*mminfer.Picture, opts mminfer.GenerateOptions) error {
	n := g.samples.value
	seed := *g.sampling.sow(s, true)
	first, err := g.startReply(ctx, s, ids, pictures...)
	if err != nil {
		return err
	}
	replies, parts, seeds := make([]*reply, n), make([]mminfer.Continuation, n), make([]uint64, n)
	for i := range n {
		seeds[i] = seed + uint64(i)
		replies[i] = &reply{prompt: first.prompt, start: first.start, ids: []int32{}}
		parts[i] = mminfer.Continuation{Session: s.Fork(), Options: opts}
		parts[i].Session.Seed(seeds[i])
	}
	shown := 0
	show := func(all bool) {
		for ; shown < n && (all || replies[shown].stop != ""); shown++ {
			if r := replies[shown]; !g.json {
				g.showSample(shown, seeds[shown], g.shown(prompt), r.text.String())
			}
		}
	}
	for t, failed := range g.engine.Together(ctx, parts) {
		if err = failed; err != nil {
			break
		}
		r := replies[t.Index]
		r.add(t.Token, opts)
		r.text.WriteString(t.Text)
		show(false)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	show(true)
	if g.json {
		out := sampled{g.model.name(), prompt, append([]int32{}, ids...), string(opts.Sampling.Order), nil}
		for i, r := range replies {
			out.Samples = append(out.Samples, g.result(r, prompt, ids, &seeds[i], r.timings()))
		}
		if err := writeJSON(g.out, out); err != nil {
			return err
		}
	}
	return err
}

// showSample writes one continuation after its prompt.
func (g *generate) showSample(i int, seed uint64, prompt, text string) {
	fmt.Fprintf(g.out, "--- %d of %d, seed %d\n%s%s", i+1, g.samples.value, seed, g.outStyle.bold(prompt), text)
	if !strings.HasSuffix(prompt+text, "\n") {
		fmt.Fprintln(g.out)
	}
}
