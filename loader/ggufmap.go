package loader

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ggufArchitectures maps a general.architecture to the function that lays it out as transformers
// does: names, shapes and values of tensors, and config.json.
//
// Source: ggml-org/llama.cpp@0c1e570, the classes of conversion/*.py, which do the reverse.
var ggufArchitectures = map[string]func(m *ggufMap){
	"falcon-h1":     (*ggufMap).falconH1,
	"granite":       (*ggufMap).granite,
	"granitehybrid": (*ggufMap).graniteHybrid,
	"jamba":         (*ggufMap).jamba,
	"lfm2":          (*ggufMap).lfm2,
	"llama":         (*ggufMap).llama,
	"mamba":         (*ggufMap).mamba,
	"mamba2":        (*ggufMap).mamba2,
	"qwen2":         (*ggufMap).qwen2,
	"qwen3":         (*ggufMap).qwen3,
	"qwen35":        (*ggufMap).qwen35,
	"qwen3next":     (*ggufMap).qwen3next,
	"rwkv7":         (*ggufMap).rwkv7,
}

// ggufMap lays out the contents of a GGUF file as the checkpoint that transformers has of the same
// model. It notes which keys and tensors it understood, and the first thing that it did not.
type ggufMap struct {
	file   contents
	arch   string
	read   map[string]bool // keys
	used   map[string]bool // tensors
	config map[string]any
	out    contents
	err    error

	layers, width, vocab int
	ahead                int // layers behind the model's own, which predict further tokens
}

// asTransformers makes the GGUF file that the checkpoint holds a checkpoint of the layout of
// transformers.
func (c *Checkpoint) asTransformers() error {
	m := &ggufMap{
		file: contents{tensors: c.tensors, names: c.names, gguf: c.gguf},
		read: map[string]bool{}, used: map[string]bool{}, config: map[string]any{},
		out: contents{names: map[string]int{}, derived: map[string]func() []byte{}},
	}
	config, err := m.run()
	if err != nil {
		return fmt.Errorf("%s: %w", c.gguf.path, err)
	}
	c.config = config
	c.tensors, c.names, c.derived = m.out.tensors, m.out.names, m.out.derived
	return nil
}

// run lays out the file and returns the configuration.
func (m *ggufMap) run() ([]byte, error) {
	arch, err := m.file.gguf.String("general.architecture")
	if err != nil {
		return nil, fmt.Errorf("key general.architecture is missing or no string: it names the architecture")
	}
	if kind, err := m.file.gguf.String("general.type"); err == nil && kind != "model" {
		return nil, fmt.Errorf("key general.type: found %s, expected a model", quote(kind))
	}
	build, ok := ggufArchitectures[arch]
	if !ok {
		known := slices.Sorted(maps.Keys(ggufArchitectures))
		return nil, fmt.Errorf("key general.architecture: found %s, expected one of %s", quote(arch), strings.Join(known, ", "))
	}
	m.arch = arch
	m.sizes()
	m.specialTokens()
	if m.err == nil {
		build(m)
	}
	m.checkTensors()
	m.checkKeys()
	if m.err != nil {
		return nil, m.err
	}
	return json.Marshal(m.config)
}

// sizes reads what every architecture has. That each layer has a tensor bounds the loops over
// layers.
func (m *ggufMap) sizes() {
	m.ahead = m.intOr("nextn_predict_layers", 0)
	m.layers = m.int("block_count") - m.ahead
	m.width = m.int("embedding_length")
	if m.err == nil && (m.layers < 1 || m.layers > len(m.file.tensors)) {
		m.fail("key %s: found %d layers, expected 1 to the number of tensors, %d", quote(m.key("block_count")), m.layers, len(m.file.tensors))
	}
	if t, ok := m.take("token_embd.weight"); ok && len(t.Shape) == 2 {
		m.vocab = t.Shape[0]
	}
	m.config["num_hidden_layers"] = m.layers
	m.config["hidden_size"] = m.width
	m.config["vocab_size"] = m.vocab
	if n := m.intOr("context_length", 0); n > 0 {
		m.config["max_position_embeddings"] = n
	}
}

// specialTokens reads the tokens that begin and end a text.
func (m *ggufMap) specialTokens() {
	var ends []int64
	for _, name := range []string{"eos", "eot", "eom"} {
		if id, err := m.file.gguf.Int("tokenizer.ggml." + name + "_token_id"); err == nil && !slices.Contains(ends, id) {
			ends = append(ends, id)
		}
	}
	if ends != nil {
		m.config["eos_token_id"] = ends
	}
	if id, err := m.file.gguf.Int("tokenizer.ggml.bos_token_id"); err == nil {
		m.config["bos_token_id"] = id
	}
}

// fail records what is not understood; only the first such thing is kept.
func (m *ggufMap) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// checkTensors refuses tensors that were not used.
func (m *ggufMap) checkTensors() {
	for _, t := range m.file.tensors {
		if m.err == nil && !m.used[t.Name] && !m.predictsAhead(t.Name) {
			m.fail("tensor %s: not known in architecture %s", quote(t.Name), m.arch)
		}
	}
}

// predictsAhead reports whether a tensor belongs to the layers behind the model's own.
func (m *ggufMap) predictsAhead(name string) bool {
	var layer int
	n, _ := fmt.Sscanf(name, "blk.%d.", &layer)
	return n == 1 && layer >= m.layers && layer < m.layers+m.ahead
}

// ggufIgnored are keys of an architecture that change no result: limits, sizes that the tensors
// have too, positions of pictures, training.
var ggufIgnored = []string{
	"context_length", "vocab_size", "rope.dimension_sections", "rope.scaling.finetuned", "tensor_data_layout", "block_count",
	"full_attention_interval", "attention.recurrent_layers", "expert_feed_forward_length", "expert_shared_feed_forward_length",
	"expert_used_count", "feed_forward_length", "attention.head_count", "attention.head_count_kv", "interleave_moe_layer_step",
	"attention.value_length", "rope.freq_base", "attention.layer_norm_epsilon",
}

// checkKeys refuses keys of the architecture that were not read, unless their value says that
// something is not there.
func (m *ggufMap) checkKeys() {
	for _, key := range m.file.gguf.keys {
		name, ok := strings.CutPrefix(key, m.arch+".")
		if !ok || m.read[name] || slices.Contains(ggufIgnored, name) {
			continue
		}
		v := m.file.gguf.values[key]
		if causal := name == "attention.causal"; causal && v.data[0] == 1 || !causal && v.zero() {
			continue
		}
		m.fail("key %s: found %v, not known in architecture %s: it may change results", quote(key), v, m.arch)
	}
}

// zero reports whether a value is 0, false or empty, or consists of such values.
func (v ggufValue) zero() bool {
	for b := range v.elements() {
		if slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) {
			return false
		}
	}
	return true
}
