package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/internal/golden"
)

// diffusion checks schedules, solvers and random numbers, then networks, and names what it does not run.
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
	var others []string
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
		case e.IsDir() && !slices.Contains(networks, name):
			others = append(others, name+"/")
		}
	}
	ok = v.counts(d, results)
	right, err := v.networks(d, networks)
	if len(others) > 0 {
		fmt.Fprintf(v.out, "  not run, they are pipelines: %s\n\n", strings.Join(others, ", "))
	}
	return ok && right, err
}

// networks writes a row for each network: of its blocks and outputs, the one that errs most.
func (v *verify) networks(d goldenDir, names []string) (ok bool, err error) {
	ok = true
	w := tabwriter.NewWriter(v.out, 0, 0, 2, ' ', 0)
	if len(names) > 0 {
		fmt.Fprintln(w, "  network\ttensors\tlargest share of its bound\tmax error\tbound\t")
	}
	var wrong []golden.Result
	for _, name := range names {
		results, err := golden.Network(d.path, name, net.Options{Format: v.quant.Format, Pool: v.pool})
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
