package loader

import (
	"encoding/json"
	"fmt"
	"math"
)

// attention are the sizes of an architecture's attention.
type ggufAttention struct {
	heads, kvHeads, dim int
	interleaved         bool // rows of queries and keys are ordered for rotating neighbours
}

// attention reads the sizes of the attention and puts them into the configuration. kvHeads is given
// where the layers differ, 0 otherwise.
func (m *ggufMap) attention(interleaved bool, kvHeads int) ggufAttention {
	a := ggufAttention{heads: m.int("attention.head_count"), kvHeads: kvHeads, interleaved: interleaved}
	if kvHeads == 0 {
		a.kvHeads = m.intOr("attention.head_count_kv", a.heads)
	}
	a.dim = m.intOr("attention.key_length", m.width/max(a.heads, 1))
	if v := m.intOr("attention.value_length", a.dim); v != a.dim {
		m.fail("key %s: found %d, expected that of the keys, %d", quote(m.key("attention.value_length")), v, a.dim)
	}
	m.config["num_attention_heads"] = a.heads
	m.config["num_key_value_heads"] = a.kvHeads
	m.config["head_dim"] = a.dim
	return a
}

// decoder reads what decoders of the usual names share: all but what is in the layers. The final
// norm goes from one name to another.
func (m *ggufMap) decoder(kind, norm, from string) {
	m.config["model_type"] = kind
	m.config["intermediate_size"] = m.intOr("feed_forward_length", 0)
	m.needNumber("rms_norm_eps", "attention.layer_norm_rms_epsilon")
	m.shell("model.embed_tokens.weight", norm, from)
}

// shell moves embedding, final norm and head.
func (m *ggufMap) shell(embed, norm, from string) {
	m.move(embed, "token_embd.weight")
	m.move(norm, from+".weight")
	m.config["tie_word_embeddings"] = !m.maybe("lm_head.weight", "output.weight")
}

// rope reads the rotary embedding of heads of the given width.
func (m *ggufMap) rope(a ggufAttention) {
	if theta, ok := m.number("rope.freq_base"); ok {
		m.config["rope_theta"] = decimal(theta)
	} else {
		m.config["rope_theta"] = 10000
	}
	dims := m.intOr("rope.dimension_count", a.dim)
	switch {
	case a.interleaved && dims != a.dim:
		m.fail("key %s: found %d, expected the width of a head, %d", quote(m.key("rope.dimension_count")), dims, a.dim)
	case dims != a.dim:
		m.config["partial_rotary_factor"] = fraction(dims, a.dim)
	}
	scaling := m.ropeScaling()
	if m.exists("rope_freqs.weight") {
		if scaling != nil {
			m.fail("tensor rope_freqs.weight: found beside key %s, expected one of the two", quote(m.key("rope.scaling.type")))
		}
		scaling = m.ropeFactors(dims)
	}
	if scaling != nil {
		m.config["rope_scaling"] = scaling
	}
}

// ropeScaling reads the keys of a scaling, nil for none.
func (m *ggufMap) ropeScaling() map[string]any {
	kind := m.text("rope.scaling.type")
	factor, _ := m.number("rope.scaling.factor")
	if old, ok := m.number("rope.scale_linear"); ok && kind == "" && factor == 0 {
		factor = old
	}
	if kind == "" && factor != 0 {
		kind = "linear"
	}
	original := m.intOr("rope.scaling.original_context_length", 0)
	switch kind {
	case "", "none":
		return nil
	case "linear":
		return map[string]any{"rope_type": "linear", "factor": decimal(factor)}
	case "yarn":
		return m.yarn(factor, original)
	}
	m.fail("key %s: found %s, expected none, linear or yarn", quote(m.key("rope.scaling.type")), quote(kind))
	return nil
}

// yarn reads what scales as in YaRN.
func (m *ggufMap) yarn(factor float64, original int) map[string]any {
	scaling := map[string]any{"rope_type": "yarn", "factor": decimal(factor)}
	if original > 0 {
		scaling["original_max_position_embeddings"] = original
	}
	for name, to := range map[string]string{"yarn_beta_fast": "beta_fast", "yarn_beta_slow": "beta_slow", "yarn_attn_factor": "attention_factor"} {
		if v, ok := m.number("rope.scaling." + name); ok {
			scaling[to] = decimal(v)
		}
	}
	if v, ok := m.number("rope.scaling.attn_factor"); ok && v != 1 {
		scaling["attention_factor"] = decimal(float64(float32(v * (1 + 0.1*math.Log(factor)))))
	}
	if v, ok := m.number("rope.scaling.yarn_ext_factor"); ok && v != 1 {
		m.fail("key %s: found %v, expected 1", quote(m.key("rope.scaling.yarn_ext_factor")), v)
	}
	return scaling
}

