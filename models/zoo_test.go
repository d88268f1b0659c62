package models_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// TestZooRefused changes one key of a good configuration.
func TestZooRefused(t *testing.T) {
	for _, c := range []struct{ dir, key, value, want string }{
		{"zoo_gla", "hidden_act", `"gelu"`, `hidden_act: found "gelu", expected swish or silu`},
		{"zoo_gla", "attnres_block_size", `4`, "attnres_block_size: found 4, expected null"},
		{"zoo_gla", "feature_map", `"gelu"`, `feature_map: found "gelu", expected one of`},
		{"zoo_gla", "clamp_min", `0.5`, "clamp_min: found 0.5, expected null or a log decay up to 0"},
		{"zoo_gla", "expand_k", `0.33`, "expand_k: hidden_size · expand_k is 13.2"},
		{"zoo_gla", "expand_k", `0`, "expand_k: found 0, expected a positive number"},
		{"zoo_gla", "num_heads", `3`, "num_kv_heads: 2 does not divide the 3 heads"},
		{"zoo_gla", "num_heads", `0`, "num_heads: found 0, expected 1 to"},
		{"zoo_gla", "num_kv_heads", `-1`, "num_kv_heads: found -1, expected 1 to"},
		{"zoo_gla", "conv_size", `300`, "conv_size: found 300, expected 1 to 256"},
		{"zoo_gla", "norm_eps", `0`, "norm_eps: found 0, expected a positive number"},
		{"zoo_gla", "hidden_ratio", `-1`, "hidden_ratio: found -1, expected a positive number"},
		{"zoo_gla", "use_short_conv", `false`, "q_conv1d.weight: not part of this architecture"},
		{"zoo_gla", "attn", `{"layers": [0], "num_heads": 4, "qk_norm": true}`, "attn.qk_norm: found true"},
		{"zoo_gla", "attn", `{"layers": [3], "num_heads": 4}`, "attn.layers: found 3, expected 0 to 2"},
		{"zoo_linear_attn", "feature_map", `"taylor"`, `feature_map: found "taylor", expected one of`},
		{"zoo_retnet", "expand_k", `1.25`, "expand_k: heads of 15, expected an even width to rotate"},
		{"zoo_delta_net", "qk_norm", `"l1"`, `qk_norm: found "l1", expected one of`},
		{"zoo_delta_net", "qk_activation", `"gelu"`, `qk_activation: found "gelu", expected one of`},
		{"zoo_gated_deltanet", "num_v_heads", `3`, "num_v_heads: found 3, expected a multiple of the 2 heads"},
		{"zoo_gated_deltanet", "expand_v", `1.23`, "expand_v: head_dim · expand_v is 12.3, expected a whole number"},
		{"zoo_gated_deltanet", "output_gate_activation", `"relu"`, "output_gate_activation: found"},
		{"zoo_gated_deltanet", "norm_first", `true`, "norm_first: found true"},
		{"zoo_gated_deltanet", "head_dim", `0`, "head_dim: found 0, expected 1 to"},
		{"zoo_kda", "lower_bound", `1`, "lower_bound: expected null or a negative log decay"},
		{"zoo_gsa", "expand_v", `2`, "expand_v: found 2, expected 1"},
		{"zoo_gsa", "feature_map", `"elu"`, `feature_map: found "elu", expected one of`},
		{"zoo_gsa", "num_slots", `0`, "num_slots: found 0, expected 1 to"},
		{"zoo_gsa", "gate_logit_normalizer", `0`, "gate_logit_normalizer: found 0, expected a positive number"},
		{"mom_gsa/t2r_not_norm_first", "use_short_conv", `true`, "use_short_conv: found true"},
		{"mom_gla", "capacity", `0.5`, "capacity: found 0.5; below 1"},
		{"mom_gla", "num_memories", `3`, "gate.weight: shape [4 40], want [3 40]"},
		{"mom_linear_attn", "topk", `9`, "topk: found 9, expected 1 to 4"},
		{"mom_linear_attn", "attn", `{"layers": [0], "num_heads": 2, "rope_theta": 500}`, "attn.rope_theta: found 500"},
		{"zoo_hgrn", "expand_ratio", `0`, "expand_ratio: found 0, expected a positive number"},
		{"zoo_hgrn2", "expand_ratio", `5`, "expand_ratio: 7 heads do not divide the width of 36"},
		{"zoo_hgrn2", "expand_ratio", `0`, "expand_ratio: found 0, expected 1 to 36"},
		{"zoo_rwkv6", "hidden_act", `"relu"`, `hidden_act: found "relu", expected sqrelu`},
		{"zoo_rwkv6", "num_heads", `5`, "the 5 heads divide"},
		{"zoo_rwkv7", "attn", `{"layers": [0], "num_heads": 4}`, "attn: found layers of softmax attention"},
		{"zoo_rwkv7", "value_dim", `[48, 96]`, "value_dim: found 96, expected the width of the model, 48"},
		{"zoo_rwkv7", "head_dim", `7`, "head_dim: 6 heads of 7 do not fill the width of 48"},
		{"zoo_rwkv7", "a_low_rank_dim", `0`, "a_low_rank_dim: found 0, expected 1 to"},
	} {
		good := load(t, filepath.Join("testdata/golden", c.dir))
		text := failure(t, c.dir+": "+c.key+": "+c.value, good.set(t, map[string]string{c.key: c.value}))
		if text != "" && (!strings.HasPrefix(text, "models: ") || !strings.Contains(text, c.want)) {
			t.Errorf("%s: %s %s: found %.300q, want %q", c.dir, c.key, c.value, text, c.want)
		}
	}
}

