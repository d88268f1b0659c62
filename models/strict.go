package models

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// consequential are keys that change results in one architecture or another, of which an
// architecture reads its own. In a configuration of one that does not read them they must be
// neutral: null, false, 0, 1, empty. All other keys are taken to change nothing: names, dates,
// training and sampling parameters, token ids, initialisation, dropout, storage types,
// implementations (use_cache, pretraining_tp, initializer_range, max_window_layers, attn_mode,
// fuse_norm, router_aux_loss_coef, ...).
var consequential = []string{
	"add_bias_linear", "add_qkv_bias", "alibi", "attention_bias", "attention_chunk_size", "attention_multiplier",
	"attention_out_bias", "attention_sink", "attn_logit_softcapping", "attn_output_gate", "attn_temperature_tuning",
	"attnres_block_size", "bias", "clip_qkv", "conv_bias", "dim_model_base", "embedding_multiplier", "embedding_scale", "expert_bias",
	"final_logit_softcapping", "intermediate_size_list", "key_multiplier", "kv_lora_rank", "layer_types", "lm_head_multiplier", "logit_scale",
	"logits_scaling", "logits_soft_cap", "mlp_bias", "mlp_only_layers", "n_group", "n_routed_experts", "n_shared_experts", "no_rope_layer_interval",
	"no_rope_layers", "num_attention_heads_list", "num_experts", "num_key_value_heads_list", "num_local_experts", "num_shared_experts", "parallel_attn", "partial_rotary_factor", "postnorm",
	"q_lora_rank", "qk_layernorm", "qk_norm", "qkv_bias", "quantization_config", "query_pre_attn_scalar", "residual_multiplier",
	"rope_interleaved", "rope_local_base_freq", "rope_parameters", "rope_scaling", "rotary_dim", "rotary_pct",
	"routed_scaling_factor", "scale_depth", "scale_emb", "shared_expert_intermediate_size", "shared_intermediate_size", "sliding_window", "sliding_window_pattern",
	"swiglu_limit", "use_alibi", "use_bias", "use_mrope", "use_parallel_residual", "use_qk_norm", "use_qkv_bias", "use_sliding_window", "window_size",
}

// strict decodes a configuration like [decode] and refuses consequential keys that the struct
// does not read.
func strict(config []byte, into any) error {
	if err := decode(config, into); err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(config, &keys); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if slices.Contains(consequential, key) && !tagged(into, key) && !neutral(keys[key]) {
			return fmt.Errorf("%s: found %.60s; this architecture is not known to have that", key, keys[key])
		}
	}
	return nil
}

// neutral reports whether a value means that something is not there.
func neutral(value json.RawMessage) bool {
	switch strings.TrimSpace(string(value)) {
	case "null", "false", "0", "0.0", "1", "1.0", `""`, "[]", "{}":
		return true
	}
	return false
}

// tagged reports whether a struct, or what it embeds, has a field for the key.
func tagged(of any, key string) bool {
	t := reflect.TypeOf(of)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for _, f := range reflect.VisibleFields(t) {
		if f.Tag.Get("json") == key {
			return true
		}
	}
	return false
}
