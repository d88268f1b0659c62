package nn

import (
	"slices"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

func TestPacking(t *testing.T) {
	src := source{}
	for name, rows := range map[string]int{"whole": 40, "cut": 100, "twice": 32, "part": 50, "over": 64, "copied": 9, "unused": 16} {
		src.add(name, make([]float32, rows*8), rows, 8)
	}
	p := Bind(src, tensor.FormatQ4)
	p.Linear(p.Tensor("whole", 40, 8))
	cut := p.Tensor("cut", 100, 8)
	p.Linear(cut.Rows(0, 32), cut.Rows(48, 60), cut.Rows(60, 100))
	p.Exact(cut.Rows(32, 48))
	p.Linear(p.Tensor("twice", 32, 8))
	p.High().Linear(p.Tensor("twice", 32, 8))
	p.Linear(p.Tensor("part", 50, 8).Rows(16, 40))
	over := p.Tensor("over", 64, 8)
	p.Linear(over.Rows(0, 40))
	p.Linear(over.Rows(30, 64))
	c := p.Tensor("copied", 9, 8)
	p.Linear(tensor.Tensor{Name: c.Name, Type: c.Type, Shape: c.Shape, Data: c.Data})

	q4, q8, f32 := tensor.FormatQ4, tensor.FormatQ8, tensor.FormatF32
	want := map[string][]tensor.PackedRows{
		"whole": {{Format: q4, Rows: 40}},
		"cut":   {{Format: q4, Rows: 32}, {Format: f32, Rows: 16}, {Format: q4, Rows: 12}, {Format: q4, Rows: 40}},
		"twice": {{Format: q8, Rows: 32}},
		"part":  {{Format: q4, Rows: 40}, {Format: q4, Rows: 10}},
	}
	got := p.Packing()
	for name, rows := range want {
		if !slices.Equal(got[name], rows) {
			t.Errorf("%s: %v, want %v", name, got[name], rows)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
