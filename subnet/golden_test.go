package subnet_test

import (
	"math"
	"os"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/tensor"
)

const goldens = "testdata/golden/"

// openSuite opens a golden directory of subnets.
func openSuite(t testing.TB, name string) (*golden.Suite, *golden.Subnets) {
	t.Helper()
	if _, err := os.Stat(goldens); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	suite, err := golden.Open(goldens + name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { suite.Close() })
	family, err := suite.OpenSubnets()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { family.Close() })
	return suite, family
}

// Every shape in every form is within the bounds of the reference, and the same however it is fed.
func TestGolden(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	for _, name := range []string{"amoeba_tiny", "amoeba_select"} {
		suite, family := openSuite(t, name)
		var whole golden.Output
		for _, feed := range []golden.Options{{}, {Split: 1}, {Split: 5}, {Batch: true}, {Batch: true, Split: 3}} {
			ws := &tensor.Workspace{Pool: pool}
			if feed.Split == 5 {
				ws.Pool = nil
			}
			results, out, err := suite.RunSubnets(family, ws, tensor.FormatAuto, feed)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if !r.OK() {
					t.Errorf("%s: %+v: %s %s: error %.3g, bound %.3g %s", name, feed, r.Case, r.Of, r.MaxError, r.Bound, r.Note)
				}
			}
			if whole == nil {
				whole = out
			}
			for key, want := range whole {
				same(t, name+" "+key, out[key], want)
			}
		}
	}
}

// same fails the test unless two lists have the same bits.
func same(t testing.TB, name string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%s: %d numbers, want %d", name, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: number %d is %v, want %v", name, i, got[i], want[i])
		}
	}
}
