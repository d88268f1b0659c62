package main

import (
	"fmt"
	"text/tabwriter"
)

// goldenKinds are the golden directories that hold no model: the name of a file by which each is
// known, and what checks it.
var goldenKinds = map[string]func(v *verify, dir string) ([]counts, error){
	"logprobs.json":           (*verify).sampling,
	"enforce_or_refuse.jsonl": (*verify).schemas,
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

// counted runs a directory of cases and writes mismatches / cases of each file.
func (v *verify) counted(d goldenDir) (ok bool, err error) {
	results, err := d.run(v, d.path)
	if err != nil {
		return false, err
	}
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
	return ok, nil
}
