package mminfer_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/tensor"
)

const amoeba = "subnet/testdata/golden/amoeba_tiny"

// openSubnet opens the golden base as a subnet.
func openSubnet(t testing.TB, opts ...mminfer.Option) *mminfer.Engine {
	t.Helper()
	if _, err := os.Stat(amoeba); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	e, err := mminfer.Open(amoeba+"/base", append([]mminfer.Option{mminfer.WithAdapter(amoeba), mminfer.WithStrategy(amoeba)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// continued returns the logits that follow some tokens.
func continued(t testing.TB, e *mminfer.Engine) (all []float32) {
	t.Helper()
	err := e.Logits(context.Background(), []int32{76, 42, 90, 78, 45}, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Engines of several shapes share weights, live side by side and close in any order; a shape there and
// back gives the same bits.
func TestReshape(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, factored := range []bool{true, false} {
		opts := []mminfer.Option{mminfer.WithShape("6x1"), mminfer.WithThreads(2)}
		if factored {
			opts = append(opts, mminfer.WithFactored())
		}
		e := openSubnet(t, opts...)
		want := continued(t, e)
		small, err := e.Reshape("3x5/8")
		if err != nil {
			t.Fatal(err)
		}
		if i := small.Info(); i.Shape != "3x0.625" || i.Layers != 3 || len(i.Gates) != 5 || i.BytesPerToken >= e.Info().BytesPerToken {
			t.Errorf("info %+v", i)
		}
		few := continued(t, small)
		if slices.Equal(few, want) {
			t.Error("another shape, the same logits")
		}
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Reshape("6x1"); !errors.Is(err, mminfer.ErrClosed) {
			t.Errorf("reshape of a closed engine: %v", err)
		}
		back, err := small.Reshape("6x1")
		if err != nil {
			t.Fatal(err)
		}
		if got := continued(t, back); !slices.Equal(got, want) {
			t.Error("there and back, other logits")
		}
		if got := continued(t, small); !slices.Equal(got, few) {
			t.Error("beside another shape, other logits")
		}
		if _, err := back.Reshape("6x0.7"); err == nil || !strings.Contains(err.Error(), "the nearest shape is 6x0.75") {
			t.Errorf("a shape that there is not: %v", err)
		}
		if len(back.Shapes()) != 16 {
			t.Errorf("shapes %v", back.Shapes())
		}
		for _, e := range []*mminfer.Engine{back, small, small} {
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}

// Of a small shape, factored, the whole model is in memory: a larger one adds no weights.
func TestReshapeAddsNothing(t *testing.T) {
	small := openSubnet(t, mminfer.WithShape("3x5/8"), mminfer.WithFactored())
	before := small.Info().WeightBytes
	large, err := small.Reshape("6x1")
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if after := small.Info().WeightBytes; after != before || large.Info().WeightBytes <= after {
		t.Errorf("found %d bytes of weights before, %d after, of the larger %d", before, after, large.Info().WeightBytes)
	}
}

// A session belongs to its shape, stored or not.
func TestSessionsOfShapes(t *testing.T) {
	e := openSubnet(t, mminfer.WithShape("5x0.875"))
	other, err := e.Reshape("5x0.75")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s := e.NewSession()
	if err := s.Feed(context.Background(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := s.Save(&file); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Load(bytes.NewReader(file.Bytes())); !errors.Is(err, mminfer.ErrOtherModel) {
		t.Errorf("a session of another shape: %v", err)
	}
	again, err := other.Reshape("5x0.875")
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.Load(bytes.NewReader(file.Bytes())); err != nil {
		t.Errorf("a session of the same shape: %v", err)
	}
	if err := other.NewSession().Rewind(s.Mark()); err == nil {
		t.Error("a mark of another shape was taken")
	}
}

// Gates change what is computed; without noise they are the shape's own.
func TestEngineGates(t *testing.T) {
	own := openSubnet(t, mminfer.WithShape("4x0.75"))
	if g := own.Info().Gates; len(g) != 5 || !(math.Abs(float64(g[1])-0.37036067247390747) <= 2.2e-7) {
		t.Errorf("gates %v", g)
	}
	given := openSubnet(t, mminfer.WithShape("4x0.75"), mminfer.WithGates(own.Info().Gates))
	if !slices.Equal(continued(t, own), continued(t, given)) {
		t.Error("the same gates, other logits")
	}
	drawn := openSubnet(t, mminfer.WithShape("4x0.75"), mminfer.WithGateSeed(3))
	if slices.Equal(continued(t, own), continued(t, drawn)) {
		t.Error("noise in the gates changes nothing")
	}
	listed := openSubnet(t, mminfer.WithShape("4x0.75"), mminfer.WithLayers([]int{0, 2, 4, 5}))
	if !slices.Equal(continued(t, own), continued(t, listed)) {
		t.Error("the layers of the strategy by their numbers, other logits")
	}
	quantised := openSubnet(t, mminfer.WithShape("4x0.75"), mminfer.WithFormat(tensor.FormatQ8))
	if own.Info().Parameters >= quantised.Info().Parameters {
		t.Error("corrections of quantised weights are not kept apart")
	}
}

// What cannot be opened leaves nothing behind.
func TestSubnetRefuses(t *testing.T) {
	if _, err := os.Stat(amoeba); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	before := runtime.NumGoroutine()
	for want, opts := range map[string][]mminfer.Option{
		"expected DEPTHxWIDTH":       {mminfer.WithShape("six")},
		"(there is no strategy)":     {mminfer.WithShape("5x1")},
		"no such file":               {mminfer.WithStrategy("nowhere")},
		"found no adapter_config":    {mminfer.WithAdapter("demo")},
		"there is no adapter with":   {mminfer.WithGates([]float32{1})},
		"found no strategy":          {mminfer.WithStrategy("demo")},
		"the nearest shape is 6x0.7": {mminfer.WithStrategy(amoeba), mminfer.WithShape("6x0.7")},
	} {
		if e, err := mminfer.Open(amoeba+"/base", opts...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
			if err == nil {
				e.Close()
			}
		}
	}
	e, err := mminfer.Open(amoeba + "/base")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Reshape("6x1"); err == nil || !strings.Contains(err.Error(), "was not opened as a subnet") {
		t.Errorf("reshape of a whole model: %v", err)
	}
	if e.Shapes() != nil || e.Info().Shape != "" {
		t.Errorf("a whole model has shapes %v", e.Shapes())
	}
	if n := runtime.NumGoroutine(); n > before+runtime.GOMAXPROCS(0) {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}
