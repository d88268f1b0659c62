package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// shapeSearch is the command subnet search.
type shapeSearch struct {
	*shapes
	latency, memory number
	params          paramsFlag
	text            string
	window, windows whole
	candidates      whole
	anew, json      bool
}

// paramsFlag is a flag that takes a number of parameters, such as 90M.
type paramsFlag struct{ n float64 }

func (p *paramsFlag) String() string { return "" }
func (p *paramsFlag) Type() string   { return "n" }

func (p *paramsFlag) Set(s string) error {
	factor := 1.0
	for suffix, f := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9} {
		if text, ok := strings.CutSuffix(s, suffix); ok {
			s, factor = text, f
		}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x > 0 && x < 1e15) {
		return errors.New("expected a number such as 90M")
	}
	p.n = x * factor
	return nil
}

func (a *app) subnetSearchCommand() *cobra.Command {
	s := &shapeSearch{
		latency: number{0, 0, math.MaxFloat64}, memory: number{0, 0, math.MaxFloat64},
		window: whole{512, 2, 1 << 20}, windows: whole{8, 1, 1 << 20}, candidates: whole{5, 1, 1 << 10},
	}
	c := &cobra.Command{
		Use:   "search -m MODEL --strategy DIR (--latency MS | --memory MB | --params N)",
		Short: "Find the best shape for this machine",
		Long: `Search finds the shape with the most parameters that keeps to a time for each token,
to a memory, to a number of parameters, or to all that are given. For a time it
measures a grid of shapes once (the result is kept beside the strategy), fits a time
for each layer and each byte, and measures the shape it found.

With --text it compares the largest shapes that fit, and takes the one that predicts
the text best: neither fewer layers nor less of each is always better.`,
		Example: `  mminfer subnet search -m models/smollm2 --strategy strategy --latency 20
  mminfer subnet search -m models/smollm2 --strategy strategy --memory 300 --text held.txt
  mminfer subnet search -m models/smollm2 --strategy strategy --params 100M --json`,
		Args: cobra.NoArgs,
	}
	s.shapes = newShapes(a, c)
	f := c.Flags()
	f.Var(&s.latency, "latency", "most milliseconds a token")
	f.Var(&s.memory, "memory", "most megabytes of weights")
	f.Var(&s.params, "params", "most parameters")
	f.StringVar(&s.text, "text", "", "compare shapes on the text in `FILE`")
	f.Var(&s.window, "window", "tokens of a window of the text")
	f.Var(&s.windows, "windows", "windows of the text that are read")
	f.Var(&s.candidates, "candidates", "shapes that are compared on the text")
	f.BoolVar(&s.anew, "remeasure", false, "measure the grid anew")
	f.BoolVar(&s.json, "json", false, "write JSON")
	for _, name := range []string{"latency", "memory", "params"} {
		f.Lookup(name).DefValue = ""
	}
	c.MarkFlagsOneRequired("latency", "memory", "params")
	return a.command(c, s.run)
}

func (s *shapeSearch) run(ctx context.Context, _ []string) error {
	defer s.close()
	if err := s.open(); err != nil {
		return err
	}
	if s.flags.layers.layers != nil {
		return usagef("--layers is one shape: there is nothing to search")
	}
	model, err := s.timeModel(ctx, s.latency.value > 0, s.anew)
	if err != nil {
		return err
	}
	fitting, nearest, err := s.fitting(model)
	if err != nil {
		return err
	}
	if len(fitting) == 0 {
		return fmt.Errorf("no shape keeps to the limits; the nearest is %s: %s parameters, %s%s", nearest.Shape, countText(nearest.Params), bytesText(nearest.Bytes), predictedText(nearest))
	}
	if s.text != "" {
		fitting = fitting[:min(len(fitting), s.candidates.value)]
		if err := s.compare(ctx, fitting); err != nil {
			return err
		}
		slices.SortStableFunc(fitting, func(a, b shapeRow) int { return int(math.Copysign(1, *a.NLL-*b.NLL)) })
	}
	return s.tell(ctx, fitting)
}

func predictedText(r shapeRow) string {
	if r.Predicted == nil {
		return ""
	}
	return fmt.Sprintf(", %.2f ms a token", *r.Predicted)
}

// fitting returns the shapes that keep to the limits, those of most parameters first, and the one that
// is nearest to them.
func (s *shapeSearch) fitting(model *subnet.TimeModel) (rows []shapeRow, nearest shapeRow, err error) {
	least := math.Inf(1)
	err = s.each(s.family.Shapes(), func(b *shapeModel) error {
		r := s.row(b)
		if model != nil {
			ms := 1e3 * model.Predict(r.Layers, r.step)
			r.Predicted = &ms
		}
		over := 0.0 // the worst ratio to a limit
		for _, l := range []struct{ is, most float64 }{
			{float64(r.Bytes), 1e6 * s.memory.value}, {float64(r.Params), s.params.n}, {deref(r.Predicted), s.latency.value},
		} {
			if l.most > 0 {
				over = max(over, l.is/l.most)
			}
		}
		if over <= 1 {
			rows = append(rows, r)
		}
		if over < least {
			nearest, least = r, over
		}
		return nil
	})
	slices.SortStableFunc(rows, func(a, b shapeRow) int { return int(math.Copysign(1, float64(b.Params-a.Params))) })
	return rows, nearest, err
}

// deref returns what p points to, and the zero value for nil.
func deref(p *float64) float64 {
	if p == nil {
		return 0
	}
	return *p
}

// compare reads the text with each shape.
func (s *shapeSearch) compare(ctx context.Context, rows []shapeRow) error {
	text, _, err := s.readText(nil, s.text)
	if err != nil {
		return err
	}
	tok, err := tokenizerOf(s.ck)
	if err != nil {
		return err
	}
	windows := subnet.Windows(tok.Encode(nil, text, textOptions), s.window.value)
	if windows = windows[:min(len(windows), s.windows.value)]; len(windows) == 0 {
		return fmt.Errorf("%s: the text has less than a window of %d tokens", s.text, s.window.value)
	}
	ws := &tensor.Workspace{Pool: s.pool}
	bar := s.bar("comparing shapes", 0, func(n int64) string { return fmt.Sprintf("%d shapes", n) })
	defer bar.done()
	for i := range rows {
		b, err := s.build(rows[i].shape)
		if err != nil {
			return err
		}
		e, err := subnet.Evaluate(ctx, b.Model, ws, windows, nil, nil)
		b.Close()
		if err != nil {
			return err
		}
		rows[i].NLL, rows[i].Perplexity = &e.NLL, &e.Perplexity
		bar.set(int64(i+1), int64(len(rows)))
	}
	return nil
}

// tell measures the best shape and writes it and those that came next.
func (s *shapeSearch) tell(ctx context.Context, rows []shapeRow) error {
	best := &rows[0]
	b, err := s.build(best.shape)
	if err != nil {
		return err
	}
	defer b.Close()
	times, err := s.time(ctx, []*shapeModel{b}, timedRounds)
	if err != nil {
		return err
	}
	wall, cpu := 1e3*times[0].Seconds, 1e3*times[0].CPU
	best.Measured, best.CPU = &wall, &cpu
	rows = rows[:min(len(rows), s.candidates.value)]
	if s.json {
		return writeJSON(s.out, rows)
	}
	fmt.Fprintf(s.out, "%s\n\n", best.Shape)
	return writeShapes(s.out, "md", rows)
}
