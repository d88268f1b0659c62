package subnet_test

import (
	"math"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/subnet"
)

// A fit finds what timings were made of, and tells parts that are not there.
func TestFitTimes(t *testing.T) {
	make := func(base, layer, byte float64, widths ...float64) (list []subnet.Timing) {
		for _, d := range []int{30, 24, 18} {
			for _, w := range widths {
				bytes := int64(50e6 + 7e6*float64(d)*w)
				list = append(list, subnet.Timing{Layers: d, Bytes: bytes, Seconds: base + layer*float64(d) + byte*float64(bytes)})
			}
		}
		return list
	}
	for _, c := range []struct {
		base, layer, byte float64
		widths            []float64
	}{{1e-3, 2e-4, 1e-10, []float64{1, 0.75, 0.5}}, {1e-3, 0, 1e-10, []float64{1, 0.5}}, {0.5e-3, 1e-4, 1e-10, []float64{1}}} {
		list := make(c.base, c.layer, c.byte, c.widths...)
		m, err := subnet.FitTimes(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range list {
			if got := m.Predict(want.Layers, want.Bytes); !(math.Abs(got-want.Seconds) <= 1e-6*want.Seconds) {
				t.Errorf("%+v: found %v for %+v", c, got, want)
			}
		}
		if !(m.R2 > 1-1e-9) {
			t.Errorf("%+v: found R² %v, want 1", c, m.R2)
		}
	}
	for want, list := range map[string][]subnet.Timing{
		"too few":              {{Layers: 1, Bytes: 1, Seconds: 1}},
		"found a time":         {{Layers: 1, Bytes: 1}, {Layers: 2, Bytes: 2, Seconds: 1}},
		"shapes are too alike": {{Layers: 2, Bytes: 8, Seconds: 1}, {Layers: 2, Bytes: 8, Seconds: 1}, {Layers: 2, Bytes: 8, Seconds: 1}},
	} {
		if _, err := subnet.FitTimes(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, want %q", err, want)
		}
	}
}
