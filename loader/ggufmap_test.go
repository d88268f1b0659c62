package loader

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// smallModel is a LLaMA of one layer of width 8, 2 heads of 4 and one of keys, whose numbers count
// up in each tensor.
func smallModel() contents {
	c := contents{names: map[string]int{}, gguf: &GGUF{path: "memory", values: map[string]ggufValue{}}}
	setKey(&c, "general.architecture", ggufString, ggufText("llama"))
	for key, v := range map[string]uint32{
		"block_count": 1, "embedding_length": 8, "feed_forward_length": 6, "attention.head_count": 2, "attention.head_count_kv": 1,
		"context_length": 16,
	} {
		setKey(&c, "llama."+key, ggufUint32, u32(v))
	}
	setKey(&c, "llama.attention.layer_norm_rms_epsilon", ggufFloat32, u32(math.Float32bits(1e-5)))
	for _, t := range []struct {
		name  string
		shape []int
	}{
		{"token_embd.weight", []int{3, 8}}, {"output_norm.weight", []int{8}}, {"blk.0.attn_norm.weight", []int{8}},
		{"blk.0.ffn_norm.weight", []int{8}}, {"blk.0.attn_q.weight", []int{8, 8}}, {"blk.0.attn_k.weight", []int{4, 8}},
		{"blk.0.attn_v.weight", []int{4, 8}}, {"blk.0.attn_output.weight", []int{8, 8}}, {"blk.0.ffn_gate.weight", []int{6, 8}},
		{"blk.0.ffn_up.weight", []int{6, 8}}, {"blk.0.ffn_down.weight", []int{8, 6}},
	} {
		setTensor(&c, t.name, tensor.F32, t.shape...)
	}
	return c
}

func setKey(c *contents, key string, kind ggufKind, data string) {
	if _, ok := c.gguf.values[key]; !ok {
		c.gguf.keys = append(c.gguf.keys, key)
	}
	c.gguf.values[key] = ggufValue{kind: kind, n: 1, data: []byte(data)}
}

func setList(c *contents, key string, values ...uint32) {
	var data string
	for _, v := range values {
		data += u32(v)
	}
	setKey(c, key, ggufUint32, data)
	c.gguf.values[key] = ggufValue{kind: ggufUint32, array: true, n: len(values), data: []byte(data)}
}

func setTensor(c *contents, name string, typ tensor.Type, shape ...int) {
	t := tensor.Tensor{Name: name, Type: typ, Shape: shape}
	size, _ := dataSize(t)
	t.Data = make([]byte, size)
	for i := 0; typ == tensor.F32 && i < t.Elements(); i++ {
		binary.LittleEndian.PutUint32(t.Data[4*i:], math.Float32bits(float32(i)))
	}
	if i, ok := c.names[name]; ok {
		c.tensors[i] = t
		return
	}
	c.names[name] = len(c.tensors)
	c.tensors = append(c.tensors, t)
}

func dropTensor(c *contents, name string) {
	c.tensors = slices.DeleteFunc(c.tensors, func(t tensor.Tensor) bool { return t.Name == name })
	c.names, _ = indexNames(c.tensors)
}

// mapped lays out a file.
func mapped(c contents) (*Checkpoint, error) {
	ck := &Checkpoint{tensors: c.tensors, names: c.names, gguf: c.gguf, alone: true}
	return ck, ck.asTransformers()
}

