package golden

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// recurrences are the files of a directory of bare recurrences that [Recurrences] knows, with what
// computes a case.
var recurrences = map[string]func(c *bare){
	"linear_attn":      (*bare).linearAttn,
	"retention":        (*bare).retention,
	"lightning":        (*bare).lightning,
	"gla":              (*bare).gla,
	"simple_gla":       (*bare).simpleGLA,
	"gsa":              (*bare).gsa,
	"hgrn":             (*bare).hgrn,
	"rwkv6":            (*bare).rwkv6,
	"rwkv7":            (*bare).rwkv7,
	"delta_rule":       (*bare).deltaRule,
	"gated_delta_rule": (*bare).deltaRule,
	"kda":              (*bare).kda,
	"ssd":              (*bare).ssd,
	"mamba1":           (*bare).mamba1,
	"feature_maps":     (*bare).featureMaps,
	"short_conv":       (*bare).shortConv,
}

// bare is one case of a bare recurrence: inputs, and what was computed from them.
type bare struct {
	ck   *loader.Checkpoint
	name string // a prefix of its tensors, with a dot; empty where a file has but one case
	out  map[string][]float32
}

// in returns an input, nil if the case has none of that name.
func (c *bare) in(name string) []float32 {
	t, ok := c.ck.Tensor(c.name + "in." + name)
	if !ok {
		return nil
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	return v
}

// shape returns an input's shape.
func (c *bare) shape(name string) []int {
	t, _ := c.ck.Tensor(c.name + "in." + name)
	return t.Shape
}

// initial returns an initial state, zeros if the case has none.
func (c *bare) initial(name string, n int) []float32 {
	if s := c.in(name); s != nil {
		return s
	}
	return make([]float32, n)
}

// Recurrences computes every case of a directory of bare recurrences, in the order of files and
// cases, and compares every output and state: Of is the file's name. The bound is eight times the
// error that the reference makes in float32, at least 2^-18 of the largest value.
func Recurrences(dir string) ([]Result, error) {
	data, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		return nil, err
	}
	var files map[string]struct {
		Cases        map[string]struct{}
		Float32Error map[string]float64 `json:"float32_error"`
	}
	if err := json.Unmarshal(data, &files); err != nil {
		return nil, fmt.Errorf("golden: %s: %w", filepath.Join(dir, "cases.json"), err)
	}
	var results []Result
	for _, file := range slices.Sorted(maps.Keys(files)) {
		compute, ok := recurrences[file]
		if !ok {
			return nil, fmt.Errorf("golden: %s: recurrence %q is not one that is known: %s", dir, file, strings.Join(slices.Sorted(maps.Keys(recurrences)), ", "))
		}
		ck, err := loader.OpenFile(filepath.Join(dir, file+".safetensors"))
		if err != nil {
			return nil, err
		}
		for _, name := range bareCases(ck) {
			c := &bare{ck, name, map[string][]float32{}}
			compute(c)
			results = append(results, c.compare(file, files[file].Float32Error)...)
		}
		if err := ck.Close(); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// bareCases returns the prefixes of a file's cases.
func bareCases(ck *loader.Checkpoint) (cases []string) {
	for _, n := range ck.Names() {
		i := strings.Index(n, "in.")
		if i == 0 || i > 0 && n[i-1] == '.' {
			cases = append(cases, n[:i])
		}
	}
	slices.Sort(cases)
	return slices.Compact(cases)
}

// compare holds what was computed against what the file wants.
func (c *bare) compare(file string, float32Error map[string]float64) (results []Result) {
	prefix := c.name + "want."
	for _, n := range c.ck.Names() {
		of, ok := strings.CutPrefix(n, prefix)
		if !ok || of == "tail" && c.out[of] == nil {
			continue
		}
		t, _ := c.ck.Tensor(n)
		r := Result{Case: strings.TrimSuffix(c.name, "."), Tensor: of, Of: file, Float32Error: float32Error[of]}
		compareBare(&r, c.out[of], t)
		results = append(results, r)
	}
	return results
}

func compareBare(r *Result, got []float32, t tensor.Tensor) {
	want := make([]float32, t.Elements()) // rounded once, far below the bound
	t.Floats(want, 0)
	if len(got) != len(want) {
		r.Note = fmt.Sprintf("%d numbers, want %d", len(got), len(want))
		return
	}
	var top float64
	for i, w := range want {
		top = max(top, math.Abs(float64(w)))
		if e := math.Abs(float64(got[i]) - float64(w)); !(e <= r.MaxError) {
			r.MaxError = e
		}
	}
	r.Bound = max(8*r.Float32Error, 0x1p-18*top)
}