// last returns the logits after some tokens.
func last(t *testing.T, c checkpoint) []float32 {
	t.Helper()
	m, err := models.New(c, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := models.Batch{Seqs: []models.Seq{{IDs: []int32{5, 3, 8, 1, 9}, State: m.NewState(), Want: models.WantLast}}}
	if err := m.Forward(&b, new(tensor.Workspace)); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(b.Logits.Row(0))
}

// TestZooLayouts: other ways of storing a model are the same model.
func TestZooLayouts(t *testing.T) {
	for _, l := range []struct {
		name, dir string
		change    func(c checkpoint) checkpoint
	}{
		{"the misspelt keys of gsa", "zoo_gsa", func(c checkpoint) checkpoint {
			return c.set(t, map[string]string{"expand_k": "", "expand_v": "", "exapnd_k": "1", "exapnd_v": "1"})
		}},
		{"heads of rwkv7 instead of their width", "zoo_rwkv7", func(c checkpoint) checkpoint {
			return c.set(t, map[string]string{"head_dim": "null", "num_heads": "4", "value_dim": "48"})
		}},
		{"one tensor for the mixing of rwkv7", "zoo_rwkv7", func(c checkpoint) checkpoint {
			for _, layer := range []string{"model.layers.0.attn.", "model.layers.1.attn."} {
				all := tensor.Tensor{Name: layer + "x_x", Type: c.tensors[layer+"x_r"].Type, Shape: []int{6, 48}}
				for _, n := range []string{"x_r", "x_w", "x_k", "x_v", "x_a", "x_g"} {
					all.Data = append(all.Data, c.tensors[layer+n].Data...)
					delete(c.tensors, layer+n)
				}
				c.tensors[all.Name] = all
			}
			return c
		}},
		{"either name of a tied feature map", "mom_linear_attn/hedgehog_normalised", func(c checkpoint) checkpoint {
			for n := range c.tensors {
				if strings.Contains(n, "feature_map_q") {
					delete(c.tensors, n)
				}
			}
			return c
		}},
		{"the norm's name without fusion", "zoo_retnet", func(c checkpoint) checkpoint {
			for n, w := range c.tensors {
				if strings.HasSuffix(n, "g_norm_swish_gate.weight") {
					delete(c.tensors, n)
					c.tensors[strings.Replace(n, "g_norm_swish_gate", "g_norm", 1)] = w
				}
			}
			return c
		}},
		{"one tensor for gate and up projections", "zoo_gla", func(c checkpoint) checkpoint {
			for n, up := range c.tensors {
				if strings.HasSuffix(n, "up_proj.weight") {
					gate := strings.Replace(n, "up_proj", "gate_proj", 1)
					g := c.tensors[gate]
					g.Data, g.Shape = slices.Concat(g.Data, up.Data), []int{80, 40}
					c.tensors[gate] = g
					delete(c.tensors, n)
				}
			}
			return c
		}},
	} {
		dir := filepath.Join("testdata/golden", l.dir)
		want, got := last(t, load(t, dir)), last(t, l.change(load(t, dir)))
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", l.name, got[:3], want[:3])
		}
	}
}