// ropeFactors reads the tensor of what each frequency is divided by, which the converter writes for
// the scaling of LLaMA 3. In a configuration such factors are those of LongRoPE, here the same for
// long texts and short ones.
func (m *ggufMap) ropeFactors(dims int) map[string]any {
	t, ok := m.take("rope_freqs.weight")
	if !ok {
		return nil
	}
	if t.Elements() != dims/2 {
		m.fail("tensor rope_freqs.weight: found %v, expected a factor for each pair of %d dimensions", t.Shape, dims)
		return nil
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	factors := make([]json.Number, len(v))
	for i, x := range v {
		if !(x > 0 && x < math.MaxFloat32) {
			m.fail("tensor rope_freqs.weight: found %v, expected positive numbers", x)
			return nil
		}
		factors[i] = decimal(float64(x))
	}
	return map[string]any{"rope_type": "longrope", "short_factor": factors, "long_factor": factors, "attention_factor": 1}
}

// attend moves the projections of an attention: to is where its tensors go, output the name of the
// last one. It reports whether the queries have biases.
func (m *ggufMap) attend(a ggufAttention, to string, layer int, output string) (bias bool) {
	from := block(layer)
	if a.interleaved {
		bias = m.neighbours(a.heads, a.dim, to+"q_proj", from+"attn_q")
		m.neighbours(a.kvHeads, a.dim, to+"k_proj", from+"attn_k")
	} else {
		bias = m.linear(to+"q_proj", from+"attn_q")
		m.linear(to+"k_proj", from+"attn_k")
	}
	m.linear(to+"v_proj", from+"attn_v")
	m.linear(to+output, from+"attn_output")
	return bias
}

// neighbours moves a projection, and its bias if there is one, whose rotated pairs are neighbours in
// each head, so that they are in its halves.
func (m *ggufMap) neighbours(heads, dim int, to, from string) (bias bool) {
	half := max(dim/2, 1)
	source := func(row int) int {
		head, i := row/dim, row%dim
		return head*dim + i%half*2 + i/half
	}
	if dim%2 != 0 {
		m.fail("key %s: found %d, expected an even number", quote(m.key("attention.key_length")), dim)
		return false
	}
	m.permute(to+".weight", from+".weight", heads*dim, source)
	if bias = m.exists(from + ".bias"); bias {
		m.permute(to+".bias", from+".bias", heads*dim, source)
	}
	return bias
}

// mlp moves a gated MLP with the given names for gate, up and down, and reports whether it has
// biases.
func (m *ggufMap) mlp(to string, layer int, gate, up, down string) (bias bool) {
	from := block(layer)
	bias = m.linear(to+gate, from+"ffn_gate")
	m.linear(to+up, from+"ffn_up")
	m.linear(to+down, from+"ffn_down")
	return bias
}

// modelLayer returns the start of the names of a layer's tensors in the checkpoint.
func modelLayer(layer int) string { return withNumber("model.layers.", layer) }

// withNumber adds a number and a dot.
func withNumber(name string, n int) string { return fmt.Sprintf("%s%d.", name, n) }

// usualLayer moves norms, attention and MLP of a layer of the usual names.
func (m *ggufMap) usualLayer(a ggufAttention, layer int) (attentionBias, mlpBias bool) {
	to, from := modelLayer(layer), block(layer)
	m.move(to+"input_layernorm.weight", from+"attn_norm.weight")
	m.move(to+"post_attention_layernorm.weight", from+"ffn_norm.weight")
	return m.attend(a, to+"self_attn.", layer, "o_proj"), m.mlp(to+"mlp.", layer, "gate_proj", "up_proj", "down_proj")
}

// llama maps LLaMA, and what is the same in other names.
func (m *ggufMap) llama() {
	m.decoder("llama", "model.norm.weight", "output_norm")
	a := m.attention(true, 0)
	m.rope(a)
	for l := range m.layers {
		m.config["attention_bias"], m.config["mlp_bias"] = m.usualLayer(a, l)
	}
}

// qwen2 maps Qwen2.
func (m *ggufMap) qwen2() {
	m.decoder("qwen2", "model.norm.weight", "output_norm")
	a := m.attention(false, 0)
	m.rope(a)
	for l := range m.layers {
		m.usualLayer(a, l)
	}
}

// qwen3 maps Qwen3.
func (m *ggufMap) qwen3() {
	m.decoder("qwen3", "model.norm.weight", "output_norm")
	a := m.attention(false, 0)
	m.rope(a)
	for l := range m.layers {
		to, from := modelLayer(l)+"self_attn.", block(l)
		m.config["attention_bias"], _ = m.usualLayer(a, l)
		m.move(to+"q_norm.weight", from+"attn_q_norm.weight")
		m.move(to+"k_norm.weight", from+"attn_k_norm.weight")
	}
}
