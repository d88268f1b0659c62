package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/mminfer/mminfer/internal/chart"
)

// quality is what a weight format costs.
type quality struct {
	bits float64 // a weight of the file
	kld  float64 // mean divergence from float32, nats a token
}

// readQuality reads a table whose columns are quant, bits and kld, with these names above.
func readQuality(name string) (map[string]quality, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	q, err := parseQuality(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return q, nil
}

func parseQuality(from io.Reader) (map[string]quality, error) {
	rows, err := csv.NewReader(from).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"quant", "bits", "kld"}) {
		return nil, errors.New("expected a table with the columns quant,bits,kld")
	}
	table := map[string]quality{}
	for _, r := range rows[1:] {
		bits, err := strconv.ParseFloat(r[1], 64)
		kld, err2 := strconv.ParseFloat(r[2], 64)
		if err != nil || err2 != nil || !(bits > 0) || !(kld >= 0) {
			return nil, fmt.Errorf("format %s: found %q bits and a divergence of %q, expected numbers", r[0], r[1], r[2])
		}
		table[r[0]] = quality{bits, kld}
	}
	return table, nil
}

// againstBits draws a line for each model and test, over the bits of its formats.
func againstBits(c *chart.Chart, rows []result, table map[string]quality) error {
	c.X, c.ScaleX = "bits a weight", chart.Octaves
	return againstFormats(c, rows, table, func(q quality) float64 { return q.bits })
}

// againstKLD draws a line for each model and test, over the divergence of its formats. None is drawn a
// decade below the least.
func againstKLD(c *chart.Chart, rows []result, table map[string]quality) error {
	least := math.Inf(1)
	for _, r := range rows {
		if kld := table[r.Quant].kld; kld > 0 {
			least = min(least, kld)
		}
	}
	if math.IsInf(least, 1) {
		return errors.New("expected a format that diverges from float32")
	}
	none := math.Pow(10, math.Floor(math.Log10(least))-1)
	c.X, c.ScaleX = fmt.Sprintf("mean divergence from float32, nats a token (none drawn at %.0g)", none), chart.Decades
	return againstFormats(c, rows, table, func(q quality) float64 { return cmp.Or(q.kld, none) })
}

// againstFormats draws a line for each model and test, and names the formats beside their points.
func againstFormats(c *chart.Chart, rows []result, table map[string]quality, x func(quality) float64) error {
	c.Y = "tokens per second"
	for _, r := range rows {
		q, ok := table[r.Quant]
		if !ok {
			return fmt.Errorf("%s %s: the table of qualities has no format %s", r.Model, r.Test, r.Quant)
		}
		name := family(r, rows) + " " + r.Test
		s := series(c, name, name)
		s.X, s.Y, s.Labels = append(s.X, x(q)), append(s.Y, r.Rate), append(s.Labels, r.Quant)
	}
	return nil
}
