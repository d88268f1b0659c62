package loader

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// TestWriteGolden writes the reference library's file anew, to the same bytes.
func TestWriteGolden(t *testing.T) {
	want := readTestdata(t, "model.safetensors")
	c, err := parseBytes(want)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := Write(&got, c.tensors, c.metadata); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("wrote %d bytes unlike the %d read: %.300q", got.Len(), len(want), got.Bytes())
	}
}

func TestWrite(t *testing.T) {
	tensors := []tensor.Tensor{
		{Name: "z", Type: tensor.F32, Shape: []int{2, 1}, Data: []byte("12345678")},
		{Name: "a \"\\\n<é\U0001f600", Type: tensor.U8, Data: []byte("x")},
		{Name: "", Type: tensor.F8E4M3, Shape: []int{3, 0}},
		{Name: "b", Type: tensor.I64, Shape: []int{1}, Data: []byte("87654321")},
	}
	metadata := map[string]string{"b": "1", "a": "\"\x00é"}
	var first, second bytes.Buffer
	if err := Write(&first, tensors, metadata); err != nil {
		t.Fatal(err)
	}
	if n := first.Len() - 17; n%8 != 0 {
		t.Errorf("data begin at byte %d", n)
	}
	c, err := parseBytes(first.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	compareWithJSON(t, first.Bytes(), c.tensors)
	for i, want := range tensors {
		if got := c.tensors[i]; got.Name != want.Name || got.String() != want.String() && len(want.Shape) > 0 || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("wrote %v %q, read %v %q", want, want.Data, got, got.Data)
		}
	}
	if c.metadata["a"] != metadata["a"] || c.metadata["b"] != "1" || len(c.metadata) != 2 {
		t.Errorf("metadata %q", c.metadata)
	}
	// On demand and in pieces, from tensors without data.
	var shapes []tensor.Tensor
	for _, ts := range tensors {
		ts.Data = nil
		shapes = append(shapes, ts)
	}
	i := 0
	err = WriteFunc(&second, shapes, metadata, func(w io.Writer, ts tensor.Tensor) error {
		for _, b := range tensors[i].Data {
			if _, err := w.Write([]byte{b}); err != nil {
				return err
			}
		}
		i++
		return nil
	})
	if err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("WriteFunc: %v, %d bytes", err, second.Len())
	}
	var empty bytes.Buffer
	if err := Write(&empty, nil, nil); err != nil || empty.String() != st("{}      ", 0) {
		t.Errorf("no tensors: %v, %q", err, empty.String())
	}
}

func TestWriteRefuses(t *testing.T) {
	u8 := func(name string, shape ...int) tensor.Tensor {
		return tensor.Tensor{Name: name, Type: tensor.U8, Shape: shape, Data: []byte("x")}
	}
	for _, test := range []struct {
		name     string
		tensors  []tensor.Tensor
		metadata map[string]string
		want     string
	}{
		{"name twice", []tensor.Tensor{u8("a"), u8("b"), u8("a")}, nil, `tensor "a": name: found twice`},
		{"reserved name", []tensor.Tensor{u8("__metadata__")}, nil, "reserved name"},
		{"broken UTF-8", []tensor.Tensor{u8("\xff")}, nil, "broken UTF-8"},
		{"broken UTF-8 in metadata", nil, map[string]string{"a": "\xff"}, "broken UTF-8"},
		{"long name", []tensor.Tensor{u8(strings.Repeat("n", 513))}, nil, "at most 512"},
		{"rank 9", []tensor.Tensor{u8("a", 1, 1, 1, 1, 1, 1, 1, 1, 1)}, nil, "more than 8 dimensions"},
		{"negative dimension", []tensor.Tensor{u8("a", -1, -1)}, nil, `tensor "a": shape`},
		{"overflow", []tensor.Tensor{u8("a", math.MaxInt, 3)}, nil, "overflows"},
		{"type", []tensor.Tensor{{Name: "a", Type: tensor.Invalid}}, nil, `tensor "a": dtype`},
		{"too little data", []tensor.Tensor{u8("a", 2)}, nil, `tensor "a": found 1 bytes of data, expected 2 for U8 [2]`},
		{"too much data", []tensor.Tensor{u8("a", 0)}, nil, `tensor "a": found 1 bytes of data, expected 0`},
	} {
		var buf bytes.Buffer
		err := Write(&buf, test.tensors, test.metadata)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "loader: write: ") {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if buf.Len() > 0 {
			t.Errorf("%s: wrote %d bytes all the same", test.name, buf.Len())
		}
	}
	short := func(w io.Writer, _ tensor.Tensor) error { _, err := w.Write([]byte("x")); return err }
	if err := WriteFunc(io.Discard, []tensor.Tensor{u8("a", 2)}, nil, short); err == nil || !strings.Contains(err.Error(), "found 1 bytes of data, expected 2") {
		t.Errorf("WriteFunc with too little data: %v", err)
	}
	fault := errors.New("disk full")
	if err := WriteFunc(io.Discard, []tensor.Tensor{u8("a")}, nil, func(io.Writer, tensor.Tensor) error { return fault }); !errors.Is(err, fault) {
		t.Errorf("failing data: %v", err)
	}
	r, w := io.Pipe()
	r.CloseWithError(fault)
	if err := Write(w, []tensor.Tensor{u8("a")}, nil); !errors.Is(err, fault) {
		t.Errorf("failing writer: %v", err)
	}
}

// TestWriteLarge writes 5 GB on demand and reads the header back: sizes pass 32 bits.
func TestWriteLarge(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("needs 64 bits")
	}
	ts := []tensor.Tensor{
		{Name: "a", Type: tensor.BF16, Shape: []int{1 << 16, 1 << 15}},
		{Name: "b", Type: tensor.F32, Shape: []int{1 << 28}},
	}
	w := &headWriter{}
	block := make([]byte, 1<<24)
	err := WriteFunc(w, ts, nil, func(w io.Writer, t tensor.Tensor) error {
		for n := t.Elements() * t.Type.Size(); n > 0; n -= len(block) {
			if _, err := w.Write(block); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || !strings.Contains(string(w.head), `"data_offsets":[4294967296,5368709120]`) {
		t.Errorf("%v, header %q", err, w.head)
	}
	if want := int64(len(w.head)) + 5<<30; w.n != want {
		t.Errorf("wrote %d bytes, want %d", w.n, want)
	}
}

// headWriter keeps the first write and counts the rest.
type headWriter struct {
	head []byte
	n    int64
}

func (w *headWriter) Write(b []byte) (int, error) {
	if w.head == nil {
		w.head = bytes.Clone(b)
	}
	w.n += int64(len(b))
	return len(b), nil
}
