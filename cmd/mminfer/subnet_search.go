package main

import (
	"cmp"
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
for each layer and each byte, and measures the shape it found; where that takes longer
than was predicted, and too long, smaller ones take its place.

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
	rows, nearest, err := s.allowed(model)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fmt.Errorf("no shape keeps to the limits; the nearest is %s: %s parameters, %s", nearest.Shape, countText(nearest.Params), bytesText(nearest.Bytes))
	}
	all := len(rows)
	rows = s.quickFirst(rows)
	if s.text != "" {
		some := rows[:min(len(rows), s.candidates.value)]
		if err := s.compare(ctx, some); err != nil {
			return err
		}
		slices.SortStableFunc(some, func(a, b shapeRow) int { return cmp.Compare(*a.NLL, *b.NLL) })
	}
	best, err := s.settle(rows, func(r *shapeRow) error { return s.measure(ctx, r) })
	if err != nil {
		return err
	}
	if r := &rows[best]; len(rows) < all && *r.Measured < 0.9**r.Predicted {
		fmt.Fprintf(s.stderr, "%s takes %.2f ms a token, %.2f were predicted: larger shapes may fit too; --remeasure measures the grid anew\n", r.Shape, *r.Measured, *r.Predicted)
	}
	return s.tell(rows, best)
}

// allowed returns the shapes that keep to the limits of memory and parameters, those of most parameters
// first, with the times that are predicted; and the shape that is nearest to those limits.
func (s *shapeSearch) allowed(model *subnet.TimeModel) (rows []shapeRow, nearest shapeRow, err error) {
	least := math.Inf(1)
	err = s.each(s.family.Shapes(), func(b *shapeModel) error {
		r := s.row(b)
		if model != nil {
			ms := 1e3 * model.Predict(r.Layers, r.step)
			r.Predicted = &ms
		}
		over := 0.0 // the worst ratio to a limit
		for _, l := range []struct{ is, most float64 }{{float64(r.Bytes), 1e6 * s.memory.value}, {float64(r.Params), s.params.n}} {
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
	slices.SortStableFunc(rows, func(a, b shapeRow) int { return cmp.Compare(b.Params, a.Params) })
	return rows, nearest, err
}

// quickFirst leaves out the shapes that are predicted to take too long; where all are, it keeps the fastest.
func (s *shapeSearch) quickFirst(rows []shapeRow) []shapeRow {
	if s.latency.value == 0 {
		return rows
	}
	fastest := slices.MinFunc(rows, func(a, b shapeRow) int { return cmp.Compare(*a.Predicted, *b.Predicted) })
	rows = slices.DeleteFunc(rows, func(r shapeRow) bool { return *r.Predicted > s.latency.value })
	if len(rows) == 0 {
		return []shapeRow{fastest}
	}
	return rows
}

// mostTries is how many shapes are measured until one keeps to the latency.
const mostTries = 6

// settle measures shapes, the best first, until one keeps to the latency, and returns which. After a miss
// it is the next one that would if the prediction is as wrong for it; the last that it tries is the fastest.
func (s *shapeSearch) settle(rows []shapeRow, measure func(r *shapeRow) error) (best int, err error) {
	limit, slower, at := s.latency.value, 1.0, 0
	fastest := 0
	for i := range rows {
		if limit > 0 && *rows[i].Predicted < *rows[fastest].Predicted {
			fastest = i
		}
	}
	for try := 1; ; try++ {
		r := &rows[at]
		if err := measure(r); err != nil || limit == 0 || *r.Measured <= limit {
			return at, err
		}
		if rows[fastest].Measured != nil {
			break
		}
		slower = max(slower, *r.Measured / *r.Predicted)
		at = slices.IndexFunc(rows, func(r shapeRow) bool { return r.Measured == nil && slower**r.Predicted <= limit })
		if at < 0 || try == mostTries-1 {
			at = fastest
		}
		fmt.Fprintf(s.stderr, "%s takes %.2f ms a token, %.2f were predicted: trying %s\n", r.Shape, *r.Measured, *r.Predicted, rows[at].Shape)
	}
	for i, r := range rows {
		if r.Measured != nil && *r.Measured < *rows[fastest].Measured {
			fastest = i
		}
	}
	return 0, fmt.Errorf("no shape keeps to %g ms a token; the fastest is %s: %.2f ms", limit, rows[fastest].Shape, *rows[fastest].Measured)
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

// measure measures the time of a shape.
func (s *shapeSearch) measure(ctx context.Context, r *shapeRow) error {
	b, err := s.build(r.shape)
	if err != nil {
		return err
	}
	defer b.Close()
	times, err := s.time(ctx, []*shapeModel{b}, timedRounds)
	if err != nil {
		return err
	}
	wall, cpu := 1e3*times[0].Seconds, 1e3*times[0].CPU
	r.Measured, r.CPU = &wall, &cpu
	return nil
}

// tell writes the best shape, and those that came next.
func (s *shapeSearch) tell(rows []shapeRow, best int) error {
	out := []shapeRow{rows[best]}
	for i, r := range rows {
		if i != best && len(out) < s.candidates.value {
			out = append(out, r)
		}
	}
	if s.json {
		return writeJSON(s.out, out)
	}
	fmt.Fprintf(s.out, "%s\n\n", out[0].Shape)
	return writeShapes(s.out, "md", out)
}
