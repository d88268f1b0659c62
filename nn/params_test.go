package nn

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// source is a checkpoint in a map.
type source map[string]tensor.Tensor

func (s source) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := s[name]
	return t, ok
}

func (s source) Names() []string { return slices.Sorted(maps.Keys(s)) }

// add adds a float32 tensor.
func (s source) add(name string, values []float32, shape ...int) {
	t := tensor.Tensor{Name: name, Type: tensor.F32, Shape: shape}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
	s[name] = t
}

func TestParamsTellsEverything(t *testing.T) {
	src := source{}
	src.add("a.weight", make([]float32, 6), 2, 3)
	src.add("a.bias", make([]float32, 2), 2)
	src.add("b.weight", make([]float32, 4), 4)
	src.add("extra.1", make([]float32, 1), 1)
	src.add("extra.2", nil, 0)
	src.add("old", make([]float32, 1), 1)
	src.add("a.D", make([]float32, 1), 1)
	src["quantised"] = tensor.Tensor{Name: "quantised", Type: tensor.I8, Shape: []int{2}, Data: make([]byte, 2)}

	p := Bind(src, tensor.FormatAuto)
	a := p.Sub("a")
	p.Linear(a.Tensor("weight", 2, 4))
	if v := a.Vec("gone", 7); v != nil {
		t.Errorf("a missing vector has values %v", v)
	}
	if got := p.Sub("b").Tensor("weight", 4); got.Data == nil {
		t.Error("a tensor that is right was not returned")
	}
	if got := p.Tensor("nope", 1, 2); got.Data != nil || !slices.Equal(got.Shape, []int{1, 2}) {
		t.Errorf("a missing tensor came back as %v", got)
	}
	p.Tensor("quantised", 2)
	a.Drop("D", "never there")
	p.Drop("old")
	a.Fail("%d heads", 3)

	err := p.Err()
	if err == nil {
		t.Fatal("no error")
	}
	want := strings.Join([]string{
		"a.weight: shape [2 3], want [2 4]",
		"a.gone: missing, want [7]",
		"nope: missing, want [1 2]",
		"quantised: type I8, want floating-point numbers; quantised checkpoints of other programs are not supported",
		"a: 3 heads",
		"a.bias: not part of this architecture",
		"extra.1: not part of this architecture",
		"extra.2: not part of this architecture",
	}, "\n")
	if err.Error() != want {
		t.Errorf("found\n%v\nwant\n%s", err, want)
	}
}

func TestParamsManyErrors(t *testing.T) {
	src := source{}
	for i := range most + 30 {
		src.add(fmt.Sprintf("unused.%03d", i), nil, 0)
	}
	p := Bind(src, tensor.FormatAuto)
	if p.TooMany() {
		t.Error("too many errors before the first")
	}
	if lines := strings.Split(p.Err().Error(), "\n"); len(lines) != most+1 || lines[most] != "and 30 more unused tensors" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
	for i := range most {
		p.Tensor(fmt.Sprint("missing.", i), 1)
	}
	if p.TooMany() {
		t.Errorf("%d errors are too many", most)
	}
	for range 9 {
		p.Tensor("missing", 1)
	}
	if lines := strings.Split(p.Err().Error(), "\n"); !p.TooMany() || len(lines) != most+1 || lines[most] != "and 9 more" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestParamsLooks(t *testing.T) {
	src := source{}
	src.add("a.b.weight", make([]float32, 15), 5, 3)
	src.add("a.scalar", make([]float32, 1))
	a := Bind(src, tensor.FormatAuto).Sub("a")
	if !a.Sub("b").Has("weight") || a.Has("weight") || a.Has("b") {
		t.Error("Has is wrong")
	}
	if n := a.Rows("b.weight"); n != 5 {
		t.Errorf("Rows = %d, want 5", n)
	}
	if a.Rows("scalar") != 0 || a.Rows("gone") != 0 {
		t.Error("Rows of a scalar or of nothing is not 0")
	}
	if err := a.Err(); err == nil || strings.Count(err.Error(), "not part") != 2 {
		t.Errorf("looking took a tensor: %v", err)
	}
	if n := a.Elements(); n != 0 {
		t.Errorf("%d elements taken, want 0", n)
	}
	if v := a.Vec("scalar"); len(v) != 1 {
		t.Errorf("a scalar has values %v", v)
	}
	a.Tensor("b.weight", 5, 3)
	if err := a.Err(); err != nil {
		t.Error(err)
	}
	if n := a.Elements(); n != 16 {
		t.Errorf("%d elements taken, want 16", n)
	}
}

// typed returns a tensor of the given type whose elements are all 1/3 as near as the type has it.
func typed(name string, typ tensor.Type, rows, cols int) tensor.Tensor {
	t := tensor.Tensor{Name: name, Type: typ, Shape: []int{rows, cols}}
	for range rows * cols {
		switch typ {
		case tensor.F32:
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(1./3))
		case tensor.BF16:
			t.Data = binary.LittleEndian.AppendUint16(t.Data, 0x3eab)
		case tensor.F16:
			t.Data = binary.LittleEndian.AppendUint16(t.Data, 0x3555)
		}
	}
	return t
}

