package subnet_test

import (
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/tensor"
)

// openSelection opens the golden of choosing subnets.
func openSelection(t testing.TB) *golden.Selection {
	t.Helper()
	s, err := golden.OpenSelection(goldens + "amoeba_select")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The tables, statistics, masks, biases, files and evaluations of the reference.
func TestSelection(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	tallies, err := openSelection(t).Run(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range tallies {
		t.Logf("%s: %d / %d", r.What, r.Wrong, r.Cases)
		if r.Wrong > 0 || r.Cases == 0 {
			t.Errorf("%s: %d of %d wrong, the first: %s", r.What, r.Wrong, r.Cases, r.First)
		}
	}
}
