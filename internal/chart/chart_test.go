package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	c := Chart{Title: "Speed <of> all", X: "depth", Y: "tok/s", ScaleX: Octaves, Series: []Series{
		{Name: "linear & flat", X: []float64{16384, 1024, 103000}, Y: []float64{10, 10.2, 9.9}},
		{Name: "softmax", X: []float64{1024, 16384}, Y: []float64{9, 0}, Points: true, Labels: []string{"<a>", "b"}},
	}}
	var b bytes.Buffer
	if err := c.SVG(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Speed &lt;of&gt; all", "linear &amp; flat", "softmax", "131072", "tok/s", "&lt;a&gt;"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
	for d := xml.NewDecoder(&b); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	for name, c := range map[string]Chart{
		"no series":    {},
		"no points":    {Series: []Series{{Name: "a"}}},
		"lengths":      {Series: []Series{{Name: "a", X: []float64{1}, Y: []float64{1, 2}}}},
		"not a number": {Series: []Series{{Name: "a", X: []float64{1}, Y: []float64{math.NaN()}}}},
		"infinite":     {Series: []Series{{Name: "a", X: []float64{math.Inf(1)}, Y: []float64{1}}}},
		"labels":       {Series: []Series{{Name: "a", X: []float64{1}, Y: []float64{1}, Labels: []string{"a", "b"}}}},
		"below 0":      {Series: []Series{{Name: "a", X: []float64{1}, Y: []float64{-1}}}},
		"log of y = 0": {ScaleY: Decades, Series: []Series{{Name: "a", X: []float64{1}, Y: []float64{0}}}},
		"log of 0":     {ScaleX: Octaves, Series: []Series{{Name: "a", X: []float64{0}, Y: []float64{1}}}},
	} {
		if err := c.SVG(io.Discard); err == nil || !strings.HasPrefix(err.Error(), "chart: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, c := range []struct{ low, high float64 }{{0, 12}, {0, 0}, {0, 1}, {0, 0.37}, {-3, 1e6}, {0, 1e-9}, {0, 49.9}} {
		got := ticks(c.low, c.high)
		if n := len(got); n < 2 || n > 12 || got[0] > c.low || got[n-1] < c.high {
			t.Errorf("%v: %v", c, got)
		}
	}
}

// A near axis begins at the numbers, others at zero.
func TestScales(t *testing.T) {
	v := []float64{6.7, 8.6}
	if near, far := newAxis(Near, v, left, right), newAxis(Linear, v, left, right); near.ticks[0] < 6.5 || near.at(8.6) > right || far.ticks[0] != 0 {
		t.Errorf("found %v and %v", near.ticks, far.ticks)
	}
}

func TestPowers(t *testing.T) {
	for _, c := range []struct{ base, low, high, first, last float64 }{
		{2, 1024, 103000, 1024, 131072},
		{2, 0.98, 22, 0.5, 32},
		{2, 8, 8, 8, 16},
		{2, 1, 1 << 20, 1, 1 << 20},
		{10, 0.0042, 1000, 0.001, 1000},
		{10, 1e-6, 0.224, 1e-6, 1},
	} {
		got := powers(c.base, c.low, c.high)
		if n := len(got); n > 11 || math.Abs(got[0]/c.first-1) > 1e-12 || math.Abs(got[n-1]/c.last-1) > 1e-12 {
			t.Errorf("%v: %v", c, got)
		}
	}
}

func TestStrokes(t *testing.T) {
	got := strokes([]Series{{Name: "a"}, {Name: "x1", Family: "x"}, {Name: "b"}, {Name: "x2", Family: "x"}})
	want := []stroke{{colours[0], dashes[0]}, {colours[1], dashes[0]}, {colours[2], dashes[0]}, {colours[1], dashes[1]}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Labels of points beside each other lie apart.
func TestLabels(t *testing.T) {
	d := drawing{x: newAxis(Linear, []float64{100}, left, right), y: newAxis(Linear, []float64{100}, bottom, top)}
	d.labels(Series{X: []float64{50, 51, 52}, Y: []float64{50, 50, 51}, Labels: []string{"q4", "q4l", "q5"}}, stroke{})
	for i, b := range d.boxes {
		if slices.ContainsFunc(d.boxes[:i], b.covers) {
			t.Errorf("%v lies over another", b)
		}
	}
}
