package loader

import (
	"fmt"
	"math"
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

// layerKinds puts layer_types into the configuration, attention where there are heads of keys, and
// returns those heads and which layers have them.
func (m *ggufMap) layerKinds(attention, other string) (kvHeads int, attends []bool) {
	var kinds []string
	for _, n := range m.perLayer("attention.head_count_kv") {
		attends = append(attends, n > 0)
		if n == 0 {
			kinds = append(kinds, other)
			continue
		}
		if kinds = append(kinds, attention); kvHeads != 0 && n != kvHeads {
			m.fail("key %s: found %d and %d, expected the same in every layer of attention", quote(m.key("attention.head_count_kv")), kvHeads, n)
		}
		kvHeads = n
	}
	m.config["layer_types"] = kinds
	return kvHeads, attends
}

// dualSizes reads the sizes of Mamba-2 layers beside other layers.
func (m *ggufMap) dualSizes() (inner int) {
	inner, heads := m.int("ssm.inner_size"), m.int("ssm.time_step_rank")
	m.config["mamba_n_heads"] = heads
	m.config["mamba_d_head"] = inner / max(heads, 1)
	m.config["mamba_n_groups"] = m.int("ssm.group_count")
	m.config["mamba_d_state"] = m.int("ssm.state_size")
	m.config["mamba_d_conv"] = m.int("ssm.conv_kernel")
	m.config["mamba_expand"] = fraction(inner, m.width)
	return inner
}

// falconH1 maps Falcon-H1, whose factors the file has within its weights. Where a layer has a norm
// after the state space, it follows the gate.
func (m *ggufMap) falconH1() {
	m.decoder("falcon_h1", "model.final_layernorm.weight", "output_norm")
	a := m.attention(false, 0)
	m.rope(a)
	m.config["mamba_d_ssm"] = m.dualSizes()
	m.config["mamba_norm_before_gate"] = false
	for l := range m.layers {
		to, from := modelLayer(l), block(l)
		m.move(to+"input_layernorm.weight", from+"attn_norm.weight")
		if !m.maybe(to+"pre_ff_layernorm.weight", from+"ffn_norm") {
			m.move(to+"pre_ff_layernorm.weight", from+"ffn_norm.weight")
		}
		m.config["attention_bias"] = m.attend(a, to+"self_attn.", l, "o_proj")
		m.config["mamba_proj_bias"], m.config["mamba_conv_bias"], m.config["mamba_rms_norm"] = m.dual(to+"mamba.", l)
		m.config["projectors_bias"] = m.exists(from + "ssm_out.bias")
		m.config["mlp_bias"] = m.mlp(to+"feed_forward.", l, "gate_proj", "up_proj", "down_proj")
	}
}

// granite maps Granite as a Granite 4 hybrid that has attention in every layer.
func (m *ggufMap) granite() {
	m.config["position_embedding_type"] = "rope"
	kinds := make([]string, m.layers)
	for l := range kinds {
		kinds[l] = "attention"
	}
	m.config["layer_types"] = kinds
	m.graniteLayers(m.attention(true, 0), nil)
}

// graniteHybrid maps Granite 4 hybrids.
func (m *ggufMap) graniteHybrid() {
	m.config["position_embedding_type"] = "nope"
	if m.bool("rope.scaling.finetuned", true) {
		m.config["position_embedding_type"] = "rope"
	}
	kvHeads, attends := m.layerKinds("attention", "mamba")
	m.dualSizes()
	m.graniteLayers(m.attention(true, kvHeads), attends)
}

// graniteLayers maps Granite, with attention in the given layers, nil for all.
func (m *ggufMap) graniteLayers(a ggufAttention, attends []bool) {
	m.decoder("granitemoehybrid", "model.norm.weight", "output_norm")
	m.rope(a)
	m.config["attention_multiplier"] = 1 / math.Sqrt(float64(max(a.dim, 1)))
	m.copyScale("attention_multiplier", "attention.scale")
	m.copyScale("embedding_multiplier", "embedding_scale")
	m.copyScale("residual_multiplier", "residual_scale")
	m.copyScale("logits_scaling", "logit_scale")
	experts := m.intOr("expert_count", 0)
	m.config["num_local_experts"] = experts
	m.config["num_experts_per_tok"] = m.intOr("expert_used_count", 0)
	for l := range m.layers {
		to, from := modelLayer(l), block(l)
		m.move(to+"input_layernorm.weight", from+"attn_norm.weight")
		m.move(to+"post_attention_layernorm.weight", from+"ffn_norm.weight")
		if attends == nil || attends[l] {
			m.config["attention_bias"] = m.attend(a, to+"self_attn.", l, "o_proj")
		} else {
			m.config["mamba_proj_bias"], m.config["mamba_conv_bias"], _ = m.dual(to+"mamba.", l)
		}
		m.graniteMLP(l, experts)
	}
}

// copyScale copies a factor, which is absent or 0 where it is the usual one.
func (m *ggufMap) copyScale(to, name string) {
	if v, ok := m.number(name); ok && v != 0 {
		m.config[to] = decimal(v)
	}
}

// graniteMLP joins the gate and the up projections of a layer's MLP, and of each of its experts.
func (m *ggufMap) graniteMLP(layer, experts int) {
	to, from := modelLayer(layer), block(layer)
	suffix := ".weight"
	if experts > 0 {
		suffix = "_shexp.weight"
	}
	if t, ok := m.take(from + "ffn_gate" + suffix); ok {
		m.config["shared_intermediate_size"] = t.Shape[0]
		m.stack(to+"shared_mlp.input_linear.weight", []int{2 * t.Shape[0], m.width}, from+"ffn_gate"+suffix, from+"ffn_up"+suffix)
		m.move(to+"shared_mlp.output_linear.weight", from+"ffn_down"+suffix)
	}
	if experts == 0 {
		return
	}
	moe := to + "block_sparse_moe."
	m.move(moe+"router.layer.weight", from+"ffn_gate_inp.weight")
	m.move(moe+"output_linear.weight", from+"ffn_down_exps.weight")
	gate, ok := m.take(from + "ffn_gate_exps.weight")
	up, both := m.take(from + "ffn_up_exps.weight")
	if !ok || !both {
		return
	}
	if len(gate.Shape) != 3 || !slices.Equal(gate.Shape, up.Shape) {
		m.fail("tensor %s: found %v and %v for the gate, expected the same three axes", quote(up.Name), up.Shape, gate.Shape)
		return
	}
	inner := gate.Shape[1]
	m.gather(moe+"input_linear.weight", []int{gate.Shape[0], 2 * inner, gate.Shape[2]}, gate.Shape[2], []tensor.Tensor{gate, up}, func(row int) (int, int) {
		expert, row := row/(2*inner), row%(2*inner)
		return row / inner, expert*inner + row%inner
	})
}

// jamba maps Jamba.
func (m *ggufMap) jamba() {
	m.decoder("jamba", "model.final_layernorm.weight", "output_norm")
	kvHeads, attends := m.layerKinds("attention", "mamba")
	a := m.attention(false, kvHeads)
	m.config["mamba_d_state"] = m.int("ssm.state_size")
	m.config["mamba_d_conv"] = m.int("ssm.conv_kernel")
	m.config["mamba_dt_rank"] = m.int("ssm.time_step_rank")
	m.config["mamba_expand"] = fraction(m.int("ssm.inner_size"), m.width)
	experts := m.intOr("expert_count", 1)
	m.config["num_experts"] = max(experts, 1)
	m.config["num_experts_per_tok"] = m.intOr("expert_used_count", 1)
	mixtures := make([]bool, m.layers)
	for l := range m.layers {
		to, from := modelLayer(l), block(l)
		m.move(to+"input_layernorm.weight", from+"attn_norm.weight")
		m.move(to+"pre_ff_layernorm.weight", from+"ffn_norm.weight")
		if attends[l] {
			m.attend(a, to+"self_attn.", l, "o_proj")
		} else {
			m.config["mamba_proj_bias"], m.config["mamba_conv_bias"] = m.selective(to+"mamba.", l)
			for _, n := range []string{"dt", "b", "c"} {
				m.move(to+"mamba."+n+"_layernorm.weight", from+"ssm_"+n+"_norm.weight")
			}
		}
		if mixtures[l] = m.exists(from + "ffn_gate_inp.weight"); mixtures[l] {
			m.move(to+"feed_forward.router.weight", from+"ffn_gate_inp.weight")
			m.mixture(to+"feed_forward.experts.", l, experts)
		} else {
			m.mlp(to+"feed_forward.", l, "gate_proj", "up_proj", "down_proj")
		}
	}
	m.config["attn_layer_period"], m.config["attn_layer_offset"] = m.period(attends, "attention")
	m.config["expert_layer_period"], m.config["expert_layer_offset"] = m.period(mixtures, "experts")
}

// mixture moves the experts of a layer.
func (m *ggufMap) mixture(to string, layer, experts int) {
	for _, n := range []string{"gate", "up", "down"} {
		m.experts(block(layer)+"ffn_"+n+"_exps.weight", experts, func(e int) string { return fmt.Sprintf("%s%d.%s_proj.weight", to, e, n) })
	}
}

// period returns period and offset of the layers that have something: layer l does iff l is the
// offset modulo the period.
func (m *ggufMap) period(has []bool, what string) (period, offset int) {
	period, offset = len(has)+1, len(has)
	if first := slices.Index(has, true); first >= 0 {
		offset = first
		if next := slices.Index(has[first+1:], true); next >= 0 {
			period = next + 1
		}
	}
	for l, h := range has {
		if h != (l%period == offset) {
			m.fail("layer %d: found out of step with the layers of %s before it, expected one every %d layers", l, what, period)
			break
		}
	}
	return period, offset
}

// lfm2 maps LFM2.
func (m *ggufMap) lfm2() {
	norm := "token_embd_norm" // named after the tensor it was mistaken for
	if !m.exists(norm + ".weight") {
		norm = "output_norm"
	}
	m.decoder("lfm2", "model.embedding_norm.weight", norm)
	m.needNumber("norm_eps", "attention.layer_norm_rms_epsilon")
	m.config["block_auto_adjust_ff_dim"] = false
	m.config["tie_embedding"] = m.config["tie_word_embeddings"]
	m.config["conv_L_cache"] = m.int("shortconv.l_cache")
	kvHeads, attends := m.layerKinds("full_attention", "conv")
	a := m.attention(false, kvHeads)
	m.rope(a)
	for l := range m.layers {
		to, from := modelLayer(l), block(l)
		m.move(to+"operator_norm.weight", from+"attn_norm.weight")
		m.move(to+"ffn_norm.weight", from+"ffn_norm.weight")
		if attends[l] {
			m.attend(a, to+"self_attn.", l, "out_proj")
			m.move(to+"self_attn.q_layernorm.weight", from+"attn_q_norm.weight")
			m.move(to+"self_attn.k_layernorm.weight", from+"attn_k_norm.weight")
		} else {
			m.config["conv_bias"] = m.conv(to+"conv.conv", from+"shortconv.conv")
			m.linear(to+"conv.in_proj", from+"shortconv.in_proj")
			m.linear(to+"conv.out_proj", from+"shortconv.out_proj")
		}
		m.mlp(to+"feed_forward.", l, "w1", "w3", "w2")
	}
}
