package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/internal/chart"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// shapeEval is the command subnet eval.
type shapeEval struct {
	*shapes
	only                list[shapeFlag, *shapeFlag]
	form                choice
	text, mc, plot      string
	window, windows     whole
	mcMost, mcContext   whole
	refTruncate, noTime bool

	read  [][]int32
	asked []subnet.Question
}

func (a *app) subnetEvalCommand() *cobra.Command {
	e := &shapeEval{
		form: formFlag(), window: whole{2048, 2, 1 << 20}, windows: whole{0, 0, math.MaxInt32}, mcMost: whole{0, 0, math.MaxInt32}, mcContext: whole{2048, 1, 1 << 20},
	}
	c := &cobra.Command{
		Use:   "eval -m MODEL --strategy DIR (--ppl FILE | --mc FILE)",
		Short: "Measure quality and speed over a grid of shapes",
		Long: `Eval tells for every shape how well it predicts a text (the mean over windows of the
mean over a window's tokens but the first, and its exponential), how many questions it
answers, and how fast it is: milliseconds a token after a prompt, for a prompt of 128
tokens, and to change to the shape from another one in memory. --plot draws quality
against time.

` + questionFormat,
		Example: `  mminfer subnet eval -m models/smollm2 --strategy strategy --ppl held.txt --window 512
  mminfer subnet eval -m models/smollm2 --strategy strategy --shape 30x1,24x1,24x0.75 --ppl held.txt --mc questions.jsonl -o csv
  mminfer subnet eval -m models/smollm2 --strategy strategy --ppl held.txt --plot quality.svg`,
		Args: cobra.NoArgs,
	}
	e.shapes = newShapes(a, c)
	f := c.Flags()
	f.Var(&e.only, "shape", "measure these shapes (default: all)")
	f.StringVar(&e.text, "ppl", "", "predict the text in `FILE`")
	f.Var(&e.window, "window", "tokens of a window of the text; what is left over is not read")
	f.Var(&e.windows, "windows", "windows that are read, 0 for all")
	f.StringVar(&e.mc, "mc", "", "answer the questions in `FILE`")
	f.Var(&e.mcMost, "mc-questions", "use the first n questions, 0 for all")
	f.Var(&e.mcContext, "mc-context", "tokens of a question that are read: its last ones")
	f.BoolVar(&e.refTruncate, "ref-truncate", false, "read the first tokens of a question of letters, as the reference does")
	f.BoolVar(&e.noTime, "no-time", false, "do not measure the speed")
	f.StringVar(&e.plot, "plot", "", "draw quality against time to `FILE`, as SVG")
	f.VarP(&e.form, "output", "o", "form of the table: md, csv or json")
	c.MarkFlagsOneRequired("ppl", "mc")
	c.MarkFlagsMutuallyExclusive("no-time", "plot")
	return a.command(c, e.run)
}

