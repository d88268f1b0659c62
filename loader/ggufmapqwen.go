package loader

import (
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

// deltaSizes are the sizes of a Qwen hybrid's delta rules.
type deltaSizes struct {
	keyHeads, valueHeads, keyDim, valueDim int
}

// perKey is the number of heads of values that a head of keys serves.
func (d deltaSizes) perKey() int { return d.valueHeads / d.keyHeads }

// qwenHybrid reads what Qwen3-Next and Qwen3.5 share. Their norms are stored with the 1 that
// transformers adds to them.
func (m *ggufMap) qwenHybrid(kind string) (ggufAttention, deltaSizes) {
	m.config["model_type"] = kind
	m.config["intermediate_size"] = m.intOr("feed_forward_length", 0)
	m.needNumber("rms_norm_eps", "attention.layer_norm_rms_epsilon")
	m.move("model.embed_tokens.weight", "token_embd.weight")
	m.centred("model.norm.weight", "output_norm.weight")
	m.config["tie_word_embeddings"] = !m.maybe("lm_head.weight", "output.weight")
	a := m.attention(false, 0)
	m.rope(a)
	d := deltaSizes{keyHeads: m.int("ssm.group_count"), valueHeads: m.int("ssm.time_step_rank"), keyDim: m.int("ssm.state_size")}
	if inner := m.int("ssm.inner_size"); d.keyHeads > 0 && d.valueHeads > 0 && inner%d.valueHeads == 0 && d.valueHeads%d.keyHeads == 0 {
		d.valueDim = inner / d.valueHeads
	} else {
		m.fail("key %s: found %d, expected heads of the same width, and as many for each of %d heads of keys", quote(m.key("ssm.inner_size")), inner, d.keyHeads)
		d.keyHeads, d.valueHeads = 1, 1
	}
	m.config["linear_num_key_heads"] = d.keyHeads
	m.config["linear_num_value_heads"] = d.valueHeads
	m.config["linear_key_head_dim"] = d.keyDim
	m.config["linear_value_head_dim"] = d.valueDim
	m.config["linear_conv_kernel_dim"] = m.int("ssm.conv_kernel")
	return a, d
}

// centred moves a norm, less 1.
func (m *ggufMap) centred(to, from string) {
	m.convert(to, from, func(v []float32) {
		for i := range v {
			v[i]--
		}
	})
}

// qwenLayers moves the layers; delta moves a delta rule, mlp what follows it or the attention.
func (m *ggufMap) qwenLayers(a ggufAttention, delta, mlp func(to, from string, layer int)) {
	var kinds []string
	for l := range m.layers {
		to, from := modelLayer(l), block(l)
		m.centred(to+"input_layernorm.weight", from+"attn_norm.weight")
		m.centred(to+"post_attention_layernorm.weight", from+"post_attention_norm.weight")
		if m.exists(from + "attn_q.weight") {
			kinds = append(kinds, "full_attention")
			m.config["attention_bias"] = m.attend(a, to+"self_attn.", l, "o_proj")
			m.centred(to+"self_attn.q_norm.weight", from+"attn_q_norm.weight")
			m.centred(to+"self_attn.k_norm.weight", from+"attn_k_norm.weight")
		} else {
			kinds = append(kinds, "linear_attention")
			delta(to+"linear_attn.", from, l)
		}
		mlp(to+"mlp.", from, l)
	}
	m.config["layer_types"] = kinds
}

// qwen3next maps Qwen3-Next.
func (m *ggufMap) qwen3next() {
	a, d := m.qwenHybrid("qwen3_next")
	experts := m.intOr("expert_count", 0)
	m.config["num_experts"] = experts
	m.config["num_experts_per_tok"] = m.intOr("expert_used_count", 0)
	m.config["norm_topk_prob"] = true
	m.config["decoder_sparse_step"] = 1
	dense := []int{}
	m.qwenLayers(a, func(to, from string, l int) {
		m.interleave(to, from, d)
		m.move(to+"in_proj_ba.weight", from+"ssm_ba.weight")
		m.conv(to+"conv1d", from+"ssm_conv1d")
		m.convert(to+"A_log", from+"ssm_a", logNegated)
		m.move(to+"dt_bias", from+"ssm_dt.bias")
		m.move(to+"norm.weight", from+"ssm_norm.weight")
		m.linear(to+"out_proj", from+"ssm_out")
	}, func(to, from string, l int) {
		if !m.exists(from + "ffn_gate_inp.weight") {
			dense = append(dense, l)
			m.mlp(to, l, "gate_proj", "up_proj", "down_proj")
			return
		}
		m.sparse(to, from, l, experts)
	})
	m.config["mlp_only_layers"] = dense
}

// sparse moves the experts of a layer and the one beside them.
func (m *ggufMap) sparse(to, from string, layer, experts int) {
	m.move(to+"gate.weight", from+"ffn_gate_inp.weight")
	m.mixture(to+"experts.", layer, experts)
	if t, ok := m.take(from + "ffn_gate_exps.weight"); ok && len(t.Shape) == 3 {
		m.config["moe_intermediate_size"] = t.Shape[1]
	}
	for _, n := range []string{"gate", "up", "down"} {
		m.move(to+"shared_expert."+n+"_proj.weight", from+"ffn_"+n+"_shexp.weight")
	}
	if t, ok := m.take(from + "ffn_gate_shexp.weight"); ok {
		m.config["shared_expert_intermediate_size"] = t.Shape[0]
	}
	m.move(to+"shared_expert_gate.weight", from+"ffn_gate_inp_shexp.weight", 1, m.width)
}

// interleave joins the projections of a delta rule: for each head of keys a query, a key, its values
// and its output gates. Older files have them so.
func (m *ggufMap) interleave(to, from string, d deltaSizes) {
	to += "in_proj_qkvz.weight"
	if m.maybe(to, from+"ssm_in.weight") {
		return
	}
	qkv, ok := m.take(from + "attn_qkv.weight")
	gate, both := m.take(from + "attn_gate.weight")
	if !ok || !both {
		return
	}
	k, v := d.keyDim, d.perKey()*d.valueDim
	keys, values := d.keyHeads*k, d.keyHeads*v
	if qkv.Elements() != (2*keys+values)*m.width || gate.Elements() != values*m.width {
		m.fail("tensor %s: found %v, and %v for the gate, expected %d and %d rows", quote(qkv.Name), qkv.Shape, gate.Shape, 2*keys+values, values)
		return
	}
	m.gather(to, []int{2 * (keys + values), m.width}, m.width, []tensor.Tensor{qkv, gate}, func(row int) (int, int) {
		head, i := row/(2*(k+v)), row%(2*(k+v))
		switch {
		case i < k:
			return 0, head*k + i
		case i < 2*k:
			return 0, keys + head*k + i - k
		case i < 2*k+v:
			return 0, 2*keys + head*v + i - 2*k
		}
		return 1, head*v + i - 2*k - v
	})
}

// qwen35 maps the text model of Qwen3.5, whose heads of values the file has by their number beside
// a head of keys, transformers by their head of keys.
func (m *ggufMap) qwen35() {
	a, d := m.qwenHybrid("qwen3_5_text")
	grouped := func(head int) int { return head%d.perKey()*d.keyHeads + head/d.perKey() }
	rows := func(before, dim int) func(row int) int { // rows of values, behind others
		return func(row int) int {
			if row < before {
				return row
			}
			row -= before
			return before + grouped(row/dim)*dim + row%dim
		}
	}
	keys, values, taps := 2*d.keyHeads*d.keyDim, d.valueHeads*d.valueDim, m.int("ssm.conv_kernel")
	m.qwenLayers(a, func(to, from string, l int) {
		m.permute(to+"in_proj_qkv.weight", from+"attn_qkv.weight", keys+values, rows(keys, d.valueDim))
		m.permute(to+"in_proj_z.weight", from+"attn_gate.weight", values, rows(0, d.valueDim))
		m.permute(to+"in_proj_b.weight", from+"ssm_beta.weight", d.valueHeads, grouped)
		m.permute(to+"in_proj_a.weight", from+"ssm_alpha.weight", d.valueHeads, grouped)
		m.permute(to+"conv1d.weight", from+"ssm_conv1d.weight", keys+values, rows(keys, d.valueDim), keys+values, 1, taps)
		m.permute(to+"dt_bias", from+"ssm_dt.bias", d.valueHeads, grouped)
		m.convert(to+"A_log", from+"ssm_a", func(v []float32) {
			logNegated(v)
			for head, tiled := 0, slices.Clone(v); head < len(v); head++ {
				v[head] = tiled[grouped(head)]
			}
		}, d.valueHeads)
		m.move(to+"norm.weight", from+"ssm_norm.weight")
		m.permuteColumns(to+"out_proj.weight", from+"ssm_out.weight", d.valueHeads, d.valueDim, grouped)
	}, func(to, from string, l int) {
		m.mlp(to, l, "gate_proj", "up_proj", "down_proj")
	})
}