func TestGGUFModel(t *testing.T) {
	c := smallModel()
	setKey(&c, "tokenizer.ggml.eos_token_id", ggufUint32, u32(2))
	setKey(&c, "tokenizer.ggml.eot_token_id", ggufUint32, u32(1))
	setTensor(&c, "rope_freqs.weight", tensor.F32, 2)
	copy(c.tensors[len(c.tensors)-1].Data, u32(math.Float32bits(1.1)))
	ck, err := mapped(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ck.File("config.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file of the directory: found error %v", err)
	}
	var config struct {
		Type    string  `json:"model_type"`
		Vocab   int     `json:"vocab_size"`
		KV      int     `json:"num_key_value_heads"`
		Eps     float64 `json:"rms_norm_eps"`
		Tied    bool    `json:"tie_word_embeddings"`
		EOS     []int   `json:"eos_token_id"`
		Scaling struct {
			Long []float64 `json:"long_factor"`
		} `json:"rope_scaling"`
	}
	if err := json.Unmarshal(ck.Config(), &config); err != nil {
		t.Fatal(err)
	}
	if config.Type != "llama" || config.Vocab != 3 || config.KV != 1 || config.Eps != 1e-5 || !config.Tied ||
		!slices.Equal(config.EOS, []int{2, 1}) || !slices.Equal(config.Scaling.Long, []float64{1.1, 1}) {
		t.Errorf("found %s", ck.Config())
	}
	q, ok := ck.Tensor("model.layers.0.self_attn.q_proj.weight")
	if !ok || !slices.Equal(q.Shape, []int{8, 8}) {
		t.Fatalf("found %v", q)
	}
	for row, from := range []float32{0, 2, 1, 3, 4, 6, 5, 7} { // pairs of neighbours become halves
		var v [8]float32
		q.Floats(v[:], 8*row)
		if v[0] != 8*from || v[7] != 8*from+7 {
			t.Errorf("row %d: found %v, want row %v of the file", row, v, from)
		}
	}
	if n := int64(4 * (3*8 + 3*8 + 2*64 + 2*32 + 3*48)); ck.Bytes() != n {
		t.Errorf("found %d bytes, want %d", ck.Bytes(), n)
	}
}

// TestGGUFModelRefused changes one thing of a model, which must then be refused by name.
func TestGGUFModelRefused(t *testing.T) {
	for name, change := range map[string]func(c *contents){
		`key general.architecture: found "gemma7", expected one of`: func(c *contents) {
			setKey(c, "general.architecture", ggufString, ggufText("gemma7"))
		},
		"key general.architecture is missing": func(c *contents) { setKey(c, "general.architecture", ggufUint32, u32(1)) },
		`key general.type: found "adapter"`:   func(c *contents) { setKey(c, "general.type", ggufString, ggufText("adapter")) },
		`key "llama.block_count": found 12 layers, expected 1 to the number of tensors, 11`: func(c *contents) {
			setKey(c, "llama.block_count", ggufUint32, u32(12))
		},
		`key "llama.block_count": found 0 layers`: func(c *contents) { setKey(c, "llama.block_count", ggufUint32, u32(0)) },
		`key "llama.block_count": found 4294967295, expected 0 to 2147483647`: func(c *contents) {
			setKey(c, "llama.block_count", ggufUint32, u32(math.MaxUint32))
		},
		`tensor "blk.1.attn_norm.weight": missing`: func(c *contents) { setKey(c, "llama.block_count", ggufUint32, u32(2)) },
		`tensor "blk.0.ffn_up.weight": missing`:    func(c *contents) { dropTensor(c, "blk.0.ffn_up.weight") },
		`tensor "blk.0.attn_sinks.weight": not known in architecture llama`: func(c *contents) {
			setTensor(c, "blk.0.attn_sinks.weight", tensor.F32, 2)
		},
		`tensor "blk.0.attn_q.weight": found [7 8], expected 8 rows`: func(c *contents) {
			setTensor(c, "blk.0.attn_q.weight", tensor.F32, 7, 8)
		},
		`tensor "blk.0.attn_v.weight": found I32, expected floating-point numbers`: func(c *contents) {
			setTensor(c, "blk.0.attn_v.weight", tensor.I32, 4, 8)
		},
		"tensor rope_freqs.weight: found [3], expected a factor for each pair of 4": func(c *contents) {
			setTensor(c, "rope_freqs.weight", tensor.F32, 3)
		},
		"tensor rope_freqs.weight: found 0, expected positive numbers": func(c *contents) {
			setTensor(c, "rope_freqs.weight", tensor.F32, 2)
		},
		`key "llama.expert_count": found uint32, not known in architecture llama: it may change results`: func(c *contents) {
			setKey(c, "llama.expert_count", ggufUint32, u32(8))
		},
		`key "llama.attention.causal": found bool, not known`: func(c *contents) {
			setKey(c, "llama.attention.causal", ggufBool, "\x00")
		},
		`key "llama.attention.sliding_window": found uint32, not known`: func(c *contents) {
			setKey(c, "llama.attention.sliding_window", ggufUint32, u32(64))
		},
		`key "llama.attention.value_length": found 8, expected that of the keys, 4`: func(c *contents) {
			setKey(c, "llama.attention.value_length", ggufUint32, u32(8))
		},
		`key "llama.attention.layer_norm_rms_epsilon": found NaN, expected a finite number`: func(c *contents) {
			setKey(c, "llama.attention.layer_norm_rms_epsilon", ggufFloat32, u32(0x7fc00000))
		},
		`key "llama.rope.scaling.type": found "longrope", expected none, linear or yarn`: func(c *contents) {
			setKey(c, "llama.rope.scaling.type", ggufString, ggufText("longrope"))
		},
		`key "llama.rope.dimension_count": found 2, expected the width of a head, 4`: func(c *contents) {
			setKey(c, "llama.rope.dimension_count", ggufUint32, u32(2))
		},
		`key "llama.attention.head_count": found string, expected integers`: func(c *contents) {
			setKey(c, "llama.attention.head_count", ggufString, ggufText("2"))
		},
		`key "llama.attention.head_count": found 2 and 4, expected the same in every layer`: func(c *contents) {
			setList(c, "llama.attention.head_count", 2, 4)
		},
	} {
		c := smallModel()
		change(&c)
		if _, err := mapped(c); err == nil || !strings.Contains(err.Error(), name) || !strings.HasPrefix(err.Error(), "memory: ") {
			t.Errorf("found error %v, want %q", err, name)
		}
	}
}

