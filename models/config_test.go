package models_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// checkpoint is a checkpoint in memory.
type checkpoint struct {
	config  []byte
	tensors map[string]tensor.Tensor
}

func (c checkpoint) Config() []byte { return c.config }

func (c checkpoint) Names() []string { return slices.Sorted(maps.Keys(c.tensors)) }

func (c checkpoint) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := c.tensors[name]
	return t, ok
}

// load reads a golden's checkpoint.
func load(t testing.TB, dir string) checkpoint {
	t.Helper()
	need(t)
	ck, err := loader.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ck.Close() })
	c := checkpoint{ck.Config(), map[string]tensor.Tensor{}}
	for _, n := range ck.Names() {
		c.tensors[n], _ = ck.Tensor(n)
	}
	return c
}

// set returns the checkpoint with the configuration's keys set to JSON values; an empty value
// takes a key away. Python's bare words are replaced as a loader does.
func (c checkpoint) set(t testing.TB, keys map[string]string) checkpoint {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(c.config, &object); err != nil {
		t.Fatal(err)
	}
	var fields []string
	for k, v := range object {
		if _, ok := keys[k]; !ok {
			fields = append(fields, fmt.Sprintf("%q: %s", k, v))
		}
	}
	for k, v := range keys {
		if v != "" {
			fields = append(fields, fmt.Sprintf("%q: %s", k, v))
		}
	}
	c.config = loader.StandardJSON([]byte("{" + strings.Join(fields, ",\n") + "}"))
	return c
}

