package net_test

import (
	"path/filepath"
	"testing"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/tensor"
)

const goldens = "testdata/golden"

// TestGoldens compares every network block by block with diffusers and transformers in float64.
func TestGoldens(t *testing.T) {
	names, err := golden.NetworkNames(goldens)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 7 {
		t.Fatalf("networks %v", names)
	}
	pool := tensor.NewPool(2)
	defer pool.Close()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			results, err := golden.Network(goldens, name, net.Options{Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			if len(results) < 10 {
				t.Errorf("%d tensors compared", len(results))
			}
			for _, r := range results {
				if !r.OK() {
					t.Fatalf("first wrong: %s: error %.3g, bound %.3g %s", r.Of, r.MaxError, r.Bound, r.Note)
				}
			}
		})
	}
}

// TestSizes compares whole networks with diffusers in float64 at sizes that levels do not divide, and in batches of different
// times and classes.
func TestSizes(t *testing.T) {
	files, err := filepath.Glob("testdata/sizes/*.safetensors")
	if err != nil || len(files) != 5 {
		t.Fatal(files, err)
	}
	for _, inputs := range files {
		results, err := golden.NetworkOn(filepath.Join(goldens, filepath.Base(inputs)), inputs, net.Options{})
		if err != nil {
			t.Error(err)
		}
		for _, r := range results {
			if !r.OK() {
				t.Errorf("%s: %s: error %.3g, bound %.3g %s", inputs, r.Of, r.MaxError, r.Bound, r.Note)
			}
		}
	}
}

// TestVariants compares small networks of other options: scale and shift by time, classes, centred input, no attention, lists of
// heads, linear projections, embedded guidance, patches of 3, other activations, no convolutions of latents.
func TestVariants(t *testing.T) {
	names, err := golden.NetworkNames("testdata/variants")
	if err != nil || len(names) != 6 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		results, err := golden.Network("testdata/variants", name, net.Options{})
		if err != nil {
			t.Error(err)
		}
		for _, r := range results {
			if !r.OK() {
				t.Errorf("%s: %s: error %.3g, bound %.3g %s", name, r.Of, r.MaxError, r.Bound, r.Note)
			}
		}
	}
}

// open opens a golden network's weights.
func open(t testing.TB, name string) *golden.NetworkSource {
	t.Helper()
	s, err := golden.OpenNetwork(filepath.Join(goldens, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// input returns a tensor beside the weights.
func input(t testing.TB, s *golden.NetworkSource, name string) []float32 {
	t.Helper()
	in, ok := s.Other(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, in.Elements())
	in.Floats(v, 0)
	return v
}
