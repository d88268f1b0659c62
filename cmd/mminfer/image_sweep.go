package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/vision"
)

// sweepFlags say which solvers and steps are drawn side by side.
type sweepFlags struct {
	on        bool
	solvers   list[choice, *choice]
	steps     list[whole, *whole]
	reference whole
}

func (s *sweepFlags) add(f *pflag.FlagSet) {
	var smooth []string
	for _, solver := range pipeline.Solvers() {
		if solver.Smooth && solver.Name != "dpm-adaptive" {
			smooth = append(smooth, solver.Name)
		}
	}
	s.solvers.zero = choice{words: smooth}
	s.steps.zero = whole{min: 1, max: maxSteps}
	s.reference = whole{1000, 1, maxSteps}
	for _, name := range []string{"ddim", "dpm-2s", "dpm-3s", "dpm-2m", "dpmpp-2m", "dpmpp-3m", "unipc-2", "unipc-3"} {
		s.solvers.values = append(s.solvers.values, choice{name, smooth})
	}
	for _, n := range []int{5, 10, 15, 20, 50} {
		s.steps.values = append(s.steps.values, whole{n, 1, maxSteps})
	}
	f.BoolVar(&s.on, "sweep", false, "draw with several solvers and steps, on levels uniform in ln(α/σ), and compare")
	f.Var(&s.solvers, "sweep-solvers", "rows of the sweep")
	f.Var(&s.steps, "sweep-steps", "columns of the sweep")
	f.Var(&s.reference, "sweep-reference", "steps of ddim that the others are compared with")
}

// sweeping draws the same noise in every way and writes a picture and a table.
func (g *draw) sweeping(ctx context.Context, p *pipeline.Pipeline) error {
	if g.Spacing == "" {
		g.Spacing = "logsnr"
	}
	r, err := g.request(p, g.count.value)
	if err != nil {
		return err
	}
	one := func(solver string, steps int) (*pipeline.Result, error) {
		r := r
		r.Solver, r.Steps = solver, steps
		return g.generate(ctx, p, r)
	}
	reference, err := one("ddim", g.sweep.reference.value)
	if err != nil {
		return err
	}
	columns := []string{fmt.Sprintf("ddim %d", g.sweep.reference.value)}
	for _, n := range g.sweep.steps.values {
		columns = append(columns, strconv.Itoa(n.value))
	}
	records := [][]string{{"solver", "steps", "calls", "rmse"}}
	w := tabwriter.NewWriter(g.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "rmse to %s\t%s\n", columns[0], strings.Join(columns[1:], "\t"))
	var rows []string
	var pictures [][]*vision.Image
	for _, solver := range g.sweep.solvers.values {
		row := []*vision.Image{enlarge(reference.Images[0], g.Scale)}
		fmt.Fprint(w, solver.value)
		for _, n := range g.sweep.steps.values {
			result, err := one(solver.value, n.value)
			if err != nil {
				return fmt.Errorf("%s, %d steps: %w", solver.value, n.value, err)
			}
			d := distance(result, reference)
			row = append(row, enlarge(result.Images[0], g.Scale))
			records = append(records, []string{solver.value, strconv.Itoa(n.value), strconv.Itoa(result.Calls), strconv.FormatFloat(d, 'g', 9, 64)})
			fmt.Fprintf(w, "\t%.4f", d)
		}
		fmt.Fprintln(w)
		rows, pictures = append(rows, solver.value), append(pictures, row)
	}
	_ = w.Flush() // g.out remembers the error
	return g.saveSweep(labelled(pictures, rows, columns), records)
}

// distance is the mean over pictures of the root of the mean square over what is drawn.
func distance(a, b *pipeline.Result) float64 {
	n := len(a.Latents) / a.Shape[0]
	mean := 0.0
	for i := range a.Shape[0] {
		sum := 0.0
		for k := i * n; k < (i+1)*n; k++ {
			d := float64(a.Latents[k]) - float64(b.Latents[k])
			sum += d * d
		}
		mean += math.Sqrt(sum/float64(n)) / float64(a.Shape[0])
	}
	return mean
}

// saveSweep writes the picture and, beside it, the table.
func (g *draw) saveSweep(m *vision.Image, records [][]string) error {
	if err := g.writePNG(g.output, m, nil); err != nil {
		return err
	}
	name := strings.TrimSuffix(g.output, filepath.Ext(g.output)) + ".csv"
	err := g.replaceFile(name, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(records) })
	if err == nil {
		fmt.Fprintf(g.out, "%s  %dx%d\n%s\n", g.output, m.Width, m.Height, name)
	}
	return err
}
