package models_test

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// ggufPairs are GGUF files without goldens of what they hold: their tensors are compared with those
// that they were made of. The format has no limits of the time step, which zoo_mamba2_hf has, and no
// golden of Qwen3.5 has more heads of values than of keys.
var ggufPairs = map[string]string{
	"zoo_mamba2_hf":   "testdata/golden/zoo_mamba2_hf",
	"qwen3_5_grouped": "testdata/gguf/qwen3_5_grouped",
}

// TestGGUF runs the goldens on models from GGUF files, which testdata/gguf/convert.py makes of the
// same weights.
func TestGGUF(t *testing.T) {
	need(t)
	files, err := filepath.Glob("testdata/gguf/*.gguf")
	if err != nil || len(files) < 16 {
		t.Fatalf("found %q, %v", files, err)
	}
	pool := tensor.NewPool(2)
	defer pool.Close()
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".gguf")
		if ggufPairs[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			suite, err := golden.Open("testdata/golden/" + name)
			if err != nil {
				t.Fatal(err)
			}
			defer suite.Close()
			m := open(t, file, models.Options{Pool: pool})
			results, _, err := suite.Run(m, &tensor.Workspace{Pool: pool}, golden.Options{})
			if err != nil {
				t.Fatal(err)
			}
			report(t, results)
			worst := 0.0
			for _, r := range results {
				if r.Bound > 0 {
					worst = max(worst, r.MaxError/r.Bound)
				}
			}
			t.Logf("largest error: %.2f of its bound", worst)
		})
	}
}

// TestGGUFTensors compares tensors from GGUF files with those that they were made of. Only logarithms
// and the 1 that is added to norms round, in float32.
func TestGGUFTensors(t *testing.T) {
	need(t)
	for name, dir := range ggufPairs {
		open(t, "testdata/gguf/"+name+".gguf", models.Options{})
		got, err := loader.Open("testdata/gguf/" + name + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		want := load(t, dir)
		if !slices.Equal(got.Names(), want.Names()) {
			t.Fatalf("%s: found %q, want %q", name, got.Names(), want.Names())
		}
		for _, n := range want.Names() {
			g, _ := got.Tensor(n)
			w, _ := want.Tensor(n)
			if !slices.Equal(g.Shape, w.Shape) {
				t.Fatalf("%s: found %v, want %v", name, g, w)
			}
			x, y := make([]float32, g.Elements()), make([]float32, w.Elements())
			g.Floats(x, 0)
			w.Floats(y, 0)
			for i := range y {
				// exp rounds by 2⁻²⁴ of itself twice, which the logarithm makes absolute.
				if bound := 0x1p-22 * math.Max(1, math.Abs(float64(y[i]))); !(math.Abs(float64(x[i]-y[i])) <= bound) {
					t.Fatalf("%s: %s[%d]: found %v, want %v", name, n, i, x[i], y[i])
				}
			}
		}
	}
}

// TestGGUFFormat checks that weights in blocks are computed with in eight bits unless told otherwise.
func TestGGUFFormat(t *testing.T) {
	need(t)
	ck := load(t, "testdata/gguf/qwen3_5_grouped.gguf")
	const name = "model.layers.0.mlp.gate_proj.weight" // [50 32]
	w := ck.tensors[name]
	w.Type, w.Data = tensor.Q8_0, make([]byte, 50*34)
	for i := range 50 {
		w.Data[34*i+1] = 0x2c // 1/16 in half precision
	}
	ck.tensors[name] = w
	m, err := models.New(ck, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	exact, err := models.New(ck, models.Options{Format: tensor.FormatF32})
	if err != nil {
		t.Fatal(err)
	}
	defer exact.Close()
	if m.Fingerprint() == exact.Fingerprint() {
		t.Error("eight bits and float32 have one fingerprint")
	}
}
