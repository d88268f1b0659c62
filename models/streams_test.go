package models_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Streams through all layers give the logits of Forward, of models of every kind, and copies are
// independent.
func TestStreams(t *testing.T) {
	pool := tensor.NewPool(2)
	defer pool.Close()
	goldens(t, func(t *testing.T, dir string) {
		m, ws := open(t, dir, models.Options{Pool: pool}), &tensor.Workspace{Pool: pool}
		seqs := [][]int32{{1, 2, 3, 4, 5}, {7}, {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}}
		s, err := m.NewStreams(seqs, ws)
		if m.Type == "rwkv7" && err != nil && strings.Contains(err.Error(), "cannot be run apart") {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]int, s.Rows())
		for i := range rows {
			rows[i] = i
		}
		logits := func(s *models.Streams) (all []float32) {
			s.Logits(rows, ws, func(_ int, l []float32) { all = append(all, l...) })
			return all
		}
		s.Apply(0, ws)
		c := s.Clone()
		for l := 1; l < m.Layers(); l++ {
			s.Apply(l, ws)
		}
		var want []float32
		for _, ids := range seqs {
			b := models.Batch{Seqs: []models.Seq{{IDs: ids, State: m.NewState(), Want: models.WantAll}}}
			if err := m.Forward(&b, ws); err != nil {
				t.Fatal(err)
			}
			want = append(want, b.Logits.Data...)
		}
		if !slices.Equal(logits(s), want) {
			t.Error("found other logits than those of Forward")
		}
		checkLogProbs(t, s.LogProbs(ws), want, seqs, m.Vocab)
		for l := 1; l < m.Layers(); l++ {
			c.Apply(l, ws)
		}
		if !slices.Equal(logits(c), want) {
			t.Error("found other logits of a copy")
		}
		c.Apply(0, ws)
		if slices.Equal(logits(c), want) {
			t.Error("applying a layer again changed nothing")
		}
		if c.CopyFrom(s); !slices.Equal(logits(c), want) {
			t.Error("found other logits after CopyFrom")
		}
	})
}

// checkLogProbs compares log-probabilities with those of logits in float64. Their sum of
// exponentials is in float32: 16 partial sums and a tree of 4, each term itself off by an ulp or two.
func checkLogProbs(t *testing.T, got []float64, logits []float32, seqs [][]int32, vocab int) {
	bound := 0x1p-24 * (float64(vocab)/16 + 8)
	i, row := 0, 0
	for _, ids := range seqs {
		for j, next := range ids[1:] {
			z := logits[(row+j)*vocab:][:vocab]
			var sum float64
			for _, x := range z {
				sum += math.Exp(float64(x))
			}
			if want := float64(z[next]) - math.Log(sum); !(math.Abs(got[i]-want) <= bound) {
				t.Errorf("log-probability %d: found %v, want %v", i, got[i], want)
			}
			i++
		}
		row += len(ids)
	}
	if i != len(got) {
		t.Errorf("found %d log-probabilities, want %d", len(got), i)
	}
}

func TestStreamsRefuse(t *testing.T) {
	m := open(t, "testdata/golden/hf_llama", models.Options{})
	for want, seqs := range map[string][][]int32{
		"sequence 1: found no token":    {{1}, {}},
		"sequence 0: token 1 is 999999": {{1, 999999}},
	} {
		if _, err := m.NewStreams(seqs, new(tensor.Workspace)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found %v, want %q", err, want)
		}
	}
}

// What is watched are the inputs of o_proj and down_proj, once for every token and layer; other models
// than transformers are refused.
func TestWatch(t *testing.T) {
	type place struct {
		layer int
		mlp   bool
	}
	seen := map[place]int{}
	m := open(t, "testdata/golden/hf_llama", models.Options{Watch: func(layer int, mlp bool, x tensor.Mat) { seen[place{layer, mlp}] += x.Rows }})
	ws := new(tensor.Workspace)
	s, err := m.NewStreams([][]int32{{1, 2, 3}, {4, 5}}, ws)
	if err != nil {
		t.Fatal(err)
	}
	for l := range m.Layers() {
		s.Apply(l, ws)
	}
	for l := range m.Layers() {
		if seen[place{l, false}] != 5 || seen[place{l, true}] != 5 {
			t.Errorf("layer %d: found %d and %d rows, want 5", l, seen[place{l, false}], seen[place{l, true}])
		}
	}
	ck, err := loader.Open("testdata/golden/zoo_mamba")
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	if _, err := models.New(ck, models.Options{Watch: func(int, bool, tensor.Mat) {}}); err == nil || !strings.Contains(err.Error(), "expected") {
		t.Errorf("found %v, want that a Mamba cannot be watched", err)
	}
}
