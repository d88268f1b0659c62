package subnet

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Skip("the data are in the repository, not in a module download")
	}
	return b
}

// removed lists the layers that a depth leaves out.
func removed(d Depth) (layers []int) {
	for l, kept := range d.Kept {
		if !kept {
			layers = append(layers, l)
		}
	}
	return layers
}

// A real run of the reference on a model of 32 layers.
func TestRealDepths(t *testing.T) {
	s, err := ReadStrategy(read(t, "amoeballm/final_strategy.npy"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[int]string{1: "[16]", 2: "[28 29]", 7: "[17 19 23 24 25 28 29]", 12: "[9 17 19 21 22 23 24 25 26 27 28 29]"}
	metrics := map[int]float64{1: 0.3886587482206313, 7: 0.44227819953496106, 12: 0.4152360773144492}
	if len(s.Depths) != 12 || s.Widths != nil {
		t.Errorf("found %d depths, widths %v", len(s.Depths), s.Widths)
	}
	for m, d := range s.Depths {
		if got := fmt.Sprint(removed(d)); len(d.Kept) != 32 || len(removed(d)) != m || want[m] != "" && got != want[m] {
			t.Errorf("%d removed: %s of %d, want %s", m, got, len(d.Kept), want[m])
		}
		if w := metrics[m]; w != 0 && d.Metric != w {
			t.Errorf("%d removed: metric %v, want %v", m, d.Metric, w)
		}
	}
	// The table's last row is the same without the layers that are always kept.
	table, err := ReadStrategy(read(t, "amoeballm/full_strategy.npy"))
	if err != nil {
		t.Fatal(err)
	}
	for m, d := range table.Depths {
		if len(d.Kept) != 31 || !slices.Equal(d.Kept, s.Depths[m].Kept[:31]) || !math.IsNaN(d.Metric) {
			t.Errorf("%d removed: table has %v, strategy %v", m, removed(d), removed(s.Depths[m]))
		}
	}
}

// The real tables obey the recurrence of the reference in every cell.
func TestRealTables(t *testing.T) {
	strategies, err := readNPY(read(t, "amoeballm/full_strategy.npy"))
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := readNPY(read(t, "amoeballm/metric.npy"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := metrics.numbers()
	if err != nil || fmt.Sprint(metrics.shape, strategies.shape) != "[32 13] [32 13]" {
		t.Fatal(err, metrics.shape, strategies.shape)
	}
	cells := 0
	for n := 1; n <= 31; n++ {
		for m := 1; m <= min(n, 12); m++ {
			cells++
			at := func(n, m int) []bool {
				b, err := bools(strategies.objects[n*13+m])
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			candidate := slices.Clone(at(n-1, m-1))
			candidate[31-n] = false
			switch got := at(n, m); {
			case slices.Equal(got, candidate) && d[n*13+m] >= d[(n-1)*13+m]:
			case n > m && slices.Equal(got, at(n-1, m)) && d[n*13+m] == d[(n-1)*13+m]:
			default:
				t.Errorf("row %d, column %d: %v with %v is neither the candidate nor the row above", n, m, got, d[n*13+m])
			}
		}
	}
	if cells != 306 {
		t.Errorf("%d cells", cells)
	}
	if _, err := ReadStrategy(read(t, "amoeballm/metric.npy")); err == nil || !strings.Contains(err.Error(), "table of figures") {
		t.Errorf("metric.npy as a strategy: %v", err)
	}
}

// The two writers of numpy give the same kind of strategy, and our own form holds all of it.
func TestStrategyForms(t *testing.T) {
	for file, want := range map[string]string{
		"golden/amoeba_tiny/dp_selection_strategy.npy":   "3 depths, widths 1, 0.875, 0.75, 0.625, 6 layers",
		"golden/amoeba_tiny/final_strategy.npy":          "3 depths, widths , 0 layers",
		"golden/amoeba_select/dp_selection_strategy.npy": "3 depths, widths 1, 0.875, 0.75, 0.625, 0.5, 7 layers",
	} {
		s, err := ReadStrategy(read(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got := fmt.Sprintf("%d depths, widths %s, %d layers", len(s.Depths), ratiosText(s.Widths), len(s.Layers)); got != want {
			t.Errorf("%s: found %s, want %s", file, got, want)
		}
		j, err := s.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadStrategy(j)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for m, d := range s.Depths {
			if got := again.Depths[m]; fmt.Sprint(removed(got)) != fmt.Sprint(removed(d)) || !same(got.Metric, d.Metric) {
				t.Errorf("%s: %d removed: %v became %v", file, m, d, got)
			}
		}
		if fmt.Sprint(again.Widths, again.Layers) != fmt.Sprint(s.Widths, s.Layers) {
			t.Errorf("%s: the masks are not the same", file)
		}
		k, err := again.JSON()
		if err != nil || !bytes.Equal(j, k) {
			t.Errorf("%s: written twice, two texts (%v)", file, err)
		}
	}
}

func same(a, b float64) bool { return a == b || a != a && b != b }

// A directory holds a strategy whole or in parts.
func TestStrategyDirectory(t *testing.T) {
	s, err := OpenStrategy("testdata/golden/amoeba_tiny")
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	if len(s.Layers) != 6 {
		t.Errorf("found %d layers: final_strategy.npy was taken, not the whole", len(s.Layers))
	}
	if s, err = OpenStrategy("testdata/amoeballm"); err != nil || len(s.Depths) != 12 {
		t.Errorf("found %v, %v", s, err)
	}
	if _, err = OpenStrategy(t.TempDir()); err == nil || !strings.Contains(err.Error(), "found no strategy, expected one of [strategy.json") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestJSONRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                                   "EOF",
		`{"kind":"x"}`:                        "kind",
		`{"kind":"mminfer strategy 1","x":1}`: "unknown field",
		`{"kind":"mminfer strategy 1","depths":{"1":{"removed":[]}}}`:                                                                  "0 layers removed",
		`{"kind":"mminfer strategy 1","depths":{"0":{"removed":[]}}}`:                                                                  "layers removed",
		`{"kind":"mminfer strategy 1","depths":{"2":{"removed":[3,3]}}}`:                                                               "twice",
		`{"kind":"mminfer strategy 1","depths":{"1":{"removed":[-1]}}}`:                                                                "in order",
		`{"kind":"mminfer strategy 1","depths":{"1":{"removed":[99999999]}}}`:                                                          "in order",
		`{"kind":"mminfer strategy 1","widths":[0.5,1]}`:                                                                               "descending",
		`{"kind":"mminfer strategy 1","layers":[{}]}`:                                                                                  "descending",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":4,"attention":[],"neurons":1,"mlp":[[]]}]}`:                   "0 masks",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":4,"attention":[[0,5]],"neurons":1,"mlp":[[]]}]}`:              "ends at 5",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":4,"attention":[[2,1]],"neurons":1,"mlp":[[]]}]}`:              "ends at 1",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":4,"attention":[[2]],"neurons":1,"mlp":[[]]}]}`:                "without an end",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":99999999999,"attention":[[]],"neurons":1,"mlp":[[]]}]}`:       "channels",
		`{"kind":"mminfer strategy 1","widths":[1],"layers":[{"channels":1,"attention":[[]],"neurons":1,"mlp":[[]],"out":[[1],[2]]}]}`: "biases",
	} {
		if _, err := ReadStrategy([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected an error about %q", text, err, want)
		}
	}
}

func TestShapes(t *testing.T) {
	for text, want := range map[string]string{"24x0.75": "24x0.75", "24x7/8": "24x0.875", "24": "24x1", "24x1": "24x1", "6x1.0": "6x1"} {
		if s, err := ParseShape(text); err != nil || s.String() != want {
			t.Errorf("%s: found %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "x", "0x1", "-1x1", "4x0", "4x2", "4xNaN", "4x1/0", "4x0/0", "4x1/2/3", "4x", "4.5x1", "1e3x1"} {
		if s, err := ParseShape(text); err == nil {
			t.Errorf("%q: found %v, expected an error", text, s)
		}
	}
	for text, want := range map[string]string{"[1,7/8,3/4,5/8]": "1, 0.875, 0.75, 0.625", " [ 1 , 0.5 ] ": "1, 0.5"} {
		if r, err := parseRatios(text); err != nil || ratiosText(r) != want {
			t.Errorf("%s: found %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "[]", "1,2", "[1", "[1,]", "[2]", "[0]", "[-1]", "[__import__('os')]", "[1/0]", "[1**2]", "[1e999]"} {
		if r, err := parseRatios(text); err == nil {
			t.Errorf("%q: found %v, expected an error", text, r)
		}
	}
}
