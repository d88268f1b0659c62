package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
)

// generate is the command of that name.
type generate struct {
	*app
	model    *modelFlags
	sampling *samplingFlags
	form     *constraintFlags
	draft    *draftFlags

	text             string // --prompt
	file, save, load string
	images           []string
	json, verbose    bool
	logProbs         whole
	samples          whole
	wantLogProbs     func() bool

	engine *mminfer.Engine
	loaded time.Duration
	talk   *mminfer.Chat // the text is a message of it; nil: the text is continued
}

func (a *app) generateCommand() *cobra.Command {
	g := &generate{app: a, logProbs: whole{max: math.MaxInt16}, samples: whole{1, 1, 1024}}
	c := &cobra.Command{
		Use:   "generate [PROMPT]",
		Short: "Continue a text",
		Long: `Generate continues a text and shows the continuation as it comes, after the text.

The text comes from the arguments or -p TEXT, from -f FILE, or from standard input if that is
a file or a pipe; one line end at the end of a file or of standard input is dropped.

A session saved by --save and loaded by --load goes on where it ended, without
reading its text again; only the new text and its continuation are shown. Ctrl-C
ends the text early; the session up to there is saved too.

With --image the text is a question about pictures, and the model's reply is shown
alone; without -m the built-in reader replies. Several pictures stand before the text
in the order given. A session with pictures, or one saved by chat, goes on with the
text as the next message of the conversation: what was seen is not looked at again.

--draft-shape has a subnet of the same model guess tokens, which the model checks
several at a time. The text is the same; whether it comes sooner is told at the end.

--json-schema, --regex and --grammar hold the continuation to a form: only tokens
that keep to it can be chosen, and it ends when it is complete, within -n tokens if
those are enough for the shortest text. What cannot be enforced is refused.`,
		Example: `  mminfer generate "Once upon a time"
  echo "The old king called his three sons" | mminfer generate -n 50 --seed 1
  mminfer generate "Once upon a time" -n 20 --save story.session
  mminfer generate --load story.session -n 20
  mminfer generate "Once" -n 5 --greedy --json --logprobs 3
  mminfer generate --image sign.png "What does it say?"
  mminfer generate --image sign.png -p "What does it say?" --save sign.session
  mminfer generate --load sign.session "How many circles?"
  mminfer generate "The fox" -n 20 --temperature 0.9 --samples 4 --seed 1
  mminfer generate "The name of the king was" --regex ' [A-Z][a-z]{2,9}'
  mminfer generate "The king as JSON:" -n 60 --json-schema king.schema.json
  mminfer generate "Who came? " --grammar answer.gbnf
  mminfer generate -m models/smollm2 --strategy strategy --draft-shape 24x0.875 --greedy "Once upon a time"`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := c.Flags()
	g.model = newModelFlags(c)
	f.StringVarP(&g.text, "prompt", "p", "", "the `text`, in place of the arguments")
	f.StringVarP(&g.file, "file", "f", "", "read the text from `FILE`, - for standard input")
	g.sampling = newSamplingFlags(c)
	g.form = newConstraintFlags(c)
	g.draft = newDraftFlags(c)
	f.StringVar(&g.save, "save", "", "save the session to `FILE` at the end")
	f.StringVar(&g.load, "load", "", "go on from the session in `FILE`")
	picturesFlag(c, &g.images)
	f.Var(&g.samples, "samples", "continue the text `n` times: it is read once, and sample i has seed + i")
	c.MarkFlagsMutuallyExclusive("samples", "save")
	c.MarkFlagsMutuallyExclusive("samples", "draft-shape")
	f.BoolVar(&g.json, "json", false, "write one JSON object at the end instead of the text")
	f.Var(&g.logProbs, "logprobs", "with --json: log-probabilities of the tokens, and the n most probable ones at each")
	f.Lookup("logprobs").DefValue = ""
	f.BoolVarP(&g.verbose, "verbose", "v", false, "tell seed and speed on standard error")
	g.wantLogProbs = func() bool { return f.Changed("logprobs") }
	return a.command(c, g.run)
}

func (g *generate) run(ctx context.Context, args []string) (err error) {
	if g.wantLogProbs() && !g.json {
		return usagef("--logprobs needs --json")
	}
	prompt, err := g.prompt(args)
	if err != nil {
		return err
	}
	pictures, err := readPictures(g.images)
	if err != nil {
		return err
	}
	if g.save != "" {
		if err := checkFolder(g.save); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
	}
	if err := g.form.compile(); err != nil {
		return err
	}
	g.model.pictures = len(pictures) > 0 || g.load != "" && storedPictures(g.load)
	start := time.Now()
	draft, err := g.openDrafted(ctx)
	if err != nil {
		return err
	}
	defer g.engine.Close()
	if draft != nil {
		defer draft.Engine.Close()
		defer func() { fmt.Fprintln(g.stderr, g.draft.report(draft)) }()
	}
	g.loaded = time.Since(start)
	opts, err := g.sampling.options(g.engine)
	if err != nil {
		return err
	}
	if err := g.form.bind(g.app, g.engine, &opts); err != nil {
		return err
	}
	opts.Draft = draft
	opts.LogProbs, opts.TopLogs = g.wantLogProbs(), g.logProbs.value
	seen, err := look(g.engine, g.model.name(), pictures)
	if err != nil {
		return err
	}
	s, err := g.session(prompt, seen)
	if err != nil {
		return err
	}
	if g.talk != nil {
		return g.ask(ctx, s, prompt, seen, opts)
	}
	ids, err := s.Encode(prompt)
	if err != nil {
		return err
	}
	if s.Len()+len(ids) == 0 {
		return usagef("there is nothing to continue: the text is empty")
	}
	if g.samples.value > 1 {
		return g.several(ctx, s, prompt, ids, nil, opts)
	}
	return g.continueText(ctx, s, prompt, ids, opts)
}

// prompt reads the text to continue. Without a session there must be one.
func (g *generate) prompt(args []string) (string, error) {
	if g.text != "" {
		if len(args) > 0 {
			return "", usagef("a text as an argument and --prompt exclude each other")
		}
		args = []string{g.text}
	}
	text, found, err := g.readText(args, g.file)
	if err != nil || found {
		if len(args) == 0 {
			text = withoutNewline(text)
		}
		return text, err
	}
	if g.load == "" && len(g.images) == 0 {
		return "", usagef("there is no text to continue: give it as an argument, with -f FILE or on standard input")
	}
	return "", nil
}

// continueText feeds the prompt, shows it and its continuation, and saves the session.
func (g *generate) continueText(ctx context.Context, s *mminfer.Session, prompt string, ids []int32, opts mminfer.GenerateOptions) error {
	seed := g.sow(s, opts)
	r, err := g.startReply(ctx, s, ids)
	if err != nil {
		return err
	}
	w := io.Writer(g.out)
	if g.json {
		w = io.Discard
	}
	err = r.run(ctx, s, opts, w, g.outStyle.bold(prompt))
	return g.ended(err, r, s, prompt, ids, seed)
}

// ended finishes a continuation that is complete or was interrupted.
func (g *generate) ended(err error, r *reply, s *mminfer.Session, prompt string, ids []int32, seed *uint64) error {
	if err == nil || errors.Is(err, context.Canceled) {
		if failed := g.finish(r, s, prompt, ids, seed); failed != nil {
			return failed
		}
	}
	return err
}

// finish ends the output of a continuation, complete or interrupted, and saves the session.
func (g *generate) finish(r *reply, s *mminfer.Session, prompt string, ids []int32, seed *uint64) error {
	t := r.timings()
	t.Load = g.loaded.Seconds()
	var err error
	switch {
	case g.json:
		err = writeJSON(g.out, g.result(r, prompt, ids, seed, t))
	case len(r.ids) > 0 && !strings.HasSuffix(g.shown(prompt)+r.text.String(), "\n"):
		_, err = io.WriteString(g.out, "\n")
	}
	if g.save != "" {
		err = errors.Join(err, g.saveTalk(s, g.talk, g.save))
	}
	if g.verbose {
		fmt.Fprintf(g.stderr, "%s; loaded in %.3f s\n", t, t.Load)
	}
	return err
}

// generated is what --json writes.
type generated struct {
	Model     string              `json:"model"`
	Prompt    string              `json:"prompt"`
	Pictures  []string            `json:"pictures,omitempty"` // as they were named
	PromptIDs []int32             `json:"prompt_ids"`
	IDs       []int32             `json:"ids"`
	Text      string              `json:"text"` // without the prompt
	LogProbs  []float64           `json:"logprobs,omitempty"`
	Top       [][]mminfer.LogProb `json:"top_logprobs,omitempty"`
	Stop      string              `json:"stop"`  // length, eos, stop, complete or interrupted
	Seed      *uint64             `json:"seed"`  // null if a loaded session's generator went on
	Order     string              `json:"order"` // of the filters
	Timings   timings             `json:"timings"`
}

func (g *generate) result(r *reply, prompt string, ids []int32, seed *uint64, t timings) generated {
	stop := string(r.stop)
	if stop == "" {
		stop = "interrupted"
	}
	return generated{g.model.name(), prompt, g.names(), append([]int32{}, ids...), r.ids, r.text.String(), r.logProbs, r.top, stop, seed, string(g.sampling.order.value), t}
}
