package models_test

import (
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/nn"
)

// refusals change one key of a golden's configuration, which must then be refused with a text that
// names the key.
var refusals = []struct{ golden, key, value, want string }{
	{"hf_llama", "hidden_size", `"48"`, "hidden_size: found string, expected a whole number"},
	{"hf_llama", "hidden_size", `0`, "hidden_size: found 0, expected 1 to"},
	{"hf_llama", "num_attention_heads", `0`, "num_attention_heads: found 0"},
	{"hf_llama", "num_attention_heads", `7`, "num_key_value_heads: 2 does not divide the 7 heads"},
	{"hf_llama", "num_key_value_heads", `0`, "num_key_value_heads: found 0"},
	{"hf_llama", "head_dim", `13`, "partial_rotary_factor: 13 of 13 dimensions are rotated, expected an even number"},
	{"hf_llama_smol", "num_attention_heads", `5`, "num_attention_heads: 5 does not divide hidden_size 36"},
	{"hf_llama", "num_hidden_layers", `2000000000`, "num_hidden_layers: found 2000000000"},
	{"hf_llama", "rms_norm_eps", `0`, "rms_norm_eps: found 0, expected a positive number"},
	{"hf_llama", "hidden_act", `"gelu"`, `hidden_act: found "gelu", expected silu`},
	{"hf_llama", "layer_types", `["full_attention"]`, "layer_types: found 1, expected 3"},
	{"hf_llama", "layer_types", `["full_attention", "full_attention", "mamba"]`, `layer_types: layer 2 is "mamba"`},
	{"hf_llama", "rope_theta", `-1`, "rope_theta: found -1"},
	{"hf_llama", "rope_theta", `null`, "rope_theta: found null, expected a number"},
	{"hf_llama", "rope_interleaved", `true`, "rope_interleaved: found true, expected false"},
	{"hf_llama", "rope_parameters", `{"rope_theta": 10000}`, "rope_scaling: given beside rope_parameters"},
	{"hf_llama", "rope_scaling", `{"rope_type": "llama3", "factor": 0, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 32}`, "rope_scaling.factor: found 0"},
	{"hf_llama", "rope_scaling", `{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1}`, "low_freq_factor 4 and high_freq_factor 1, expected growing"},
	{"hf_llama", "rope_scaling", `{"rope_type": "linear", "factor": -2}`, "rope_scaling.factor: found -2"},
	{"hf_llama", "rope_scaling", `{"rope_type": "linear", "factor": 2, "alpha": 1000}`, "rope_scaling.alpha: not a known key"},
	{"hf_llama", "rope_scaling", `{"rope_type": "longrope", "short_factor": [1], "long_factor": [4]}`, `"longrope": its frequencies depend on the length`},
	{"hf_llama", "rope_scaling", `{"rope_type": "ntk", "factor": 2}`, `rope_scaling: found type "ntk", expected default, linear, llama3, yarn or dynamic`},
	{"hf_llama", "rope_scaling", `{"rope_type": "yarn", "factor": 2, "beta_slow": 40}`, "beta_fast 32 and beta_slow 40, expected falling"},
	{"hf_llama", "rope_scaling", `[2]`, "rope_scaling: found array, expected an object"},
	{"hf_llama", "partial_rotary_factor", `1.5`, "partial_rotary_factor: 18 of 12 dimensions"},
	{"hf_llama", "sliding_window", `16`, "sliding_window: found 16; this architecture is not known to have that"},
	{"hf_llama", "attn_logit_softcapping", `50.0`, "attn_logit_softcapping: found 50.0; this architecture"},
	{"hf_llama", "logits_scaling", `8`, "logits_scaling: found 8; this architecture"},
	{"hf_llama", "quantization_config", `{"bits": 4}`, "quantization_config: found"},
	{"hf_llama", "attention_bias", `true`, "self_attn.q_proj.bias: missing"},
	{"hf_llama", "mlp_bias", `true`, "mlp.gate_proj.bias: missing"},
	{"hf_llama_linear", "attention_bias", `false`, "self_attn.q_proj.bias: not part of this architecture"},
	{"hf_llama", "intermediate_size", `77`, "mlp.gate_proj.weight: shape [76 48], want [77 48]"},
	{"hf_llama", "num_hidden_layers", `1024`, "and "},
	{"hf_mistral", "sliding_window", `0`, "sliding_window: found 0, expected null or at least 1"},
	{"hf_mistral", "attention_bias", `true`, "attention_bias: found true; this architecture"},
	{"hf_qwen2", "use_sliding_window", `1`, "use_sliding_window: found number, expected true or false"},
	{"hf_qwen3", "num_experts", `8`, "num_experts: found 8; this architecture"},
	{"hf_lfm2", "conv_L_cache", `0`, "conv_L_cache: found 0, expected 1 to 256"},
	{"hf_lfm2", "conv_dim", `80`, "conv_dim_out: found 80, expected hidden_size 40"},
	{"hf_lfm2", "conv_bias", `true`, "conv.in_proj.bias: missing"},
	{"hf_lfm2", "block_multiple_of", `0`, "block_multiple_of: found 0"},
	{"hf_lfm2", "layer_types", `null`, "layers.0.self_attn.q_proj.weight: missing"},
	{"hf_lfm2", "num_experts", `32`, "num_experts: found 32; this architecture"},
	{"hf_qwen3_next", "num_experts_per_tok", `7`, "num_experts_per_tok: found 7, expected 1 to 6"},
	{"hf_qwen3_next", "num_experts", `8`, "mlp.gate.weight: shape [6 32], want [8 32]"},
	{"hf_qwen3_next", "num_experts", `4096`, "and "},
	{"hf_qwen3_next", "decoder_sparse_step", `0`, "decoder_sparse_step: found 0"},
	{"hf_qwen3_next", "mlp_only_layers", `[0, 1]`, "mlp.gate_proj.weight: missing"},
	{"hf_qwen3_next", "linear_num_value_heads", `3`, "linear_num_value_heads: found 3, expected a multiple of the 2 heads"},
	{"hf_qwen3_next", "full_attention_interval", `0`, "full_attention_interval: found 0"},
	{"hf_qwen3_next", "attn_output_gate", `false`, "attn_output_gate: found false, expected true"},
	{"hf_qwen3_5", "layer_types", `["full_attention"]`, "layer_types: found 1, expected 4"},
	{"hf_qwen3_5", "num_experts", `256`, "num_experts: found 256; this architecture"},
	{"hf_olmo_hybrid", "rope_parameters", `null`, "rope_parameters.rope_theta: missing; expected a number, or null"},
	{"hf_olmo_hybrid", "linear_allow_neg_eigval", ``, "linear_allow_neg_eigval: missing"},
	{"hf_minimax", "num_experts_per_tok", `5`, "num_experts_per_tok: found 5, expected 1 to 4"},
	{"hf_minimax", "rotary_dim", `12`, "partial_rotary_factor: 12 of 10 dimensions are rotated"},
	{"hf_minimax", "mlp_alpha_factor", `0`, "alpha and beta factors: found 0"},
	{"hf_minimax", "layer_types", `null`, "layer_types: missing"},
	{"hf_minimax_original", "attn_type_list", `[0, 0, 2, 0]`, "attn_type_list: expected a list of 0 and 1"},
	{"hf_minimax_original", "postnorm", `false`, "postnorm: found false"},
	{"hf_minimax_original", "shared_intermediate_size", `64`, "shared_intermediate_size: found 64, expected 0"},
	{"hf_kimi_linear", "mla_use_nope", `false`, "mla_use_nope: found false; latent attention with positions"},
	{"hf_kimi_linear", "q_lora_rank", `16`, "q_lora_rank: found 16, expected null"},
	{"hf_kimi_linear", "moe_router_activation_func", `"softmax"`, `moe_router_activation_func: found "softmax", expected sigmoid`},
	{"hf_kimi_linear", "num_expert_group", `4`, "num_expert_group: 4 groups do not divide 6 experts"},
	{"hf_kimi_linear", "num_expert_group", `6`, "num_experts_per_token: found 2, more than 1 groups hold"},
	{"hf_kimi_linear", "linear_attn_config", `{"full_attn_layers": [4], "kda_layers": [1, 2, 4], "head_dim": 10, "num_heads": 3}`, "layer 4 is listed twice"},
	{"hf_kimi_linear", "linear_attn_config", `{"full_attn_layers": [4], "kda_layers": [0, 1, 2], "head_dim": 10, "num_heads": 3}`, "layer: found 0, expected 1 to 4"},
	{"hf_kimi_linear", "linear_attn_config", `{"full_attn_layers": [4], "kda_layers": [1, 2], "head_dim": 10, "num_heads": 3}`, `layer_types: layer 2 is ""`},
	{"hf_internlm2", "bias", `true`, "attention.wqkv.bias: missing"},
	{"hf_internlm2", "num_key_value_heads", `1`, "attention.wqkv.weight: shape [80 40], want [60 40]"},
}