// failure builds a model that must be refused, quickly and with little memory, and returns the
// error's text.
func failure(t *testing.T, name string, c checkpoint) string {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	m, err := models.New(c, models.Options{})
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	if err == nil {
		m.Close()
		t.Errorf("%s: accepted", name)
		return ""
	}
	if took > time.Second {
		t.Errorf("%s: refused after %v", name, took)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 32<<20+uint64(16*len(c.config)) {
		t.Errorf("%s: %d bytes allocated", name, n)
	}
	return err.Error()
}

// TestConfigRefused changes one key of a good configuration (with one layer of attention).
func TestConfigRefused(t *testing.T) {
	good := load(t, hybrid)
	attn := func(s string) string { return `[{"layers": [1], "num_heads": 4, ` + s + `}]` }
	for _, c := range []struct{ key, value, want string }{
		{"hidden_size", `"32"`, "hidden_size: found string, expected a whole number"},
		{"hidden_size", `32.5`, "hidden_size: found number 32.5, expected a whole number"},
		{"hidden_size", `null`, "hidden_size: found null, expected a whole number"},
		{"hidden_size", `[32]`, "hidden_size: found array, expected a whole number"},
		{"hidden_size", `0`, "hidden_size: found 0, expected 1 to 131072"},
		{"hidden_size", `-32`, "hidden_size: found -32, expected 1 to"},
		{"hidden_size", `9223372036854775807`, "hidden_size: found 9223372036854775807, expected 1 to"},
		{"hidden_size", `1e400`, "hidden_size: found number 1e400, expected a whole number"},
		{"num_hidden_layers", `0`, "num_hidden_layers: found 0, expected 1 to 1024"},
		{"num_hidden_layers", `2000000000`, "num_hidden_layers: found 2000000000, expected 1 to 1024"},
		{"vocab_size", `-1`, "vocab_size: found -1, expected 1 to 4194304"},
		{"num_heads", `0`, "num_heads: found 0, expected 1 to 4096"},
		{"num_heads", `true`, "num_heads: found bool, expected a whole number"},
		{"head_dim", `0`, "head_dim: found 0, expected 1 to"},
		{"num_memories", `0`, "num_memories: found 0, expected 1 to 4096"},
		{"topk", `0`, "topk: found 0, expected 1 to 4"},
		{"topk", `5`, "topk: found 5, expected 1 to 4"},
		{"conv_size", `0`, "conv_size: found 0, expected 1 to 256"},
		{"conv_size", `257`, "conv_size: found 257, expected 1 to 256"},
		{"expand_v", `1.55`, "expand_v: head_dim · expand_v is 15.5, expected a whole number"},
		{"expand_v", `1e-9`, "expand_v: head_dim · expand_v is 1e-08, expected a whole number"},
		{"expand_v", `-1`, "expand_v: found -1, expected a positive number"},
		{"expand_v", `1e29`, "expand_v: head_dim · expand_v is 9.999999999999999e+29, expected a whole number up to"},
		{"expand_v", `NaN`, "expand_v: found null, expected a number"},
		{"expand_v", `Infinity`, "expand_v: found 1.7976931348623157e+308, expected a positive number"},
		{"norm_eps", `NaN`, "norm_eps: found null, expected a number"},
		{"norm_eps", `-Infinity`, "norm_eps: found -1.7976931348623157e+308, expected a positive number"},
		{"norm_eps", `0`, "norm_eps: found 0, expected a positive number"},
		{"hidden_ratio", `0`, "hidden_ratio: found 0, expected a positive number"},
		{"intermediate_size", `0`, "intermediate_size: found 0, expected 1 to"},
		{"intermediate_size", `1e9`, "intermediate_size: found number 1e9, expected a whole number"},
		{"hidden_act", `"gelu"`, `hidden_act: found "gelu", expected swish or silu`},
		{"use_short_conv", `false`, "use_short_conv: found false"},
		{"use_short_conv", `0`, "use_short_conv: found number, expected true or false"},
		{"capacity", `0.5`, "capacity: found 0.5; below 1"},
		{"capacity", `NaN`, "capacity: found null, expected a number"},
		{"mom_backend", `"gla"`, `mom_backend: found "gla", expected gated_deltanet`},
		{"attnres_block_size", `4`, "attnres_block_size: found 4, expected null"},
		{"shared_mem", `"yes"`, "shared_mem: found string, expected true or false"},

		{"attn", `"full"`, "attn: found string, expected a list"},
		{"attn", `[1]`, "attn: found number, expected an object"},
		{"attn", `[null]`, "attn.num_heads: found 0, expected 1 to 4096"},
		{"attn", `{"layers": "all", "num_heads": 4}`, "attn.layers: found string, expected a list"},
		{"attn", `{"layers": [1]}`, "attn.num_heads: found 0, expected 1 to 4096"},
		{"attn", `{"layers": [5], "num_heads": 4}`, "attn.layers: found 5, expected 0 to 4"},
		{"attn", `{"layers": [-1], "num_heads": 4}`, "attn.layers: found -1, expected 0 to 4"},
		{"attn", `[{"layers": [1], "num_heads": 4}, {"layers": [3, 1], "num_heads": 2}]`, "attn.layers: layer 1 is listed twice"},
		{"attn", `{"layers": [1], "num_heads": 3}`, "attn.num_heads: 3 heads of a width of 32, expected heads of an even width"},
		{"attn", `{"layers": [1], "num_heads": 32}`, "attn.num_heads: 32 heads of a width of 32, expected heads of an even width"},
		{"attn", attn(`"num_kv_heads": 3`), "attn.num_kv_heads: 3 does not divide the 4 heads"},
		{"attn", attn(`"num_kv_heads": 0`), "attn.num_kv_heads: found 0, expected 1 to 4096"},
		{"attn", attn(`"window_size": 0`), "attn.window_size: found 0, expected null or at least 1"},
		{"attn", attn(`"window_size": -16`), "attn.window_size: found -16, expected null or at least 1"},
		{"attn", attn(`"qkv_bias": true`), "attn.qkv_bias: found true"},
		{"attn", attn(`"rope_theta": 500000`), "attn.rope_theta: found 500000"},
		{"attn", attn(`"rope_theta": null`), "attn.rope_theta: found null, expected a number"},
		{"attn", attn(`"num_kv_heads": "2"`), "attn.num_kv_heads: found string, expected a whole number"},
		{"attn", `{"layers": [` + strings.Repeat("7,", 200_000) + `7], "num_heads": 4}`, "attn.layers: found 7, expected 0 to 4"},

		{"model_type", ``, `model_type is missing; supported are `},
		{"model_type", `null`, "model_type: found null, expected a string"},
		{"model_type", `"mamba9"`, `model_type "mamba9" is not supported; supported are `},
		{"model_type", `7`, "model_type: found number, expected a string"},
		{"nested", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "config.json: "},
		{"half", `{`, "config.json: "},

		// Legal on their own, but not what the tensors are.
		{"num_memories", `3`, "model.layers.0.attn.gate.weight: shape [4 32], want [3 32]"},
		{"single_kv_proj", `true`, "model.layers.0.attn.k_proj.0.weight: not part of this architecture"},
		{"norm_first", `true`, "model.layers.0.mlp.norm.weight: missing"},
		{"num_hidden_layers", `1024`, "and "},
		{"num_memories", `4096`, "and "},
	} {
		name := c.key + ": " + c.value[:min(len(c.value), 80)]
		text := failure(t, name, good.set(t, map[string]string{c.key: c.value}))
		if text != "" && (!strings.HasPrefix(text, "models: ") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: found %.300q, want %q", name, text, c.want)
		}
		if len(text) > 40_000 {
			t.Errorf("%s: the error has %d bytes", name, len(text))
		}
	}
}

func TestConfigMissing(t *testing.T) {
	c := load(t, small)
	for config, want := range map[string]string{
		"":     "models: config.json: unexpected end",
		"[]":   "models: config.json: found array, expected an object",
		"null": "model_type is missing",
		"{}":   "model_type is missing",
	} {
		c.config = []byte(config)
		if text := failure(t, config, c); !strings.Contains(text, want) {
			t.Errorf("%q: found %q, want %q", config, text, want)
		}
	}
	c.config = nil
	if text := failure(t, "none", c); !strings.Contains(text, "config.json is missing") {
		t.Errorf("none: found %q", text)
	}
}

// TestConfigLargest claims the largest of everything and holds almost nothing.
func TestConfigLargest(t *testing.T) {
	c := load(t, small).set(t, map[string]string{
		"num_hidden_layers": "1024", "num_memories": "4096", "topk": "4096", "num_heads": "4096", "head_dim": "131072",
		"vocab_size": "4194304", "hidden_size": "131072", "intermediate_size": "2097152", "conv_size": "256",
	})
	wide := load(t, small).set(t, map[string]string{"hidden_ratio": "1e29", "intermediate_size": "null"})
	if text := failure(t, "hidden_ratio", wide); !strings.Contains(text, "intermediate_size: found") {
		t.Errorf("found %.300q", text)
	}
	if text := failure(t, "largest", c); !strings.Contains(text, "want [4194304 131072]") {
		t.Errorf("found %.300q", text)
	}
}

// TestConfigAccepted sets keys to values that change nothing.
func TestConfigAccepted(t *testing.T) {
	good := load(t, hybrid)
	for _, keys := range []map[string]string{
		{"hidden_act": `"silu"`},
		{"hidden_ratio": `4.0`}, // the inner width is given
		{"capacity": `1.25`},
		{"attnres_block_size": `null`},
		{"mom_backend": ``},
		{"pad_token_id": `null`, "torch_dtype": `"float32"`, "unknown": `{"a": [NaN]}`},
		{"num_memories": ``, "topk": ``, "conv_size": ``}, // the defaults of the type
	} {
		m, err := models.New(good.set(t, keys), models.Options{})
		if err != nil {
			t.Errorf("%v: %v", keys, err)
			continue
		}
		m.Close()
	}
}

// TestTensorsRefused finds missing, misshapen and unused tensors in one error.
func TestTensorsRefused(t *testing.T) {
	c := load(t, hybrid)
	delete(c.tensors, "model.layers.0.attn.dt_bias")
	delete(c.tensors, "model.layers.3.attn.k_proj.weight")
	c.tensors["model.layers.5.attn.dt_bias"] = tensor.Tensor{Type: tensor.F32, Shape: []int{2}, Data: make([]byte, 8)}
	embed := c.tensors["model.embeddings.weight"]
	embed.Shape = []int{embed.Shape[1], embed.Shape[0]}
	c.tensors["model.embeddings.weight"] = embed
	text := failure(t, "tensors", c)
	for _, want := range []string{
		"models: mom: tensors: ",
		"model.layers.0.attn.dt_bias: missing, want [2]",
		"model.layers.3.attn.k_proj.weight: missing, want [32 32]",
		"model.layers.5.attn.dt_bias: not part of this architecture",
		"model.embeddings.weight: shape [32 89], want [89 32]",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("found %q, want %q", text, want)
		}
	}
	if n := strings.Count(text, "\n"); n != 3 {
		t.Errorf("%d lines, want 4: %s", n+1, text)
	}
}

