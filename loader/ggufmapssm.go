package loader

// mamba maps models of Mamba-1 layers alone.
func (m *ggufMap) mamba() {
	if m.bool("ssm.dt_b_c_rms", false) {
		m.fail("key %s: found true, expected false: norms within Mamba-1 layers are another architecture", quote(m.key("ssm.dt_b_c_rms")))
	}
	inner, heads := m.backbone("mamba")
	m.config["time_step_rank"] = heads
	m.config["expand"] = fraction(inner, m.width)
	for l := range m.layers {
		to := m.backboneLayer(l)
		m.config["use_bias"], m.config["use_conv_bias"] = m.selective(to, l)
	}
}

// mamba2 maps models of Mamba-2 layers alone.
func (m *ggufMap) mamba2() {
	inner, heads := m.backbone("mamba2")
	m.config["num_heads"] = heads
	m.config["head_dim"] = inner / max(heads, 1)
	m.config["n_groups"] = m.int("ssm.group_count")
	m.config["expand"] = fraction(inner, m.width)
	for l := range m.layers {
		to := m.backboneLayer(l)
		m.config["use_bias"], m.config["use_conv_bias"], _ = m.dual(to, l)
	}
}

// backbone reads what is around Mamba layers, and their inner width and number of heads, or rank of
// the time step.
func (m *ggufMap) backbone(kind string) (inner, heads int) {
	m.config["model_type"] = kind
	m.config["state_size"] = m.int("ssm.state_size")
	m.config["conv_kernel"] = m.int("ssm.conv_kernel")
	m.needNumber("layer_norm_epsilon", "attention.layer_norm_rms_epsilon")
	m.shell("backbone.embeddings.weight", "backbone.norm_f.weight", "output_norm")
	return m.int("ssm.inner_size"), m.int("ssm.time_step_rank")
}

// backboneLayer moves the norm of a layer and returns the start of its mixer's names.
func (m *ggufMap) backboneLayer(layer int) string {
	to := withNumber("backbone.layers.", layer)
	m.move(to+"norm.weight", block(layer)+"attn_norm.weight")
	return to + "mixer."
}

// selective moves the tensors of a Mamba-1 layer, and reports whether its projections and its
// convolution have biases.
func (m *ggufMap) selective(to string, layer int) (bias, convBias bool) {
	from := block(layer)
	bias = m.linear(to+"in_proj", from+"ssm_in")
	convBias = m.conv(to+"conv1d", from+"ssm_conv1d")
	m.linear(to+"x_proj", from+"ssm_x")
	m.linear(to+"dt_proj", from+"ssm_dt")
	m.convert(to+"A_log", from+"ssm_a", logNegated)
	m.move(to+"D", from+"ssm_d")
	m.linear(to+"out_proj", from+"ssm_out")
	return bias, convBias
}

// dual moves the tensors of a Mamba-2 layer, and reports whether its projections and its
// convolution have biases, and whether it has a norm.
func (m *ggufMap) dual(to string, layer int) (bias, convBias, norm bool) {
	from := block(layer)
	bias = m.linear(to+"in_proj", from+"ssm_in")
	convBias = m.conv(to+"conv1d", from+"ssm_conv1d")
	m.vector(to+"dt_bias", from+"ssm_dt.bias")
	if t, ok := m.take(from + "ssm_a"); ok {
		m.convert(to+"A_log", from+"ssm_a", logNegated, t.Elements())
	}
	m.vector(to+"D", from+"ssm_d")
	if norm = m.exists(from + "ssm_norm.weight"); norm {
		m.vector(to+"norm.weight", from+"ssm_norm.weight")
	}
	m.linear(to+"out_proj", from+"ssm_out")
	return bias, convBias, norm
}

// vector moves a tensor as one axis.
func (m *ggufMap) vector(to, from string) {
	if t, ok := m.take(from); ok {
		m.move(to, from, t.Elements())
	}
}

