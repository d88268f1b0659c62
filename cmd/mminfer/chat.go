package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
)

// chat is the command of that name.
type chat struct {
	*app
	model    *modelFlags
	sampling *samplingFlags
	form     *constraintFlags
	images   []string
	load     string
	save     string
	verbose  bool
	system   string
	template string // a file
	special  bool

	engine *mminfer.Engine
	opts   mminfer.GenerateOptions
	branch          // the timeline in use
	forks  []branch // those it was forked from, the first one first

	pending []*mminfer.Picture // that go with the next message
}

// branch is a timeline and the points /undo goes back to.
type branch struct {
	s     *mminfer.Session
	talk  *mminfer.Chat // on s, through the model's chat template; nil: plain text
	marks []mark
}

// mark is a point of a branch.
type mark struct {
	text *mminfer.Mark
	talk *mminfer.ChatMark
}

// Marks hold copies of the state: /undo goes back maxMarks turns, fewer if they would take more
// than maxMarkBytes.
const (
	maxMarks     = 64
	maxMarkBytes = 1 << 30
)

const chatCommands = `  /image FILE  show the model a picture, with your next message
  /undo        take the last turn back
  /fork        try something: /back returns to this point
  /back        leave the branch made by the last /fork
  /reset       begin a new text
  /save FILE   save the session
  /load FILE   go on from a saved session
  /help        this list
  /quit        leave (also: Ctrl-D)
  //...        a line that begins with a slash
Enter alone lets the model go on. Ctrl-C stops a reply; at the prompt it leaves.`

func (a *app) chatCommand() *cobra.Command {
	h := &chat{app: a}
	c := &cobra.Command{
		Use:   "chat",
		Short: "Talk or write a text with the model, line by line",
		Long: `Chat reads lines and lets the model reply to each. If the model has a chat template,
or --template gives one, each line is a user's message; only what is new is read in
each turn. Control tokens that a line spells out are ordinary text, unless
--allow-special is given.

Pictures, of --image and /image, go with the next message; without -m the built-in
reader then replies. What the model has seen stays in its state, which is saved and
loaded with the session: a picture is looked at once.

Without a template, as with the built-in fable, the model sees plain text: each line
is added to the text so far, after a space where there is none, and the model goes on
from there. Lines that begin with a slash are commands:

` + chatCommands + `

Where standard input is not a terminal, no prompt is shown and the first command
that fails ends the program.`,
		Example: `  mminfer chat
  mminfer chat --template chat.jinja --system "You tell fairy tales."
  mminfer chat --image sign.png --save sign.session
  mminfer chat --load sign.session
  mminfer chat -n 60 --temperature 0.9 --load story.session
  printf 'Once upon a time\n/undo\nThe king\n' | mminfer chat -n 20 --seed 1`,
		Args: cobra.NoArgs,
	}
	h.model = newModelFlags(c)
	h.sampling = newSamplingFlags(c)
	h.form = newConstraintFlags(c)
	picturesFlag(c, &h.images)
	c.Flags().StringVar(&h.save, "save", "", "save the session to `FILE` at the end, if anything was said")
	c.Flags().StringVar(&h.load, "load", "", "begin with the session in `FILE`")
	templateFlag(c, &h.template)
	c.Flags().StringVar(&h.system, "system", "", "`text` of a first message that says how to reply")
	c.Flags().BoolVar(&h.special, "allow-special", false, "let lines write control tokens")
	c.MarkFlagsMutuallyExclusive("system", "load")
	c.Flags().BoolVarP(&h.verbose, "verbose", "v", false, "tell seed and speed on standard error")
	return a.command(c, h.run)
}

func (h *chat) run(ctx context.Context, _ []string) (err error) {
	if err := h.form.compile(); err != nil {
		return err
	}
	pictures, err := readPictures(h.images)
	if err != nil {
		return err
	}
	if h.save != "" {
		if err := checkFolder(h.save); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
	}
	h.model.pictures = len(pictures) > 0 || h.load != "" && storedPictures(h.load)
	var opts []mminfer.Option
	if h.template != "" {
		source, err := os.ReadFile(h.template)
		if err != nil {
			return err
		}
		opts = append(opts, mminfer.WithChatTemplate(string(source)))
	}
	if h.engine, err = h.open(ctx, h.model, opts...); err != nil {
		return err
	}
	defer h.engine.Close()
	if h.opts, err = h.sampling.options(h.engine); err != nil {
		return err
	}
	if err := h.form.bind(h.app, h.engine, &h.opts); err != nil {
		return err
	}
	if h.branch, err = h.begin(); err != nil {
		return err
	}
	if h.load != "" {
		if h.branch, err = h.restore(h.load); err != nil {
			return err
		}
	}
	if err := h.show(pictures); err != nil {
		return err
	}
	if seed := h.sampling.sow(h.s, h.load == ""); h.verbose && seed != nil {
		fmt.Fprintf(h.stderr, "seed: %d\n", *seed)
	}
	if h.talk != nil {
		h.note("%s replies to each line. /help lists commands.", h.model.name())
	} else {
		h.note("%s continues plain text: each line is added to the text, and the model goes on. /help lists commands.", h.model.name())
	}
	err = h.loop(ctx)
	if h.save != "" && h.s.Len() > 0 && (err == nil || errors.Is(err, context.Canceled)) {
		err = errors.Join(err, h.saveTalk(h.s, h.talk, h.save))
	}
	return err
}

