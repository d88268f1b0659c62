package subnet_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// judgeFunc judges candidates by a function of the layers that are removed.
type judgeFunc func(removed []int) float64

func (f judgeFunc) Judge(_ context.Context, from int, candidates [][]bool, done func(i int, metric float64) error) error {
	for i := range slices.Backward(candidates) { // the order is the judge's
		var removed []int
		for l, kept := range candidates[i] {
			if !kept {
				removed = append(removed, from+l)
			}
		}
		if err := done(i, f(removed)); err != nil {
			return err
		}
	}
	return nil
}

// hash is a metric without structure.
func hash(removed []int) float64 {
	h := uint64(14695981039346656037)
	for _, l := range removed {
		h = (h ^ uint64(l+1)) * 1099511628211
	}
	return float64(h % 1000003)
}

// The table is what the recurrence says, computed plainly.
func TestDepthSearch(t *testing.T) {
	const layers, keep, least = 9, 1, 5
	for _, higher := range []bool{false, true} {
		d := subnet.DepthSearch{Layers: layers, KeepLast: keep, MinLayers: least, Higher: higher}
		if err := d.Run(t.Context(), judgeFunc(hash), func(subnet.Cell) error { return nil }); err != nil {
			t.Fatal(err)
		}
		type choice struct {
			removed []int
			metric  float64
			ok      bool
		}
		row := make([]choice, layers-least+1)
		row[0].ok = true
		for n := 1; n <= layers-keep; n++ {
			next := slices.Clone(row)
			for m := 1; m <= min(n, layers-least); m++ {
				c := choice{append([]int{layers - keep - n}, row[m-1].removed...), 0, true}
				c.metric = hash(c.removed)
				if !row[m].ok || c.metric < row[m].metric != higher && c.metric != row[m].metric {
					next[m] = c
				}
			}
			row = next
		}
		for m, depth := range d.Depths() {
			var removed []int
			for l, kept := range depth.Kept {
				if !kept {
					removed = append(removed, l)
				}
			}
			if !slices.Equal(removed, row[m].removed) || depth.Metric != row[m].metric {
				t.Errorf("higher %v, %d removed: found %v with %v, want %v with %v", higher, m, removed, depth.Metric, row[m].removed, row[m].metric)
			}
		}
		if len(d.Depths()) != layers-least || len(d.Known) != d.Cells() {
			t.Errorf("found %d depths and %d cells, want %d and %d", len(d.Depths()), len(d.Known), layers-least, d.Cells())
		}
	}
	recipe := subnet.DepthSearch{Layers: 32, KeepLast: 1, MinLayers: 20}
	if recipe.Cells() != 306 {
		t.Errorf("the recipe of the paper has %d cells, want 306", recipe.Cells())
	}
}

// A search that ends after every number of cells goes on to the same table, and measures nothing twice.
func TestDepthSearchResumes(t *testing.T) {
	whole := subnet.DepthSearch{Layers: 8, KeepLast: 1, MinLayers: 4}
	if err := whole.Run(t.Context(), judgeFunc(hash), func(subnet.Cell) error { return nil }); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	for stop := 1; stop <= whole.Cells(); stop++ {
		d := subnet.DepthSearch{Layers: 8, KeepLast: 1, MinLayers: 4}
		cells := 0
		after := func(subnet.Cell) error {
			if cells++; cells == stop {
				return enough
			}
			return nil
		}
		if err := d.Run(t.Context(), judgeFunc(hash), after); !errors.Is(err, enough) {
			t.Fatalf("found %v, want the error of after", err)
		}
		d = subnet.DepthSearch{Layers: 8, KeepLast: 1, MinLayers: 4, Known: maps.Clone(d.Known)}
		if err := d.Run(t.Context(), judgeFunc(hash), after); err != nil {
			t.Fatal(err)
		}
		if cells != whole.Cells() || fmt.Sprint(d.Best, d.Kept) != fmt.Sprint(whole.Best, whole.Kept) {
			t.Errorf("ended after %d cells: found %d cells or another table", stop, cells)
		}
	}
}

