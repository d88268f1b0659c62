package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/chart"
)

// The committed pictures are of the committed results.
func TestPictures(t *testing.T) {
	const results = "../results/epyc-zen3-2cpu/"
	for _, p := range []struct {
		file, results string
		chart         chart.Chart
	}{
		{"mmmamba-2.7b.svg", "mmmamba-2.7b.jsonl",
			chart.Chart{Title: "mmMamba 2.7B: decode against depth, two threads, EPYC (Zen 3)", ScaleY: chart.Octaves}},
	} {
		want, err := os.ReadFile(p.file)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := draw(&got, p.chart, []string{results + p.results}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is not what its results draw: renew it with the command in bench/SPEED.md", p.file)
		}
	}
}

func TestMedians(t *testing.T) {
	rows, err := read(strings.NewReader(`
{"model":"a","quant":"q8","threads":1,"test":"tg8@64","sessions":1,"tok_s":3}
{"model":"a","quant":"q8","threads":1,"test":"tg8","sessions":1,"tok_s":7}
a line of another kind
{"model":"a","quant":"q8","threads":1,"test":"pp512","sessions":1,"tok_s":70}
{"model":"a","quant":"q8","threads":1,"test":"tg8@64","sessions":1,"tok_s":1}
{"model":"a","quant":"q8","threads":2,"test":"tg8@64","sessions":1,"tok_s":6}
{"model":"a","quant":"q8","threads":1,"test":"tg8@64","sessions":1,"tok_s":2}
{"model":"a","quant":"q8","threads":2,"test":"tg8@64","sessions":1,"tok_s":9}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	rows = medians(rows)
	for _, r := range rows {
		got = append(got, r.Rate)
	}
	if want := []float64{2, 7, 7.5}; !slices.Equal(got, want) {
		t.Errorf("found %v, expected %v", got, want)
	}
	var c chart.Chart
	if err := againstDepth(&c, rows); err != nil {
		t.Fatal(err)
	}
	if len(c.Series) != 2 || c.Series[0].Name != "a, -t 1 q8" || !slices.Equal(c.Series[0].X, []float64{64, 1}) {
		t.Errorf("%+v", c.Series)
	}
}

func TestNothingToDraw(t *testing.T) {
	if err := draw(&bytes.Buffer{}, chart.Chart{}, nil); err == nil {
		t.Error("no error")
	}
	if err := againstDepth(&chart.Chart{}, []result{{Test: "tg8@x"}}); err == nil {
		t.Error("no error")
	}
}
