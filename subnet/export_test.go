package subnet_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// logits computes those of a text.
func logits(t *testing.T, ck models.Checkpoint, format tensor.Format) []float32 {
	t.Helper()
	m, err := models.New(ck, models.Options{Format: format})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := models.Batch{Seqs: []models.Seq{{IDs: []int32{3, 1, 4, 1, 5, 9, 2, 6}, State: m.NewState(), Want: models.WantAll}}}
	if err := m.Forward(&b, new(tensor.Workspace)); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Logits.Data)
}

// export writes a subnet and opens it.
func export(t *testing.T, s *subnet.Subnet, opts subnet.ExportOptions) *loader.Checkpoint {
	t.Helper()
	e, err := s.Export(opts)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := e.Write(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), e.Config, 0o666); err != nil {
		t.Fatal(err)
	}
	ck, err := loader.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	if ck.Bytes() != e.Bytes {
		t.Errorf("found %d bytes, %d were announced", ck.Bytes(), e.Bytes)
	}
	return ck
}

// What is written computes what was cut from the base when it was loaded, bit for bit, in either form:
// layers without heads, biases, merged corrections included.
func TestExport(t *testing.T) {
	for _, name := range []string{"amoeba_tiny", "amoeba_select"} {
		_, family := openSuite(t, name)
		for _, shape := range []subnet.Shape{{Depth: family.Layers, Width: 1}, {Depth: family.Layers - 2, Width: 0.75}, {Depth: family.Layers - 1, Width: 0.625}} {
			s, err := family.Cut(shape, subnet.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, uniform := range []bool{false, true} {
				t.Run(name+"_"+shape.String()+map[bool]string{true: "_uniform"}[uniform], func(t *testing.T) {
					want := logits(t, s, tensor.FormatAuto)
					ck := export(t, s, subnet.ExportOptions{Uniform: uniform})
					if got := logits(t, ck, tensor.FormatAuto); !slices.Equal(got, want) {
						t.Errorf("found other logits than of the shape cut when loading:\n%v\n%v", got[:4], want[:4])
					}
					if uniform == strings.Contains(string(ck.Config()), "_list") {
						t.Error("only a model with layers of their own sizes lists them")
					}
				})
			}
		}
	}
}

// A choice of layers alone is an ordinary model, without biases.
func TestExportDepth(t *testing.T) {
	_, base := openSuite(t, "amoeba_select")
	family, err := subnet.New(base.Base, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := family.Cut(subnet.Shape{Width: 1}, subnet.Options{Depth: []int{0, 2, 5}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := logits(t, export(t, s, subnet.ExportOptions{Uniform: true}), tensor.FormatAuto), logits(t, s, tensor.FormatAuto); !slices.Equal(got, want) {
		t.Error("found other logits than of the layers cut when loading")
	}
	ck := export(t, s, subnet.ExportOptions{Uniform: true, Type: tensor.BF16})
	for _, name := range ck.Names() {
		x, _ := ck.Tensor(name)
		if strings.HasSuffix(name, ".bias") || len(x.Shape) == 2 && x.Type != tensor.BF16 {
			t.Errorf("found %v", x)
		}
		base, _ := s.Data(name, nil)
		got, want := make([]float32, x.Elements()), make([]float32, x.Elements())
		x.Floats(got, 0)
		base.Floats(want, 0)
		for i := range want {
			if len(x.Shape) == 2 {
				want[i] = math.Float32frombits(uint32(tensor.BFloat16(want[i])) << 16)
			}
			if got[i] != want[i] {
				t.Fatalf("%s: element %d is %v, want %v", name, i, got[i], want[i])
			}
		}
	}
}

func TestExportRefuses(t *testing.T) {
	_, family := openSuite(t, "amoeba_tiny")
	s, err := family.Cut(family.Whole(), subnet.Options{Factored: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Export(subnet.ExportOptions{}); err == nil || !strings.Contains(err.Error(), "kept apart") {
		t.Errorf("found %v, want that corrections are kept apart", err)
	}
	if s, err = family.Cut(family.Whole(), subnet.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Export(subnet.ExportOptions{Type: tensor.I8}); err == nil || !strings.Contains(err.Error(), "found type I8") {
		t.Errorf("found %v, want that a type is refused", err)
	}
}
