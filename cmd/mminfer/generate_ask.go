package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/mminfer/mminfer"
)

// session returns the session to go on from, and sets g.talk if the text is a message of a
// conversation: if there are pictures, or were some in the session.
func (g *generate) session(prompt string, pictures []*mminfer.Picture) (s *mminfer.Session, err error) {
	s = g.engine.NewSession()
	if g.load != "" {
		if s, err = loadSession(g.engine, g.load); err != nil {
			return nil, err
		}
	}
	c, err := loadMessages(g.load)
	if err != nil || len(pictures) == 0 && (c == nil || prompt == "") {
		return s, err
	}
	if c == nil {
		c = new(mminfer.Conversation)
		if s.Len() > 0 {
			return nil, fmt.Errorf("%s: the session is a plain text, and pictures belong to a conversation: begin without --load", g.load)
		}
	}
	g.talk, err = s.Chat(*c)
	return s, err
}

// ask sends the text and the pictures as a message, shows the reply and saves the session.
func (g *generate) ask(ctx context.Context, s *mminfer.Session, prompt string, pictures []*mminfer.Picture, opts mminfer.GenerateOptions) error {
	g.talk.Add(mminfer.Message{Role: "user", Content: prompt, Pictures: pictures})
	ids, left, err := g.talk.Prompt()
	if err != nil {
		return err
	}
	if g.samples.value > 1 {
		return g.several(ctx, s, prompt, ids, left, opts)
	}
	seed := g.sow(s, opts)
	r, err := g.startReply(ctx, s, ids, left...)
	if err != nil {
		return err
	}
	w := io.Writer(g.out)
	if g.json {
		w = io.Discard
	}
	err = r.show(g.talk.Reply(ctx, opts), opts, w, "")
	return g.ended(err, r, s, prompt, ids, seed)
}

// sow seeds the session's generator and tells the seed if that is wanted.
func (g *generate) sow(s *mminfer.Session, opts mminfer.GenerateOptions) *uint64 {
	seed := g.sampling.sow(s, g.load == "")
	if g.verbose && seed != nil {
		fmt.Fprintf(g.stderr, "seed: %d\norder of filters: %s\n", *seed, opts.Sampling.Order)
	}
	return seed
}

// shown is what stands before the continuation: the text, unless the model replies to it.
func (g *generate) shown(prompt string) string {
	if g.talk != nil {
		return ""
	}
	return prompt
}

// names are the pictures as they were named, data URIs clipped.
func (g *generate) names() (list []string) {
	for _, name := range g.images {
		if strings.HasPrefix(strings.ToLower(name), "data:") {
			name = clipped(name)
		}
		list = append(list, name)
	}
	return list
}
