package models_test

import (
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
)

// hybridRefusals change one key of a configuration of state spaces or of a hybrid with them.
var hybridRefusals = []struct{ golden, key, value, want string }{
	{"zoo_mamba", "hidden_size", `0`, "hidden_size: found 0, expected 1 to"},
	{"zoo_mamba", "state_size", `0`, "state size: found 0, expected 1 to"},
	{"zoo_mamba", "state_size", `7`, "x_proj.weight: shape [17 80], want [19 80]"},
	{"zoo_mamba", "expand", `NaN`, "expand: found null, expected a number"},
	{"zoo_mamba", "expand", `1e20`, "inner width: found"},
	{"zoo_mamba", "time_step_rank", `"many"`, "found string, expected a whole number"},
	{"zoo_mamba", "time_step_rank", `"auto"`, "x_proj.weight: shape [17 80], want [15 80]"},
	{"zoo_mamba", "time_step_rank", `-1`, "rank of the time step: found -1"},
	{"zoo_mamba", "conv_kernel", `0`, "convolution width: found 0, expected 1 to 256"},
	{"zoo_mamba", "hidden_act", `"gelu"`, `hidden_act: found "gelu", expected silu`},
	{"zoo_mamba", "layer_norm_epsilon", `0`, "epsilon of the norms: found 0, expected a positive number"},
	{"zoo_mamba", "tie_word_embeddings", `false`, "lm_head.weight: missing, want [61 40]"},
	{"zoo_mamba", "use_bias", `true`, "mixer.in_proj.bias: missing, want [160]"},
	{"zoo_mamba", "use_conv_bias", `false`, "mixer.conv1d.bias: not part of this architecture"},
	{"zoo_mamba_fla", "norm_eps", `-1`, "epsilon of the norms: found -1"},
	{"zoo_mamba2", "num_heads", `5`, "num_heads: 5 heads of 12 are not the inner width 72"},
	{"zoo_mamba2", "n_groups", `4`, "number of groups: 4 does not divide the 6 heads"},
	{"zoo_mamba2", "dt_limit", `[0.5, 0.1]`, "limit of the time step: found [0.5 0.1], expected two growing numbers"},
	{"zoo_mamba2", "dt_limit", `[0]`, "time step limit: expected two numbers"},
	{"zoo_mamba2", "dt_limit", `0.5`, "dt_limit: found number, expected a list"},
	{"zoo_mamba2", "D_has_hdim", `false`, "mixer.D: shape [72], want [6]"},
	{"zoo_mamba2", "rmsnorm", `false`, "mixer.norm.weight: not part of this architecture"},
	{"zoo_mamba2_hf", "rms_norm", `false`, "rms_norm: found false"},
	{"zoo_mamba2_hf", "head_dim", `0`, "width of a head: found 0"},
	{"zoo_mamba_ss", "ssm_cfg", `{"layer": "Mamba3"}`, `ssm_cfg.layer: found "Mamba3", expected Mamba1 or Mamba2`},
	{"zoo_mamba_ss", "ssm_cfg", `{"layer": 7}`, "ssm_cfg.layer: found number, expected a string"},
	{"zoo_mamba_ss", "ssm_cfg", `{"d_state": 8}`, "x_proj.weight: shape [35 80], want [19 80]"},
	{"zoo_mamba_ss", "rms_norm", `false`, "rms_norm: found false; layer norms are another architecture"},
	{"zoo_mamba_ss", "pad_vocab_size_multiple", `0`, "pad_vocab_size_multiple: found 0"},
	{"zoo_mamba_ss", "vocab_size", `65`, "embedding.weight: shape [64 40], want [72 40]"},
	{"zoo_mamba2_ss", "d_intermediate", `64`, "d_intermediate: found 64, expected 0"},
	{"zoo_mamba2_ss", "attn_layer_idx", `[1]`, "attn_layer_idx: found 1 layers, expected none"},
	{"zoo_mamba2_ss", "ssm_cfg", `{"layer": "Mamba2", "headdim": 16, "d_state": 10, "d_ssm": 32}`, "ssm_cfg.d_ssm: found 32, expected null"},

	{"hf_bamba", "attn_layer_indices", `[3]`, "attn_layer_indices: found 3, expected 0 to 2"},
	{"hf_bamba", "attn_rotary_emb", `4`, "attn_rotary_emb: found 4; the reference rotates"},
	{"hf_bamba", "mamba_n_heads", `5`, "mamba_n_heads: 5 heads of 12 are not the inner width 72"},
	{"hf_bamba", "mamba_d_head", `"wide"`, "found string, expected a whole number"},
	{"hf_bamba", "mamba_expand", `0`, "mamba_expand: found 0, expected a positive number"},
	{"hf_bamba", "mamba_proj_bias", `true`, "mamba.in_proj.bias: missing, want [190]"},
	{"hf_bamba", "embedding_multiplier", `2`, "embedding_multiplier: found 2; this architecture"},
	{"hf_falcon_h1", "ssm_multipliers", `[1, 1]`, "ssm_multipliers: found 2, expected 5"},
	{"hf_falcon_h1", "mlp_multipliers", `[]`, "mlp_multipliers: found 0, expected 2"},
	{"hf_falcon_h1", "key_multiplier", `null`, "key_multiplier: found null, expected a number"},
	{"hf_falcon_h1", "mamba_d_ssm", `40`, "mamba_n_heads: 6 heads of 8 are not the inner width 40"},
	{"hf_falcon_h1", "mamba_rms_norm", `true`, "mamba.norm.weight: missing, want [48]"},
	{"hf_granitemoehybrid", "layer_types", `["mamba", "mamba", "sliding", "mamba"]`, `layer_types: layer 2 is "sliding"`},
	{"hf_granitemoehybrid", "logits_scaling", `0`, "logits_scaling: found 0, expected a positive number"},
	{"hf_granitemoehybrid", "position_embedding_type", `"alibi"`, "position_embedding_type: found another"},
	{"hf_granitemoehybrid", "normalization_function", `"layernorm"`, `normalization_function: found "layernorm"`},
	{"hf_granitemoehybrid", "num_experts_per_tok", `5`, "num_experts_per_tok: found 5, expected 1 to 4"},
	{"hf_granitemoehybrid", "num_local_experts", `3`, "router.layer.weight: shape [4 36], want [3 36]"},
	{"hf_jamba", "attn_layer_period", `0`, "attn_layer_period: found 0"},
	{"hf_jamba", "attn_layer_offset", `4`, "attn_layer_offset: found 4, expected 0 to 3"},
	{"hf_jamba", "num_experts", `1`, "layers.1.feed_forward.gate_proj.weight: missing"},
	{"hf_jamba", "num_experts_per_tok", `5`, "num_experts_per_tok: found 5, expected 1 to 4"},
	{"hf_jamba", "mamba_dt_rank", `"auto"`, "x_proj.weight: shape [17 64], want [14 64]"},
	{"hf_jamba", "sliding_window", `32`, "sliding_window: found 32; this architecture"},
	{"hf_nemotron_h", "hybrid_override_pattern", `"M-M*-X"`, "hybrid_override_pattern: letter 5 is 'X'"},
	{"hf_nemotron_h", "hybrid_override_pattern", `"M-M"`, "hybrid_override_pattern: found 3 letters, expected num_hidden_layers 6"},
	{"hf_nemotron_h", "mlp_hidden_act", `"silu"`, `mlp_hidden_act: found "silu", expected relu2`},
	{"hf_nemotron_h", "mamba_proj_bias", `true`, "mamba_proj_bias: found true beside use_bias false"},
	{"hf_nemotron_h", "layers_block_type", `["mamba", "mlp", "mamba", "attention", "mlp", "lstm"]`, `layers_block_type: layer 5 is "lstm"`},
	{"hf_nemotron_h_moe", "moe_latent_size", `8`, "moe_latent_size: found 8, expected null"},
	{"hf_nemotron_h_moe", "num_experts_per_tok", `4`, "num_experts_per_tok: found 4, but the groups chosen hold 3"},
	{"hf_nemotron_h_moe", "n_group", `4`, "n_group: 4 groups of 6 experts"},
	{"hf_zamba2", "layers_block_type", `["mamba"]`, "layers_block_type: found 1, expected 6"},
	{"hf_zamba2", "hidden_act", `"silu"`, `hidden_act: found "silu", expected gelu`},
	{"hf_zamba2", "num_mem_blocks", `0`, "num_mem_blocks: found 0"},
	{"hf_zamba2", "num_mem_blocks", `3`, "layers.5.shared_transformer.self_attn.q_proj.weight: missing"},
	{"hf_zamba2", "add_bias_linear", `true`, "add_bias_linear: found true, expected false"},
	{"hf_zamba2", "use_long_context", `true`, "use_long_context: found true, expected false"},
	{"hf_zamba2", "attention_hidden_size", `32`, "attention_hidden_size: found 32, expected twice hidden_size"},
	{"hf_zamba2", "use_shared_attention_adapter", `true`, "self_attn.linear_q_adapter_list.0.0.weight: missing"},
}

