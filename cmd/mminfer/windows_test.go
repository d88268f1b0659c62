package main

import (
	"slices"
	"testing"
)

// Every token but those that begin a window without an overlap is predicted once.
func TestWindows(t *testing.T) {
	for _, c := range []struct {
		n, context, stride int
		want               []window
	}{
		{10, 0, 0, []window{{0, 1, 10}}},
		{10, 20, 5, []window{{0, 1, 10}}},
		{10, 4, 4, []window{{0, 1, 4}, {4, 5, 8}, {8, 9, 10}}},
		{10, 4, 2, []window{{0, 1, 4}, {2, 4, 6}, {4, 6, 8}, {6, 8, 10}}},
		{10, 4, 3, []window{{0, 1, 4}, {3, 4, 7}, {6, 7, 10}}},
		{9, 4, 4, []window{{0, 1, 4}, {4, 5, 8}}}, // the last one's only token has nothing before it
		{2, 2, 1, []window{{0, 1, 2}}},
	} {
		w := &windowFlags{context: whole{value: c.context}, stride: whole{value: c.stride}}
		_, got, err := w.cut(make([]int32, c.n))
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%d tokens, context %d, stride %d: %v, %v, want %v", c.n, c.context, c.stride, got, err, c.want)
		}
	}
}

func TestDivergences(t *testing.T) {
	var d divergences
	a, b := []float32{0, 1, 2}, []float32{2, 1, 0}
	d.add(a, a, 0)
	d.add(a, b, 0)
	r := d.result()
	if r.Predicted != 2 || r.Same != 0.5 || r.Median != 0 || r.Max <= 0 || r.P99 != r.Max || r.Mean != r.Max/2 || r.PPLA <= r.PPLB || r.RMS <= 0 {
		t.Errorf("found %+v", r)
	}
}
