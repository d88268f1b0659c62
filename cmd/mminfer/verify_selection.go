package main

import (
	"context"

	"github.com/mminfer/mminfer/internal/golden"
)

// selection checks the choosing of subnets: tables of layers, masks, biases, and what shapes do.
func (v *verify) selection(dir string) ([]counts, error) {
	s, err := golden.OpenSelection(dir)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	tallies, err := s.Run(context.Background(), v.pool)
	if err != nil {
		return nil, err
	}
	var all []counts
	for _, t := range tallies {
		all = append(all, counts{t.What, t.Wrong, t.Cases, t.First})
	}
	return all, nil
}
