package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/chart"
)

// The committed pictures are of the committed results.
func TestPictures(t *testing.T) {
	const results = "../results/epyc-zen3-2cpu/"
	for file, p := range map[string]plot{
		"mmmamba-2.7b.svg": {
			title: "mmMamba 2.7B: decode against depth, two threads, EPYC (Zen 3)", log: true,
			x: "depth", results: []string{results + "mmmamba-2.7b.jsonl"},
		},
	} {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := p.draw(&got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s is not what its results draw: renew it with the command in bench/SPEED.md", file)
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
	if err := (plot{x: "depth"}).draw(&bytes.Buffer{}); err == nil {
		t.Error("no error")
	}
	if err := againstDepth(&chart.Chart{}, []result{{Test: "tg8@x"}}); err == nil {
		t.Error("no error")
	}
}

func TestQuality(t *testing.T) {
	table, err := parseQuality(strings.NewReader("quant,bits,kld\nf32,32,0\nq8,8.5,0.004\nq4,4.5,0.2\n"))
	if err != nil {
		t.Fatal(err)
	}
	rows := []result{{Model: "a", Test: "tg8", Quant: "f32", Rate: 1}, {Model: "a", Test: "tg8", Quant: "q4", Rate: 7}, {Model: "a", Test: "tg8", Quant: "q8", Rate: 4}}
	var bits, kld chart.Chart
	if err := errors.Join(againstBits(&bits, rows, table), againstKLD(&kld, rows, table)); err != nil {
		t.Fatal(err)
	}
	for c, want := range map[*chart.Chart][]float64{&bits: {32, 4.5, 8.5}, &kld: {1e-4, 0.2, 0.004}} {
		if len(c.Series) != 1 {
			t.Fatalf("found %d series, expected 1", len(c.Series))
		}
		if s := c.Series[0]; !slices.EqualFunc(s.X, want, func(a, b float64) bool { return math.Abs(a/b-1) < 1e-12 }) || !slices.Equal(s.Labels, []string{"f32", "q4", "q8"}) {
			t.Errorf("%s: found %v %v, expected %v", c.X, s.X, s.Labels, want)
		}
	}
	rows[0].Quant = "q3"
	if againstBits(&bits, rows, table) == nil {
		t.Error("an unknown format is drawn")
	}
	for _, bad := range []string{"", "q8,8.5,0.1\n", "quant,bits,kld\nq8,x,1\n", "quant,bits,kld\nq8,8,NaN\n", "quant,bits,kld\nq8,8\n"} {
		if _, err := parseQuality(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is a table", bad)
		}
	}
}
