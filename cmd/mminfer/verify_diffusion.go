package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/internal/golden"
)

// diffusion checks schedules, solvers and random numbers, and names what it does not run: cases that
// need a network.
func (v *verify) diffusion(d goldenDir) (ok bool, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return false, err
	}
	var results []counts
	var networks []string
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
		case e.IsDir():
			networks = append(networks, name+"/")
		case strings.HasSuffix(name, ".safetensors"):
			networks = append(networks, name)
		}
	}
	ok = v.counts(d, results)
	if len(networks) > 0 {
		fmt.Fprintf(v.out, "  not run, they need networks: %s\n\n", strings.Join(networks, ", "))
	}
	return ok, nil
}