func TestHybridsRefused(t *testing.T) {
	for _, c := range hybridRefusals {
		good := load(t, "testdata/golden/"+c.golden)
		name := c.golden + ": " + c.key + ": " + c.value
		text := failure(t, name, good.set(t, map[string]string{c.key: c.value}))
		if text != "" && (!strings.HasPrefix(text, "models: ") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: found %.300q, want %q", name, text, c.want)
		}
	}
}

// TestHybridsAccepted sets keys to values that change nothing.
func TestHybridsAccepted(t *testing.T) {
	for _, c := range []struct{ golden, key, value string }{
		{"zoo_mamba", "hidden_act", `"swish"`},
		{"zoo_mamba2", "dt_limit", `[0.0, {"__float__": "Infinity"}]`},
		{"zoo_mamba2", "dt_limit", `[0.0, Infinity]`},
		{"zoo_mamba2", "num_heads", `null`},
		{"zoo_mamba_ss", "ssm_cfg", `{"layer": "Mamba1", "dt_rank": "auto"}`},
		{"hf_bamba", "mamba_d_head", `"auto"`},
		{"hf_bamba", "layer_types", `["mamba", "attention", "mamba"]`},
		{"hf_bamba", "time_step_limit", `[0.0, Infinity]`},
		{"hf_falcon_h1", "mamba_d_head", `"auto"`},
		{"hf_granitemoehybrid", "position_embedding_type", `null`},
		{"hf_nemotron_h", "layers_block_type", `["mamba", "mlp", "mamba", "attention", "mlp", "mamba"]`},
	} {
		good := load(t, "testdata/golden/"+c.golden)
		m, err := models.New(good.set(t, map[string]string{c.key: c.value}), models.Options{})
		if err != nil {
			t.Errorf("%s: %s: %s: %v", c.golden, c.key, c.value, err)
			continue
		}
		m.Close()
	}
}
