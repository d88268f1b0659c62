package loader

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// packedFiles are a model directory with one packed tensor: 16 rows of 32 columns in q4, 320 bytes.
func packedFiles(t testing.TB, config string) files {
	t.Helper()
	var b bytes.Buffer
	err := WriteAligned(&b, []tensor.Tensor{{Name: "w", Type: tensor.U8, Shape: []int{320}}, {Name: "v", Type: tensor.F32, Shape: []int{1}}}, nil,
		func(w io.Writer, x tensor.Tensor) error {
			_, err := w.Write(make([]byte, x.Elements()*x.Type.Size()))
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return files{"config.json": config, "model.safetensors": b.String()}
}

func TestPacking(t *testing.T) {
	config, err := AddPacking([]byte(`{"model_type":"mom","big":12345678901234567890}`), Packing{
		Format:  "q4",
		Tensors: map[string]PackedWeights{"w": {[]int{16, 32}, []PackedRun{{"q4", 16}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := Open(packedFiles(t, string(config)).write(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, _ := c.Tensor("w")
	if w.Type != tensor.Packed || len(w.Data) != 320 || c.Format() != tensor.FormatQ4 || c.Bytes() != 324 {
		t.Errorf("found %v of %d bytes, %d in all, format %v", w, len(w.Data), c.Bytes(), c.Format())
	}
	if string(c.Config()) != `{"big":12345678901234567890,"model_type":"mom"}` {
		t.Errorf("the configuration is %s", c.Config())
	}
	if _, err := AddPacking(config, Packing{}); err == nil {
		t.Error("a second quantization_config was accepted")
	}
}

// malformedPackings are values of quantization_config and what the one error about each says.
var malformedPackings = [][2]string{
	{`{"quant_method":"mminfer"}`, "version: found 0"},
	{`{"quant_method":"mminfer","version":2,"format":"q4"}`, "version: found 2"},
	{`{"quant_method":"mminfer","version":1}`, `format: found ""`},
	{`{"quant_method":"mminfer","version":1,"format":"q3"}`, `format: found "q3"`},
	{`{"quant_method":"mminfer","version":1,"format":"q4","more":1}`, `unknown field "more"`},
	{`{"quant_method":"mminfer","version":"1","format":"q4"}`, "cannot unmarshal"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"x":{}}}`, `tensor "x": found none`},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"v":{}}}`, `tensor "v": found F32`},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{}}}`, "shape: found []"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[1,1,1,1,1,1,1,16,32]}}}`, "9 dimensions"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,32],"rows":[{"format":"q4","n":15}]}}}`, "1 rows more"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,32],"rows":[{"format":"auto","n":16}]}}}`, "rows: found 16 in auto"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,32],"rows":[{"format":"zz","n":16}]}}}`, `format: found "zz"`},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,33],"rows":[{"format":"q4","n":16}]}}}`, "data: found 320 bytes"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,-32],"rows":[{"format":"q4","n":16}]}}}`, "shape: found [16 -32]"},
	{`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[1e99,32]}}}`, "cannot unmarshal"},
}

func TestPackingMalformed(t *testing.T) {
	for _, c := range malformedPackings {
		_, err := Open(packedFiles(t, fmt.Sprintf(`{"quantization_config":%s}`, c[0])).write(t))
		if err == nil || !strings.Contains(err.Error(), c[1]) || !strings.Contains(err.Error(), "config.json: quantization_config") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", c[0], err, c[1])
		}
	}
	// Another program's is the model's to judge; so is what is no object.
	for _, other := range []string{`{"quant_method":"gptq"}`, `7`, `null`, `{"quant_method":["mminfer"]}`} {
		config := fmt.Sprintf(`{"quantization_config":%s}`, other)
		c, err := Open(packedFiles(t, config).write(t))
		if err != nil {
			t.Fatalf("%s: %v", other, err)
		}
		if string(c.Config()) != config {
			t.Errorf("%s became %s", config, c.Config())
		}
		c.Close()
	}
}

// FuzzPacking decodes every tensor of what is accepted.
func FuzzPacking(f *testing.F) {
	for _, c := range malformedPackings {
		f.Add([]byte(c[0]))
	}
	f.Add([]byte(`{"quant_method":"mminfer","version":1,"format":"q4","tensors":{"w":{"shape":[16,32],"rows":[{"format":"q4","n":16}]}}}`))
	data := make([]byte, 320)
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		c := &Checkpoint{config: fmt.Appendf(nil, `{"quantization_config":%s}`, text), names: map[string]int{"w": 0},
			tensors: []tensor.Tensor{{Name: "w", Type: tensor.U8, Shape: []int{320}, Data: data}}}
		if c.unpack() != nil || c.tensors[0].Type != tensor.Packed {
			return
		}
		c.tensors[0].Floats(make([]float32, c.tensors[0].Elements()), 0)
	})
}

// TestTokenizerGGUF writes the metadata of a GGUF file, and reads it back beside packed weights.
func TestTokenizerGGUF(t *testing.T) {
	paths, err := filepath.Glob("testdata/gguf/*.gguf")
	if err != nil || len(paths) == 0 {
		t.Skip("no GGUF files here")
	}
	g, err := OpenFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var b bytes.Buffer
	if err := g.GGUF().Write(&b); err != nil {
		t.Fatal(err)
	}
	fs := packedFiles(t, `{"quantization_config":{"quant_method":"mminfer","version":1,"format":"auto"}}`)
	fs[TokenizerGGUF] = b.String()
	dir := fs.write(t)
	for name, open := range map[string]func(string, ...Option) (*Checkpoint, error){"Open": Open, "OpenFiles": OpenFiles} {
		c, err := open(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, want := c.GGUF(), g.GGUF()
		if got == nil || len(got.Keys()) != len(want.Keys()) {
			t.Fatalf("%s: the metadata was not read", name)
		}
		for _, k := range want.Keys() {
			if got.Type(k) != want.Type(k) || string(got.values[k].data) != string(want.values[k].data) {
				t.Errorf("%s: key %s differs", name, k)
			}
		}
		c.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, TokenizerGGUF), b.Bytes()[:b.Len()-1], 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), TokenizerGGUF) {
		t.Errorf("a cut file: %v", err)
	}
}
