package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
)

// draftFlags choose a subnet that guesses tokens.
type draftFlags struct {
	shape  shapeFlag
	tokens whole
}

func newDraftFlags(c *cobra.Command) *draftFlags {
	d := &draftFlags{tokens: whole{0, 0, 64}}
	f := c.Flags()
	f.Var(&d.shape, "draft-shape", "have the subnet of this shape, of --strategy, guess tokens for the model")
	f.Var(&d.tokens, "draft", "tokens guessed before a check; 0: 4, and none once that turns out slower")
	return d
}

// openDrafted opens the model and, if one is asked for, the draft. The model is whole unless --shape
// says otherwise: --strategy alone is about the draft.
func (g *generate) openDrafted(ctx context.Context) (*mminfer.Draft, error) {
	d, flags := g.draft, g.model.subnet
	var err error
	if !d.shape.set {
		if d.tokens.value > 0 {
			return nil, usagef("--draft needs --draft-shape: which subnet guesses?")
		}
		g.engine, err = g.open(ctx, g.model)
		return nil, err
	}
	if flags.strategy == "" {
		return nil, usagef("--draft-shape needs --strategy")
	}
	draft := &mminfer.Draft{Tokens: d.tokens.value}
	if flags.shape.set || flags.adapter != "" {
		if g.engine, err = g.open(ctx, g.model); err != nil {
			return nil, err
		}
		draft.Engine, err = g.engine.Reshape(d.shape.String())
	} else {
		whole, small := *g.model, *g.model
		whole.subnet = nil
		if g.engine, err = g.open(ctx, &whole); err != nil {
			return nil, err
		}
		draft.Engine, err = g.open(ctx, &small, mminfer.WithShape(d.shape.String()))
	}
	if err != nil {
		return nil, errors.Join(err, g.engine.Close())
	}
	return draft, nil
}

// report tells what guesses were worth.
func (d *draftFlags) report(draft *mminfer.Draft) string {
	if draft.Checks == 0 {
		return fmt.Sprintf("draft %v: nothing was guessed", d.shape.Shape)
	}
	s := fmt.Sprintf("draft %v: %d of %d guesses accepted (%.0f %%), %.2f tokens a check; %.1f tok/s", d.shape.Shape, draft.Accepted, draft.Guessed,
		100*float64(draft.Accepted)/float64(max(1, draft.Guessed)), float64(draft.DraftedTokens)/float64(draft.Checks), float64(draft.DraftedTokens)/draft.DraftedTime.Seconds())
	if draft.PlainTokens > 0 {
		s += fmt.Sprintf(", %.1f without", float64(draft.PlainTokens)/draft.PlainTime.Seconds())
	}
	if draft.GaveUp {
		s += "; it did not pay and was given up"
	}
	return s
}
