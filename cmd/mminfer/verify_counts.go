package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/mminfer/mminfer/internal/golden"
)

// goldenKinds are the kinds of golden directories: the name of a file by which each is known, and
// what checks it.
var goldenKinds = map[string]func(v *verify, d goldenDir) (ok bool, err error){
	"verify.json":                  (*verify).directory,
	"gated_delta_rule.safetensors": (*verify).recurrences,
	"logprobs.json":                counted((*verify).sampling),
	"long.jsonl":                   counted((*verify).tokens),
	"enforce_or_refuse.jsonl":      counted((*verify).schemas),
	"conversations.json":           counted((*verify).templates),
	"dpm_solver.json":              (*verify).diffusion,
	"nfe.json":                     (*verify).samples,
	"rgb_28x28_identity.png":       (*verify).pictures,
	"cases.json":                   counted((*verify).selection),
}

// counts is how a file of cases went.
type counts struct {
	file         string
	wrong, cases int
	first        string // what is wrong with the first that is
}

// check counts a case; wrong is what is wrong with it, nil if nothing.
func (c *counts) check(wrong error) {
	c.cases++
	if wrong == nil {
		return
	}
	if c.wrong++; c.wrong == 1 {
		c.first = wrong.Error()
	}
}

// counted returns what runs a directory of cases and writes mismatches / cases of each file.
func counted(run func(v *verify, dir string) ([]counts, error)) func(*verify, goldenDir) (bool, error) {
	return func(v *verify, d goldenDir) (bool, error) {
		results, err := run(v, d.path)
		if err != nil {
			return false, err
		}
		return v.counts(d, results), nil
	}
}

func (v *verify) counts(d goldenDir, results []counts) (ok bool) {
	ok = true
	fmt.Fprintln(v.out, d.path)
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	for _, c := range results {
		fmt.Fprintf(w, "  %s\t%d / %d\t%s\n", c.file, c.wrong, c.cases, v.verdict(c.wrong == 0 && c.cases > 0))
		ok = ok && c.wrong == 0 && c.cases > 0
	}
	_ = w.Flush() // v.out remembers the error
	for _, c := range results {
		if c.first != "" {
			fmt.Fprintf(v.out, "  first wrong in %s: %s\n", c.file, c.first)
		}
	}
	fmt.Fprintln(v.out)
	return ok
}

// recurrences checks bare recurrences: their outputs and states.
func (v *verify) recurrences(d goldenDir) (ok bool, err error) {
	results, err := golden.Recurrences(d.path)
	if err != nil {
		return false, err
	}
	for i := range results {
		results[i].Of += ", " + results[i].Tensor
	}
	if v.quiet {
		return v.line(d, results), nil
	}
	return v.table(d, results, "f32"), nil
}
