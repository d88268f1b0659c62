package models_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// goldenState says which layer's state want.safetensors holds and how far the reference's own
// float32 strays from its float64, from states.json.
type goldenState struct {
	Layer        int
	Float32Error map[string]struct{ State, Block float64 } `json:"float32_error"`
}

func goldenStates(t *testing.T) (states map[string]goldenState) {
	t.Helper()
	data, err := os.ReadFile("testdata/golden/states.json")
	if err == nil {
		err = json.Unmarshal(data, &states)
	}
	if err != nil {
		t.Fatal(err)
	}
	return states
}

// wanted is the file of reference values.
type wanted struct{ *loader.Checkpoint }

func openWanted(t *testing.T, dir string) wanted {
	t.Helper()
	w, err := loader.OpenFile(filepath.Join(dir, "want.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return wanted{w}
}

func (w wanted) floats(t *testing.T, name string) []float32 {
	t.Helper()
	x, ok := w.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v := make([]float32, x.Elements())
	x.Floats(v, 0)
	return v
}

// bound is the goldens' rule: eight times the error that the reference makes in float32, at least
// 2^-18 of the largest value.
func bound(float32Error float64, want []float32) float64 {
	var top float64
	for _, v := range want {
		top = max(top, math.Abs(float64(v)))
	}
	return max(8*float32Error, 0x1p-18*top)
}

func within(t *testing.T, what string, got, want []float32, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-float64(want[i])) <= bound) {
			t.Fatalf("%s: [%d] = %v, want %v ± %.2g", what, i, got[i], want[i], bound)
		}
	}
}

// TestGoldenState compares the state after each prompt, and every layer's choice of memories.
func TestGoldenState(t *testing.T) {
	goldens(t, func(t *testing.T, dir string) {
		name, _ := filepath.Rel("testdata/golden", dir)
		facts, ok := goldenStates(t)[filepath.ToSlash(name)]
		if !ok {
			if strings.HasPrefix(name, "mom") {
				t.Fatal("states.json does not know it")
			}
			return // its continuations after each prompt tell
		}
		suite, err := golden.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer suite.Close()
		want, m, ws := openWanted(t, dir), open(t, dir, models.Options{}), new(tensor.Workspace)
		for _, c := range suite.Cases {
			e := facts.Float32Error[c.Name]
			s := m.NewState()
			var inputs [][]float32 // of every layer: the residual stream before it
			b := models.Batch{Seqs: []models.Seq{{IDs: c.IDs, State: s}}, Observe: func(stage string, _ int, x tensor.Mat) {
				if stage != "norm" {
					var flat []float32
					for i := range x.Rows {
						flat = append(flat, x.Row(i)...)
					}
					inputs = append(inputs, flat)
				}
			}}
			if err := m.Forward(&b, ws); err != nil {
				t.Fatal(err)
			}
			block, number := m.Mixer(facts.Layer)
			compareState(t, want, c.Name, block.Mixer.(*nn.MoM), s.Share(number).Floats, e.State)
			for l := range m.Layers() {
				if block, _ := m.Mixer(l); block.Mixer.StateSpec().Floats > 0 {
					compareRoutes(t, want, fmt.Sprintf("%s.%%s.%d", c.Name, l), block, tensor.Mat{Rows: len(c.IDs), Cols: m.Width, Stride: m.Width, Data: inputs[l]}, e.Block)
				}
			}
		}
	})
}

// part is a piece of a head's state: a matrix of rows, of which those of tails lie inside the
// convolutions' channels in the reference, which have the heads side by side.
type part struct {
	of         string
	rows, cols int
	tail       bool
}

// parts lists the pieces of a head's state, and how many query heads share a key head.
func parts(r nn.Recurrence) (list []part, heads, group int) {
	switch r := r.(type) {
	case *nn.GatedDelta:
		hist := r.Conv[0].Taps - 1
		return []part{{"S", r.KeyDim, r.ValueDim, false}, {"cq", hist, r.KeyDim, true}, {"ck", hist, r.KeyDim, true}, {"cv", hist, r.ValueDim, true}}, r.Heads, 1
	case *nn.GLA:
		return []part{{"S", r.KeyDim, r.ValueDim, false}}, r.Heads, r.Heads / r.KVHeads
	case *nn.GSA:
		return []part{{"Hk", r.KeyDim, r.Slots, false}, {"Hv", r.Slots, r.ValueDim, false}}, r.Heads, r.Heads / r.KVHeads
	case *nn.LinearAttn:
		features := r.KeyDim
		if r.Key.Kind == nn.MapHedgehog {
			features *= 2
		} else if r.Key.Kind == nn.MapDPFP {
			features *= 8
		}
		return []part{{"S", features, r.ValueDim, false}}, r.Heads, r.Heads / r.KVHeads
	}
	return nil, 0, 0
}

// compareState takes a layer's state apart. Query heads that share keys and values each have the
// state that the reference has once.
func compareState(t *testing.T, want wanted, name string, m *nn.MoM, got []float32, float32Error float64) {
	t.Helper()
	streams := m.Memories
	if m.Shared {
		streams++
	}
	list, heads, group := parts(m.Rec)
	size := len(got) / streams / heads
	normalised := false
	if r, ok := m.Rec.(*nn.LinearAttn); ok {
		normalised = r.Normalise
	}
	at := 0
	for _, p := range list {
		var flat []float32
		width := p.cols
		if normalised {
			width++
		}
		row := func(memory, head, i int) {
			x := got[(memory*heads+head)*size+at+i*width:]
			flat = append(flat, x[:p.cols]...)
		}
		for memory := range streams {
			if p.tail {
				for i := range p.rows {
					for h := range heads {
						row(memory, h, i)
					}
				}
				continue
			}
			for h := 0; h < heads; h += group {
				for i := range p.rows {
					row(memory, h, i)
				}
			}
		}
		at += p.rows * width
		w := want.floats(t, name+".state."+p.of)
		within(t, name+".state."+p.of, flat, w, bound(float32Error, w))
	}
}

// compareRoutes routes a layer's input. A softmax over some logits moves by at most half of what
// the logits move.
func compareRoutes(t *testing.T, want wanted, name string, block nn.Block, x tensor.Mat, float32Error float64) {
	t.Helper()
	m, ws := block.Mixer.(*nn.MoM), new(tensor.Workspace)
	u := x
	if block.Norm.Weight != nil {
		u = tensor.NewMat(x.Rows, x.Cols)
		block.Norm.Apply(u, x, ws)
	}
	logits := m.Router.Out(u, ws)
	var flat []float32
	for i := range logits.Rows {
		flat = append(flat, logits.Row(i)...)
	}
	router := want.floats(t, fmt.Sprintf(name, "router"))
	limit := bound(float32Error, router)
	within(t, fmt.Sprintf(name, "router"), flat, router, limit)
	index, weight := make([]int32, x.Rows*m.TopK), make([]float32, x.Rows*m.TopK)
	route.TopK(index, weight, logits.Data, x.Rows, m.Memories, logits.Stride, m.TopK)
	within(t, fmt.Sprintf(name, "weight"), weight, want.floats(t, fmt.Sprintf(name, "weight")), limit/2)
	for i, memory := range want.floats(t, fmt.Sprintf(name, "sel")) {
		if float32(index[i]) != memory {
			t.Fatalf("%s: choice %d of token %d is %d, want %v", fmt.Sprintf(name, "sel"), i%m.TopK, i/m.TopK, index[i], memory)
		}
	}
}