// TestGGUFModelAccepted changes what changes no result.
func TestGGUFModelAccepted(t *testing.T) {
	for name, change := range map[string]func(c *contents){
		"no experts":        func(c *contents) { setKey(c, "llama.expert_count", ggufUint32, u32(0)) },
		"causal":            func(c *contents) { setKey(c, "llama.attention.causal", ggufBool, "\x01") },
		"another's key":     func(c *contents) { setKey(c, "quantize.imatrix.chunks_count", ggufUint32, u32(9)) },
		"heads by layers":   func(c *contents) { setList(c, "llama.attention.head_count_kv", 1, 1) },
		"a head of its own": func(c *contents) { setTensor(c, "output.weight", tensor.F32, 3, 8) },
	} {
		c := smallModel()
		change(&c)
		if _, err := mapped(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGGUFModelOpen(t *testing.T) {
	c := smallModel()
	data := ggufEncode(3, c)
	for _, ts := range c.tensors {
		data = append(data, make([]byte, -len(data)&31)...)
		data = append(data, ts.Data...)
	}
	alone := files{"m.gguf": string(data)}.write(t)
	for _, place := range []string{alone, filepath.Join(alone, "m.gguf")} {
		ck, err := Open(place)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := ck.Tensor("model.norm.weight"); !ok || ck.Config() == nil || ck.GGUF() == nil {
			t.Errorf("%s: found %q, %s", place, ck.Names(), ck.Config())
		}
		ck.Close()
		if ck, err = OpenFiles(place); err != nil {
			t.Fatal(err)
		}
		if _, err := ck.File("m.gguf"); ck.GGUF() == nil || ck.Config() != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s for its files: metadata %v, config %s, a file beside: %v", place, ck.GGUF() != nil, ck.Config(), err)
		}
		ck.Close()
		if ck, err = OpenFS(os.DirFS(filepath.Dir(place)), filepath.Base(place)); err != nil {
			t.Fatal(err)
		}
		ck.Close()
	}
	for want, dir := range map[string]files{
		"found several GGUF files":       {"a.gguf": string(data), "b.gguf": string(data)},
		"found a file that is no GGUF":   {"a.gguf": "JUNK"},
		"general.architecture: found \"": {"a.gguf": strings.Replace(string(data), ggufText("llama"), ggufText("lamas"), 1)},
		"open that file by its name":     {"a.gguf": string(data), "config.json": "{}"},
	} {
		if _, err := Open(dir.write(t)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("found error %v, want %q", err, want)
		}
	}
}

// TestFraction checks that the part of a size comes back.
func TestFraction(t *testing.T) {
	for n := 1; n < 700; n++ {
		for part := range 3 * n {
			if got := int(float64(n) * fraction(part, n)); got != part {
				t.Fatalf("%d of %d: found %d", part, n, got)
			}
		}
	}
}
