package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestSVG(t *testing.T) {
	c := Chart{Title: "Speed <of> all", X: "depth", Y: "tok/s", LogX: true, Series: []Series{
		{Name: "linear & flat", X: []float64{16384, 1024, 103000}, Y: []float64{10, 10.2, 9.9}},
		{Name: "softmax", X: []float64{1024, 16384}, Y: []float64{9, 0}, Points: true},
	}}
	var b bytes.Buffer
	if err := c.SVG(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Speed &lt;of&gt; all", "linear &amp; flat", "softmax", "131072", "tok/s"} {
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
		"log of 0":     {LogX: true, Series: []Series{{Name: "a", X: []float64{0}, Y: []float64{1}}}},
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