func TestDepthSearchRefuses(t *testing.T) {
	nothing := func(subnet.Cell) error { return nil }
	for _, d := range []subnet.DepthSearch{
		{}, {Layers: 4, MinLayers: 4}, {Layers: 4, MinLayers: 0}, {Layers: 4, KeepLast: 4, MinLayers: 4}, {Layers: 4, KeepLast: 3, MinLayers: 2}, {Layers: 4, KeepLast: -1, MinLayers: 2},
	} {
		if err := d.Run(t.Context(), judgeFunc(hash), nothing); err == nil {
			t.Errorf("%+v: found no error", d)
		}
	}
	d := subnet.DepthSearch{Layers: 4, MinLayers: 2}
	err := d.Run(t.Context(), judgeFunc(func([]int) float64 { return math.NaN() }), nothing)
	if err == nil || !strings.Contains(err.Error(), "no number") {
		t.Errorf("found %v, want that a metric is no number", err)
	}
}

// What is measured of candidates that share layers is what models of those layers alone measure, bit for
// bit, wherever entries are kept.
func TestJudge(t *testing.T) {
	s := openSelection(t)
	pool := tensor.NewPool(2)
	defer pool.Close()
	selector, err := subnet.NewSelector(s.Checkpoint(), models.Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer selector.Close()
	family, err := subnet.New(s.Checkpoint(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	candidates := [][]bool{{false, true, true, true, true}, {false, true, false, true, true}, {false, true, false, true, false}, {true, true, true, true, true}, {false, false, false, false, false}}
	cal := s.Calibration("loss")
	for _, room := range []int64{0, 1, 40_000, 1 << 20} {
		judge, err := selector.Judge(cal, room)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := make([]float64, len(candidates))
			err = judge.Judge(t.Context(), 2, candidates, func(i int, metric float64) error {
				got[i] = metric
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range candidates {
				layers := []int{0, 1}
				for l, kept := range c {
					if kept {
						layers = append(layers, 2+l)
					}
				}
				if want := evaluate(t, family, layers, cal.Windows, pool); got[i] != want {
					t.Errorf("room %d: layers %v: found %v, want %v", room, layers, got[i], want)
				}
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	judge, err := selector.Judge(cal, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := judge.Judge(ctx, 2, candidates, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("found %v, want that the context ended", err)
	}
}

// evaluate returns the mean negative log-likelihood of a model of some layers.
func evaluate(t *testing.T, family *subnet.Family, layers []int, windows [][]int32, pool *tensor.Pool) float64 {
	t.Helper()
	cut, err := family.Cut(subnet.Shape{Width: 1}, subnet.Options{Depth: layers})
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.New(cut, models.Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	e, err := subnet.Evaluate(t.Context(), m, &tensor.Workspace{Pool: pool}, windows, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e.NLL
}

// Calibrations without meaning are refused, and so are tokens that the model has not.
func TestCalibrationRefuses(t *testing.T) {
	selector, err := subnet.NewSelector(openSelection(t).Checkpoint(), models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer selector.Close()
	choice := subnet.Choice{Context: []int32{1}, Continuation: []int32{2}}
	for want, cal := range map[string]subnet.Calibration{
		"found metric":            {},
		"no text":                 {Metric: subnet.MeanNLL},
		"window 0 has 1 tokens":   {Metric: subnet.Perplexity, Windows: [][]int32{{1}}},
		"token 1 is 999":          {Metric: subnet.MeanNLL, Windows: [][]int32{{1, 999}}},
		"no questions":            {Metric: subnet.Accuracy},
		"found answer 1":          {Metric: subnet.Accuracy, Questions: []subnet.Question{{Choices: []subnet.Choice{choice}, Answer: 1}}},
		"empty context or choice": {Metric: subnet.Accuracy, Questions: []subnet.Question{{Choices: []subnet.Choice{{Context: []int32{1}}}}}},
	} {
		if _, err := selector.Judge(cal, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, want %q", err, want)
		}
	}
}
