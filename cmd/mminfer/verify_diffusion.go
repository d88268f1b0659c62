package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/internal/golden/drawing"
)

// diffusion checks schedules, solvers and random numbers, then networks, then pipelines, and names what it
// does not know.
func (v *verify) diffusion(d goldenDir) (ok bool, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return false, err
	}
	networks, err := golden.NetworkNames(d.path)
	if err != nil {
		return false, err
	}
	var results []counts
	var pipelines, others []string
	for _, e := range entries {
		switch name := e.Name(); {
		case slices.Contains(golden.DiffusionFiles(), name):
			cases, err := golden.Diffusion(d.path, name)
			if err != nil {
				return false, err
			}
			c := counts{file: name}
			for _, one := range cases {
				if one.Err != nil {
					one.Err = fmt.Errorf("%s: %w", one.Name, one.Err)
				}
				c.check(one.Err)
			}
			results = append(results, c)
		case e.IsDir() && isDrawing(filepath.Join(d.path, name)):
			pipelines = append(pipelines, name)
		case e.IsDir() && !slices.Contains(networks, name):
			others = append(others, name+"/")
		}
	}
	ok = v.counts(d, results)
	networksOK, err := v.rows("network", networks, func(name string) ([]golden.Result, error) {
		return golden.Network(d.path, name, net.Options{Format: v.quant.Format, Pool: v.pool})
	})
	if err != nil {
		return false, err
	}
	pipelinesOK, err := v.rows("pipeline", pipelines, func(name string) ([]golden.Result, error) {
		return drawing.Pipeline(filepath.Join(d.path, name), v.pipelineOptions())
	})
	if len(others) > 0 {
		fmt.Fprintf(v.out, "  not run, unknown: %s\n\n", strings.Join(others, ", "))
	}
	return ok && networksOK && pipelinesOK, err
}

func (v *verify) pipelineOptions() pipeline.Options {
	return pipeline.Options{Format: v.quant.Format, Pool: v.pool}
}

// isDrawing reports whether a directory is a pipeline with cases.
func isDrawing(dir string) bool {
	for _, name := range []string{"model_index.json", "cases.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// aloneDrawing reports whether a directory is one that no directory of diffusion cases above it shows.
func aloneDrawing(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "..", "dpm_solver.json"))
	return err != nil && isDrawing(dir)
}

// drawing checks a pipeline with cases.
func (v *verify) drawing(d goldenDir) (ok bool, err error) {
	results, err := drawing.Pipeline(d.path, v.pipelineOptions())
	if err != nil {
		return false, err
	}
	return v.report(d, results), nil
}

// samples checks a trained model: what it draws of fixed noise, and how near few steps come to many.
func (v *verify) samples(d goldenDir) (ok bool, err error) {
	results, err := drawing.Samples(d.path, v.pipelineOptions(), nil)
	if err != nil {
		return false, err
	}
	return v.report(d, results), nil
}

// report writes a line or a table.
func (v *verify) report(d goldenDir, results []golden.Result) (ok bool) {
	if v.quiet {
		return v.line(d, results)
	}
	return v.table(d, results, v.quant.String())
}

// rows writes a row for each name: of its results, the one that errs most.
func (v *verify) rows(what string, names []string, run func(name string) ([]golden.Result, error)) (ok bool, err error) {
	ok = true
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	if len(names) > 0 {
		fmt.Fprintf(w, "  %s\ttensors\tlargest share of its bound\tmax error\tbound\t\n", what)
	}
	var wrong []golden.Result
	for _, name := range names {
		results, err := run(name)
		if err != nil {
			return false, err
		}
		worst, right := golden.Result{Bound: 1}, true
		for _, r := range results {
			if right && !r.OK() {
				right = false
				wrong = append(wrong, r)
			}
			if !(r.MaxError/r.Bound <= worst.MaxError/worst.Bound) {
				worst = r
			}
		}
		ok = ok && right
		fmt.Fprintf(w, "  %s\t%d\t%s\t%.3g\t%.3g\t%s\n", name, len(results), worst.Of, worst.MaxError, worst.Bound, v.verdict(right))
	}
	_ = w.Flush() // v.out remembers the error
	for _, r := range wrong {
		fmt.Fprintf(v.out, "  first wrong in %s\n", describe(r))
	}
	fmt.Fprintln(v.out)
	return ok, nil
}