func TestTransformersRefused(t *testing.T) {
	for _, c := range refusals {
		good := load(t, "testdata/golden/"+c.golden)
		name := c.golden + ": " + c.key + ": " + c.value
		text := failure(t, name, good.set(t, map[string]string{c.key: c.value}))
		if text != "" && (!strings.HasPrefix(text, "models: ") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: found %.300q, want %q", name, text, c.want)
		}
	}
}

// TestTransformersAccepted sets keys to values that change nothing.
func TestTransformersAccepted(t *testing.T) {
	for _, c := range []struct{ golden, key, value string }{
		{"hf_llama", "pretraining_tp", `1`},
		{"hf_llama", "attention_dropout", `0.1`},
		{"hf_llama", "rope_interleaved", `false`},
		{"hf_llama", "sliding_window", `null`},
		{"hf_llama", "layer_types", `["full_attention", "full_attention", "full_attention"]`},
		{"hf_llama", "_name_or_path", `"somewhere"`},
		{"hf_llama_smol", "rope_scaling", `{"type": "mrope", "mrope_section": [1, 1, 0]}`},
		{"hf_llama_smol", "rope_scaling", `{"type": "dynamic", "factor": 4}`},
		{"hf_llama_smol", "head_dim", `null`},
		{"hf_qwen2", "sliding_window", `null`},
		{"hf_qwen3", "layer_types", `["full_attention", "full_attention", "full_attention"]`},
		{"hf_qwen3_next", "decoder_sparse_step", `1`},
		{"hf_olmo_hybrid", "rope_parameters", `{"rope_theta": 500000}`},
		{"hf_lfm2", "block_ff_dim", `30`}, // the tensors tell
		{"hf_mistral", "layer_types", `["sliding_attention", "sliding_attention", "sliding_attention"]`},
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

// TestWindows reads the windows of a Qwen2's layers.
func TestWindows(t *testing.T) {
	good := load(t, "testdata/golden/hf_qwen2") // three layers, a window of 64 that is not used
	for _, c := range []struct {
		keys map[string]string
		want [3]int
	}{
		{nil, [3]int{0, 0, 0}},
		{map[string]string{"use_sliding_window": "true"}, [3]int{0, 0, 64}},
		{map[string]string{"use_sliding_window": "true", "max_window_layers": "0"}, [3]int{64, 64, 64}},
		{map[string]string{"use_sliding_window": "true", "sliding_window": "null"}, [3]int{0, 0, 0}},
		{map[string]string{"use_sliding_window": "true", "layer_types": `["sliding_attention", "full_attention", "full_attention"]`}, [3]int{64, 0, 0}},
	} {
		m, err := models.New(good.set(t, c.keys), models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for l, want := range c.want {
			if block, _ := m.Mixer(l); block.Mixer.(*nn.Attention).Window != want {
				t.Errorf("%v: layer %d has a window of %d, want %d", c.keys, l, block.Mixer.(*nn.Attention).Window, want)
			}
		}
		m.Close()
	}
}
