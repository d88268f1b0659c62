package mminfer

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/tensor"
)

// held opens the demo model and returns the first 4096 tokens of its held-out text.
func held(t *testing.T, opts ...Option) (*Engine, []int32) {
	t.Helper()
	e, err := OpenFS(demo.FS, demo.Fable, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	text, err := os.ReadFile("demo/fable/held.txt")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := e.Tokenize(string(text), false)
	if err != nil {
		t.Fatal(err)
	}
	return e, ids[:4096]
}

// long skips what takes seconds, and minutes under the race detector or in portable Go.
func long(t *testing.T) {
	if testing.Short() || raceEnabled || !slices.ContainsFunc(kernels.Implementations(), kernels.Implementation.Enabled) {
		t.Skip("some seconds of computation")
	}
}

// TestPerplexity compares with the reference, computed in float64: 37.308209.
func TestPerplexity(t *testing.T) {
	long(t)
	e, ids := held(t)
	lps, err := e.LogProbs(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, lp := range lps {
		sum += lp
	}
	if len(lps) != 4095 {
		t.Errorf("%d tokens predicted, want 4095", len(lps))
	}
	got := math.Exp(-sum / float64(len(lps)))
	t.Logf("perplexity %.6f", got)
	if fmt.Sprintf("%.5g", got) != "37.308" || !(math.Abs(got-37.308209) <= 2e-5) {
		t.Errorf("perplexity %.6f, want 37.308209", got)
	}
}

// TestQ8Divergence: weights and activations of 8 bits change the predictions by at most 0.006 nats
// in the mean.
func TestQ8Divergence(t *testing.T) {
	long(t)
	f32, ids := held(t, WithFormat(tensor.FormatF32))
	q8, _ := held(t, WithFormat(tensor.FormatQ8))
	ref := make([][]float32, len(ids))
	err := f32.Logits(t.Context(), ids, func(i int, logits []float32) error {
		ref[i] = slices.Clone(logits)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	same := 0
	err = q8.Logits(t.Context(), ids, func(i int, logits []float32) error {
		sum += Divergence(ref[i], logits)
		if slices.Index(logits, slices.Max(logits)) == slices.Index(ref[i], slices.Max(ref[i])) {
			same++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mean := sum / float64(len(ids))
	t.Logf("mean divergence of q8 from f32: %.6f nats a token; %.1f %% of the most probable tokens are the same", mean, 100*float64(same)/float64(len(ids)))
	if !(mean <= 0.006) {
		t.Errorf("mean divergence %.6f, want at most 0.006", mean)
	}
}
