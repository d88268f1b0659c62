package models_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// packedCheckpoint is a checkpoint of packed weights.
type packedCheckpoint struct {
	checkpoint
	format tensor.Format
}

func (p packedCheckpoint) Format() tensor.Format { return p.format }

// packedAs packs the weights of a golden, and tells how many there are.
func packedAs(t *testing.T, dir string, format tensor.Format) (packedCheckpoint, int) {
	t.Helper()
	ck := load(t, dir)
	plan, err := models.Packing(ck, format)
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range plan {
		x := ck.tensors[name]
		var b bytes.Buffer
		if err := tensor.WritePacked(&b, nil, x, rows, nil); err != nil {
			t.Fatal(err)
		}
		if ck.tensors[name], err = tensor.PackedTensor(name, x.Shape, rows, b.Bytes()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return packedCheckpoint{ck, format}, len(plan)
}

// TestPacked: packed weights give the bits of weights that are packed at load, in every
// architecture.
func TestPacked(t *testing.T) {
	goldens(t, func(t *testing.T, dir string) {
		for _, format := range []tensor.Format{tensor.FormatQ4, tensor.FormatAuto} {
			ck, n := packedAs(t, dir, format)
			if n == 0 {
				t.Fatal("nothing was packed")
			}
			m, err := models.New(ck, models.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			want := open(t, dir, models.Options{Format: format})
			sameBits(t, golden.Options{}, runs(t, dir, m, nil, golden.Options{}), runs(t, dir, want, nil, golden.Options{}))
		}
	})
}

func TestPackedFormats(t *testing.T) {
	ck, _ := packedAs(t, small, tensor.FormatQ4)
	for _, f := range []tensor.Format{tensor.FormatAuto, tensor.FormatQ4, tensor.FormatF32, tensor.FormatBF16} {
		if _, err := models.New(ck, models.Options{Format: f}); err != nil {
			t.Errorf("%v: %v", f, err)
		}
	}
	if _, err := models.New(ck, models.Options{Format: tensor.FormatQ8}); err == nil || !strings.Contains(err.Error(), "packed in q4") {
		t.Errorf("q4 weights as q8: %v", err)
	}
}