func TestParamsFormats(t *testing.T) {
	f32, bf16, f16 := typed("f32", tensor.F32, 3, 32), typed("bf16", tensor.BF16, 3, 32), typed("f16", tensor.F16, 3, 32)
	for _, c := range []struct {
		format        tensor.Format
		parts         []tensor.Tensor
		linear, exact tensor.Format
	}{
		{tensor.FormatAuto, []tensor.Tensor{f32}, tensor.FormatF32, tensor.FormatF32},
		{tensor.FormatAuto, []tensor.Tensor{bf16, bf16}, tensor.FormatBF16, tensor.FormatBF16},
		{tensor.FormatAuto, []tensor.Tensor{f16}, tensor.FormatF16, tensor.FormatF16},
		{tensor.FormatAuto, []tensor.Tensor{bf16, f32}, tensor.FormatBF16, tensor.FormatBF16},
		{tensor.FormatAuto, []tensor.Tensor{f16, bf16}, tensor.FormatF16, tensor.FormatF16},
		{tensor.FormatQ8, []tensor.Tensor{bf16}, tensor.FormatQ8, tensor.FormatBF16},
		{tensor.FormatBF16, []tensor.Tensor{f32}, tensor.FormatBF16, tensor.FormatF32},
		{tensor.FormatF16, []tensor.Tensor{bf16, f32}, tensor.FormatF16, tensor.FormatBF16},
		{tensor.FormatQ4, []tensor.Tensor{f32}, tensor.FormatQ4, tensor.FormatF32},
	} {
		src := source{"f32": f32, "bf16": bf16, "f16": f16}
		p := Bind(src, c.format)
		linear, exact := p.Linear(c.parts...), p.Exact(c.parts...)
		var arena tensor.Arena
		var done, total int64
		p.Load(&arena, nil, func(d, n int64) { done, total = d, n })
		if linear.W.Format != c.linear || exact.W.Format != c.exact {
			t.Errorf("%v of %v: packed as %v and exactly as %v, want %v and %v", c.format, c.parts, linear.W.Format, exact.W.Format, c.linear, c.exact)
		}
		if done != total || total == 0 {
			t.Errorf("progress ended at %d of %d", done, total)
		}
		if c.format != tensor.FormatAuto {
			linear = exact
		}
		got, want := make([]float32, 32), make([]float32, 32)
		for i, part := range c.parts {
			for _, l := range []*Linear{linear, exact} {
				l.W.Row(got, 3*i)
				part.Floats(want, 0)
				same(t, fmt.Sprintf("%v in %v of %v", part, c.format, c.parts), got, want)
			}
		}
	}
}

// releasing is a source that is told what to let go of.
type releasing struct {
	source
	released []string
}

func (r *releasing) Release(t tensor.Tensor) { r.released = append(r.released, t.Name) }

// Load lets go of what it packed, and of nothing that it has views of.
func TestLoadReleases(t *testing.T) {
	src := &releasing{source: source{}}
	src.add("a", make([]float32, 6), 2, 3)
	src.add("b", make([]float32, 3), 1, 3)
	src.add("filters", make([]float32, 9), 1, 1, 3, 3)
	packed, err := tensor.PackedTensor("packed", []int{16, 3}, []tensor.PackedRows{{Format: tensor.FormatF32, Rows: 16}}, make([]byte, tensor.PackedSize(tensor.FormatF32, 16, 3)))
	if err != nil {
		t.Fatal(err)
	}
	src.source["packed"] = packed
	p := Bind(src, tensor.FormatAuto)
	p.Linear(p.Tensor("a", 2, 3), p.Tensor("b", 1, 3))
	p.Conv(p.Tensor("filters", 1, 1, 3, 3), false)
	p.Linear(p.Tensor("packed", 16, 3))
	if len(src.released) > 0 {
		t.Errorf("released before Load: %v", src.released)
	}
	var arena tensor.Arena
	defer arena.Free()
	p.Load(&arena, nil, nil)
	if want := []string{"a", "b", "filters"}; !slices.Equal(src.released, want) {
		t.Errorf("released %v, want %v", src.released, want)
	}
}