func (e *shapeEval) run(ctx context.Context, _ []string) error {
	defer e.close()
	if e.plot != "" {
		if err := checkFolder(e.plot); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	if err := e.open(); err != nil {
		return err
	}
	which, err := e.chosen(&e.only)
	if err != nil {
		return err
	}
	if err := e.prepare(); err != nil {
		return err
	}
	var all []*shapeModel
	defer func() {
		for _, b := range all {
			b.Close()
		}
	}()
	var rows []shapeRow
	for i, shape := range which {
		b, err := e.build(shape)
		if err != nil {
			return err
		}
		all = append(all, b)
		r, err := e.evaluate(ctx, b, fmt.Sprintf("%v, %d of %d", shape, i+1, len(which)))
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	if !e.noTime {
		if err := e.speed(ctx, all, rows); err != nil {
			return err
		}
	}
	if err := writeShapes(e.out, e.form.value, rows); err != nil {
		return err
	}
	if e.form.value == "md" {
		fmt.Fprintf(e.out, "\n%s.\n", e.about())
	}
	if e.plot == "" {
		return nil
	}
	return e.draw(rows)
}

// about tells what was read.
func (e *shapeEval) about() string {
	var parts []string
	if e.read != nil {
		parts = append(parts, fmt.Sprintf("%s of %d tokens", plural(len(e.read), "window"), e.window.value))
	}
	if e.asked != nil {
		parts = append(parts, questionsText(e.asked))
	}
	return strings.Join(parts, "; ")
}

// prepare reads text and questions.
func (e *shapeEval) prepare() error {
	tok, err := tokenizerOf(e.ck)
	if err != nil {
		return err
	}
	if e.text != "" {
		text, _, err := e.readText(nil, e.text)
		if err != nil {
			return err
		}
		ids := tok.Encode(nil, text, textOptions)
		if e.read = subnet.Windows(ids, e.window.value); len(e.read) == 0 {
			return fmt.Errorf("%s: the text has %d tokens, less than a window of %d; give a smaller --window", e.text, len(ids), e.window.value)
		}
		if n := e.windows.value; n > 0 && n < len(e.read) {
			e.read = e.read[:n]
		}
	}
	if e.mc != "" {
		e.asked, err = questionReader{tok, e.mcContext.value, e.refTruncate}.read(e.mc, e.mcMost.value)
	}
	return err
}

// evaluate measures the quality of a shape.
func (e *shapeEval) evaluate(ctx context.Context, b *shapeModel, about string) (shapeRow, error) {
	r := e.row(b)
	bar := e.bar(about, time.Second, tokensText)
	defer bar.done()
	result, err := subnet.Evaluate(ctx, b.Model, &tensor.Workspace{Pool: e.pool}, e.read, e.asked, bar.set)
	if err != nil {
		return r, err
	}
	if e.read != nil {
		r.NLL, r.Perplexity = &result.NLL, &result.Perplexity
	}
	if e.asked != nil {
		r.Accuracy, r.Normalised = &result.Answers.Accuracy, &result.Answers.Normalised
	}
	return r, nil
}

// promptTokens is the length of the prompt whose time is measured.
const promptTokens = 128

// speed measures all shapes in turns.
func (e *shapeEval) speed(ctx context.Context, all []*shapeModel, rows []shapeRow) error {
	runtime.GC()
	times, err := e.time(ctx, all, timedRounds)
	if err != nil {
		return err
	}
	ws := &tensor.Workspace{Pool: e.pool}
	for i, b := range all {
		wall, cpu := 1e3*times[i].Seconds, 1e3*times[i].CPU
		rows[i].Measured, rows[i].CPU = &wall, &cpu
		for range 3 {
			start := time.Now()
			ids := make([]int32, promptTokens)
			if err := b.Forward(&models.Batch{Seqs: []models.Seq{{IDs: ids, State: b.NewState(), Want: models.WantLast}}}, ws); err != nil {
				return err
			}
			rows[i].Prompt = least(rows[i].Prompt, time.Since(start))
			again, err := e.build(rows[i].shape) // its weights are in memory
			if err != nil {
				return err
			}
			again.Close()
			rows[i].Switch = least(rows[i].Switch, again.made)
		}
	}
	return nil
}

// least returns the smaller of some milliseconds, if there are any yet, and a time.
func least(ms *float64, d time.Duration) *float64 {
	if now := 1e3 * d.Seconds(); ms == nil || now < *ms {
		return &now
	}
	return ms
}

// draw plots quality against time: a line for each width, through the depths.
func (e *shapeEval) draw(rows []shapeRow) error {
	c := chart.Chart{Title: modelName(e.dir) + ": quality and time of shapes", X: "time, milliseconds a token; numbers beside points are layers", Y: "perplexity", ScaleX: chart.Near}
	of := func(r *shapeRow) *float64 { return r.Perplexity }
	if e.text == "" {
		c.Y, of = "questions answered right, %", func(r *shapeRow) *float64 {
			percent := 100 * *r.Accuracy
			return &percent
		}
	}
	at := map[float64]int{}
	lowest, highest := math.Inf(1), 0.0
	for i := range rows {
		r := &rows[i]
		if _, ok := at[r.shape.Width]; !ok {
			at[r.shape.Width] = len(c.Series)
			c.Series = append(c.Series, chart.Series{Name: fmt.Sprintf("width %.4g", r.shape.Width)})
		}
		s, y := &c.Series[at[r.shape.Width]], *of(r)
		s.X, s.Y, s.Labels = append(s.X, *r.Measured), append(s.Y, y), append(s.Labels, strconv.Itoa(r.Layers))
		lowest, highest = min(lowest, y), max(highest, y)
	}
	if e.text != "" && highest > 5*lowest {
		c.Y, c.ScaleY = "perplexity, logarithmic", chart.Octaves
	}
	return e.replaceFile(e.plot, func(w io.Writer) error { return c.SVG(w) })
}