// conv moves the filters of a convolution over time, [channels, taps] in the file, and reports
// whether they have biases.
func (m *ggufMap) conv(to, from string) (bias bool) {
	t, ok := m.take(from + ".weight")
	if !ok {
		return false
	}
	if len(t.Shape) != 2 {
		m.fail("tensor %s: found %v, expected two axes", quote(t.Name), t.Shape)
		return false
	}
	m.move(to+".weight", from+".weight", t.Shape[0], 1, t.Shape[1])
	return m.maybe(to+".bias", from+".bias")
}

// rwkv7 maps RWKV-7.
func (m *ggufMap) rwkv7() {
	m.config["model_type"] = "rwkv7"
	m.config["intermediate_size"] = m.int("feed_forward_length")
	m.config["fuse_norm"] = false // keys are normalised without a term beside their length
	m.config["norm_first"] = m.exists("token_embd_norm.weight")
	m.config["norm_bias"] = m.exists("output_norm.bias")
	m.needNumber("norm_eps", "attention.layer_norm_epsilon")
	head := m.int("wkv.head_size")
	m.config["head_dim"] = head
	for name, to := range map[string]string{
		"decay": "decay_low_rank_dim", "iclr": "a_low_rank_dim", "value_residual_mix": "v_low_rank_dim", "gate": "gate_low_rank_dim",
	} {
		m.config[to] = m.int("attention." + name + "_lora_rank")
	}
	if n := m.intOr("token_shift_count", 2); n != 2 {
		m.fail("key %s: found %d, expected 2", quote(m.key("token_shift_count")), n)
	}
	m.shell("model.embeddings.weight", "model.norm.weight", "output_norm")
	m.maybe("model.norm.bias", "output_norm.bias")
	if m.maybe("model.layers.0.pre_norm.weight", "token_embd_norm.weight") {
		m.maybe("model.layers.0.pre_norm.bias", "token_embd_norm.bias")
	}
	for l := range m.layers {
		m.rwkvLayer(l, head)
	}
}

// rwkvLayer moves the tensors of a layer of RWKV-7.
func (m *ggufMap) rwkvLayer(layer, head int) {
	from, to := block(layer), modelLayer(layer)
	m.linear(to+"attn_norm", from+"attn_norm")
	m.linear(to+"ffn_norm", from+"attn_norm_2")
	if t, ok := m.take(from + "time_mix_lerp_fused.weight"); ok && t.Shape[0] == 6 {
		for i, n := range []string{"r", "w", "k", "v", "a", "g"} {
			m.add(to+"attn.x_"+n, t.Rows(i, i+1), 1, 1, t.Elements()/6)
		}
	} else if ok {
		m.fail("tensor %s: found %v, expected 6 rows", quote(t.Name), t.Shape)
	}
	for _, n := range []string{"w", "a", "v", "g"} {
		lora := func(i, name string) {
			if n == "v" && layer == 0 { // the first layer has no value of another to add
				m.used[from+"time_mix_v"+i+".weight"] = true
			} else if n != "g" || i != "0" {
				m.move(to+"attn."+n+"_lora.lora."+name, from+"time_mix_"+n+i+".weight")
			}
		}
		lora("0", "2.bias")
		lora("1", "0.weight")
		lora("2", "2.weight")
	}
	for name, n := range map[string]string{"receptance": "r", "key": "k", "value": "v", "output": "o"} {
		m.move(to+"attn."+n+"_proj.weight", from+"time_mix_"+name+".weight")
	}
	m.vector(to+"attn.k_k", from+"time_mix_k_k.weight")
	m.vector(to+"attn.k_a", from+"time_mix_k_a.weight")
	m.move(to+"attn.r_k", from+"time_mix_r_k.weight", m.width/max(head, 1), head)
	m.linear(to+"attn.g_norm", from+"time_mix_ln")
	m.vector(to+"ffn.x_k", from+"channel_mix_lerp_k.weight")
	m.move(to+"ffn.key.weight", from+"channel_mix_key.weight")
	m.move(to+"ffn.value.weight", from+"channel_mix_value.weight")
}
