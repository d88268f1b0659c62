package golden_test

import (
	"os"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/kernels"
)

// TestRecurrences runs every bare recurrence on every instruction set.
func TestRecurrences(t *testing.T) {
	const dir = "testdata/recurrence"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	defer func() {
		if err := kernels.Limit("AVX512BF16"); err != nil {
			t.Error(err)
		}
	}()
	for _, isa := range []string{"portable", "AVX2", "AVX512"} {
		if err := kernels.Limit(isa); err != nil {
			t.Fatal(err)
		}
		results, err := golden.Recurrences(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(results) < 130 {
			t.Errorf("%d tensors compared", len(results))
		}
		for _, r := range results {
			if !r.OK() {
				t.Errorf("%s: %s %s %s: error %.3g, bound %.3g (float32 errs by %.3g) %s", isa, r.Of, r.Case, r.Tensor, r.MaxError, r.Bound, r.Float32Error, r.Note)
			}
		}
	}
}