// show makes pictures part of the next message.
func (h *chat) show(pictures []picture) error {
	if len(pictures) > 0 && h.talk == nil {
		if _, err := h.engine.PictureOptions(); err == nil {
			return errors.New("pictures need a chat template, and the model has none; give one with --template")
		}
	}
	seen, err := look(h.engine, h.model.name(), pictures)
	if err != nil {
		return err
	}
	h.pending = append(h.pending[:len(h.pending):len(h.pending)], seen...)
	for i, p := range pictures {
		h.note("%s: %d x %d pixels, %s; it goes with your next message", p.name, p.image.Width, p.image.Height, tokensText(int64(seen[i].Info().Tokens)))
	}
	return nil
}

// note tells a person something.
func (h *chat) note(format string, args ...any) {
	if h.interactive {
		fmt.Fprintf(h.stderr, format+"\n", args...)
	}
}

// loop reads and answers lines until they end.
func (h *chat) loop(ctx context.Context) error {
	lines := h.readLines(ctx)
	for {
		h.showPrompt()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case l := <-lines:
			if l.err != nil && l.text == "" {
				h.note("")
				if l.err == io.EOF {
					return nil
				}
				return l.err
			}
			err := h.line(ctx, withoutNewline(l.text))
			if errors.Is(err, errQuit) {
				return nil
			}
			if err != nil && (!h.interactive || ctx.Err() != nil || h.out.err != nil) {
				return err
			}
			if err != nil {
				fmt.Fprintln(h.stderr, message(err))
			}
		}
	}
}

// inputLine is a line with its end, or what is left at the end of the input, and the error that
// ended it.
type inputLine struct {
	text string
	err  error
}

// readLines reads beside the loop, which so can be interrupted while it waits.
func (h *chat) readLines(ctx context.Context) <-chan inputLine {
	lines := make(chan inputLine)
	go func() {
		r := bufio.NewReader(h.stdin)
		for {
			text, err := r.ReadString('\n')
			select {
			case lines <- inputLine{text, err}:
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

func (h *chat) showPrompt() {
	if !h.interactive {
		return
	}
	prompt := "> "
	if n := len(h.forks); n > 0 {
		prompt = fmt.Sprintf("fork %d> ", n)
	}
	_, _ = io.WriteString(h.out, h.outStyle.bold(prompt)) // h.out remembers the error
}

// line does what a line says.
func (h *chat) line(ctx context.Context, text string) error {
	if rest, ok := strings.CutPrefix(text, "//"); ok {
		return h.turn(ctx, "/"+rest)
	}
	if strings.HasPrefix(text, "/") {
		return h.command(text)
	}
	return h.turn(ctx, text)
}

// turn adds a line to the text and shows the model's reply.
func (h *chat) turn(ctx context.Context, text string) error {
	if h.talk != nil {
		return h.message(ctx, text)
	}
	ids, err := h.s.Encode(h.separator(text) + text)
	if err != nil {
		return err
	}
	if h.s.Len()+len(ids) == 0 {
		return errors.New("the text is empty: write how it begins")
	}
	mark := h.mark()
	replyCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.reply.Store(&cancel)
	defer h.reply.Store(nil)
	r, err := h.startReply(replyCtx, h.s, ids)
	if err != nil { // a line half read is no part of the text
		return errors.Join(h.rewind(mark), h.stopped(ctx, err, "the line was taken back"))
	}
	err = r.run(replyCtx, h.s, h.opts, h.out, "")
	if r.stop == mminfer.StopEOS {
		defer h.note("(the end; the next line begins a new text)")
	}
	return h.replied(ctx, r, err)
}

// replied ends what is shown of a reply.
func (h *chat) replied(ctx context.Context, r *reply, err error) error {
	if !strings.HasSuffix(r.text.String(), "\n") {
		_, _ = io.WriteString(h.out, "\n") // h.out remembers the error
	}
	if h.verbose {
		fmt.Fprintln(h.stderr, r.timings())
	}
	return h.stopped(ctx, err, "(stopped)")
}

// stopped forgives an error that is only the user's stopping of a reply.
func (h *chat) stopped(ctx context.Context, err error, note string) error {
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		h.note("%s", note)
		return nil
	}
	return err
}

// separator is what comes between the text so far and a line.
func (h *chat) separator(text string) string {
	ids := h.s.Tokens()
	if len(ids) == 0 || text == "" || strings.ContainsRune(" \t,.;:!?'", rune(text[0])) {
		return ""
	}
	last, err := h.engine.Detokenize(ids[len(ids)-1:])
	if err != nil || last == "" || strings.HasSuffix(last, " ") || strings.HasSuffix(last, "\n") {
		return "" // after the end of a text a new one begins
	}
	return " "
}

// mark remembers the present point for /undo.
func (h *chat) mark() mark {
	var m mark
	if h.talk != nil {
		m.talk = h.talk.Mark()
	} else {
		m.text = h.s.Mark()
	}
	keep := min(maxMarks, max(1, int(maxMarkBytes/max(1, h.s.Bytes()))))
	h.marks = append(h.marks, m)
	if drop := len(h.marks) - keep; drop > 0 {
		h.marks = append([]mark(nil), h.marks[drop:]...)
	}
	return m
}

// rewind goes back to the last mark, m, and forgets it.
func (h *chat) rewind(m mark) error {
	h.marks = h.marks[:len(h.marks)-1]
	if m.talk != nil {
		return h.talk.Rewind(m.talk)
	}
	return h.s.Rewind(m.text)
}
