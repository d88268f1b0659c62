package models_test

import (
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// kinds are goldens that have between them every kind of mixer and of state. With -short they stand
// for all, except where the values themselves are compared.
var kinds = []string{
	"mmmamba_hybrid", "mom_fla/topk_all", "mom_fla_hybrid", "mom_gsa", "zoo_gated_deltanet_hybrid", "zoo_rwkv7", "zoo_hgrn", "zoo_mamba", "zoo_mamba2_ss",
	"hf_falcon_h1", "hf_jamba", "hf_kimi_linear", "hf_lfm2", "hf_minimax", "hf_qwen3_next", "hf_zamba2",
}

// goldens calls f for every golden directory.
func goldens(t *testing.T, f func(t *testing.T, dir string)) {
	const root = "testdata/golden"
	if _, err := os.Stat(root); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "verify.json" {
			dir := filepath.Dir(path)
			name, _ := filepath.Rel(root, dir)
			if testing.Short() && t.Name() != "TestGolden" && t.Name() != "TestRegistry" && !slices.Contains(kinds, name) {
				return nil
			}
			t.Run(name, func(t *testing.T) { f(t, dir) })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// open loads the model of a golden directory.
func open(t testing.TB, dir string, opts models.Options) *models.Model {
	t.Helper()
	ck, err := loader.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	m, err := models.New(ck, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// feeds are the ways to feed prompts; all must give the same bits.
var feeds = []golden.Options{{}, {Split: 1}, {Split: 7}, {Split: 64}, {Batch: true}, {Batch: true, Split: 5}, {Pieces: true}}

func TestGolden(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	goldens(t, func(t *testing.T, dir string) {
		suite, err := golden.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer suite.Close()
		m := open(t, dir, models.Options{Pool: pool})
		var whole golden.Output
		for _, feed := range feeds {
			ws := &tensor.Workspace{Pool: pool}
			if feed.Split == 7 {
				ws.Pool = nil // one thread gives the same bits as two
			}
			results, out, err := suite.Run(m, ws, feed)
			if err != nil {
				t.Fatal(err)
			}
			if whole == nil {
				whole = out
				report(t, results)
			}
			sameBits(t, feed, out, whole)
		}
	})
}

// report fails the test at the first tensor of a case that is out of bounds.
func report(t *testing.T, results []golden.Result) {
	t.Helper()
	for _, r := range results {
		if !r.OK() {
			t.Fatalf("%s %s: error %.3g, bound %.3g (the reference errs by %.3g in float32) %s", r.Case, r.Of, r.MaxError, r.Bound, r.Float32Error, r.Note)
		}
	}
}

func sameBits(t *testing.T, feed golden.Options, got, want golden.Output) {
	t.Helper()
	for name, w := range want {
		g := got[name]
		if len(g) != len(w) {
			t.Fatalf("%+v: %s has %d numbers, whole prompts gave %d", feed, name, len(g), len(w))
		}
		for i := range w {
			if math.Float32bits(g[i]) != math.Float32bits(w[i]) {
				t.Fatalf("%+v: %s[%d] = %v, whole prompts gave %v", feed, name, i, g[i], w[i])
			}
		}
	}
}