// TestHead takes the head of an untied model away, and that of a tied one.
func TestHead(t *testing.T) {
	untied := load(t, hybrid)
	delete(untied.tensors, "lm_head.weight")
	if text := failure(t, "untied", untied); !strings.Contains(text, "lm_head.weight: missing, want [89 32]") {
		t.Errorf("found %q", text)
	}
	tied := load(t, filepath.FromSlash("testdata/golden/mom_gated_deltanet"))
	logits := func(c checkpoint) []float32 {
		m, err := models.New(c, models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return advance(t, m, m.NewState(), 1, 2, 3)
	}
	with := logits(tied)
	head := tied.tensors["lm_head.weight"]
	delete(tied.tensors, "lm_head.weight")
	sameFloats(t, "without the copy of the embedding", logits(tied), with)
	zero := head
	zero.Data = make([]byte, len(head.Data))
	tied.tensors["lm_head.weight"] = zero
	sameFloats(t, "a stored head wins", logits(tied), make([]float32, len(with)))
}

// TestFingerprint: whatever changes a result changes the fingerprint, and a lossless format does
// not.
func TestFingerprint(t *testing.T) {
	c := load(t, filepath.FromSlash("testdata/golden/mom_gated_deltanet")) // BF16
	of := func(c checkpoint, f tensor.Format, pool *tensor.Pool) [32]byte {
		m, err := models.New(c, models.Options{Format: f, Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		return m.Fingerprint()
	}
	pool := tensor.NewPool(3)
	defer pool.Close()
	first := of(c, tensor.FormatAuto, nil)
	for name, f := range map[string]tensor.Format{"f32": tensor.FormatF32, "bf16": tensor.FormatBF16} {
		if of(c, f, pool) != first {
			t.Errorf("%s differs though it keeps every weight", name)
		}
	}
	seen := map[[32]byte]string{first: "the original"}
	differs := func(what string, c checkpoint, f tensor.Format) {
		got := of(c, f, nil)
		if was, ok := seen[got]; ok {
			t.Errorf("%s has the fingerprint of %s", what, was)
		}
		seen[got] = what
	}
	differs("q8", c, tensor.FormatQ8)
	differs("f16", c, tensor.FormatF16)
	differs("another configuration", c.set(t, map[string]string{"norm_eps": "1e-5"}), tensor.FormatAuto)
	for _, name := range []string{"model.norm.weight", "model.layers.2.mlp.down_proj.weight", "model.embeddings.weight"} {
		old := c.tensors[name]
		changed := old
		changed.Data = slices.Clone(old.Data)
		changed.Data[len(old.Data)-2] ^= 1
		c.tensors[name] = changed
		differs("another "+name, c, tensor.FormatAuto)
		c.tensors[name] = old
	}
}

// TestRegistry: every type has a golden, by its directory or that of a variant.
func TestRegistry(t *testing.T) {
	need(t)
	found := map[string]bool{}
	goldens(t, func(t *testing.T, dir string) {
		data, err := os.ReadFile(filepath.Join(dir, "config.json"))
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Type string `json:"model_type"`
		}
		if err := json.Unmarshal(loader.StandardJSON(data), &c); err != nil {
			t.Fatal(err)
		}
		found[c.Type] = true
	})
	for _, kind := range models.Types() {
		if !found[kind] {
			t.Errorf("%s has no golden", kind)
		}
	}
}

// TestBindOnly describes a checkpoint without packing it.
func TestBindOnly(t *testing.T) {
	m, err := models.New(load(t, hybrid), models.Options{BindOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	full := open(t, hybrid, models.Options{})
	if m.Params != full.Params || m.Layers() != 5 || m.StateFloats() != full.StateFloats() || m.Vocab != 89 || m.Width != 32 || m.Type != "mom" {
		t.Errorf("%+v differs from %+v", m, full)
	}
	if m.WeightBytes() >= full.WeightBytes() {
		t.Errorf("%d bytes of weights without packing, %d with", m.WeightBytes(), full.WeightBytes())
	}
}

// TestProgress: the bytes packed grow to all of them.
func TestProgress(t *testing.T) {
	var last, total int64
	calls := 0
	open(t, hybrid, models.Options{Progress: func(done, all int64) {
		if done <= last || total != 0 && all != total {
			t.Errorf("%d of %d after %d of %d", done, all, last, total)
		}
		last, total, calls = done, all, calls+1
	}})
	if calls < 10 || last != total {
		t.Errorf("%d calls, the last at %d of %d", calls, last, total)
	}
}
