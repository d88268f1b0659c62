// Package synth writes checkpoints of real shapes with random weights, for measuring speed.
package synth

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// presets are configurations of released or typical models.
var presets = map[string]string{
	// HuggingFaceTB/SmolLM2-135M.
	"llama-135m": `{"model_type": "llama", "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30,
 "num_attention_heads": 9, "num_key_value_heads": 3, "rms_norm_eps": 1e-5, "rope_theta": 100000, "vocab_size": 49152,
 "max_position_embeddings": 8192, "tie_word_embeddings": true}`,
	// Qwen/Qwen3-0.6B.
	"qwen3-0.6b": `{"model_type": "qwen3", "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28,
 "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "rms_norm_eps": 1e-6, "rope_theta": 1000000, "vocab_size": 151936,
 "max_position_embeddings": 40960, "tie_word_embeddings": true}`,
	// state-spaces/mamba-130m-hf, as transformers names its keys.
	"mamba-130m": `{"model_type": "mamba", "hidden_size": 768, "num_hidden_layers": 24, "state_size": 16, "expand": 2, "conv_kernel": 4,
 "time_step_rank": 48, "layer_norm_epsilon": 1e-5, "use_bias": false, "use_conv_bias": true, "vocab_size": 50280, "tie_word_embeddings": true}`,
	// state-spaces/mamba2-130m and -1.3b.
	"mamba2-130m": `{"d_model": 768, "n_layer": 24, "vocab_size": 50277, "ssm_cfg": {"layer": "Mamba2"}, "rms_norm": true,
 "pad_vocab_size_multiple": 16, "tie_embeddings": true}`,
	"mamba2-1.3b": `{"d_model": 2048, "n_layer": 48, "vocab_size": 50277, "ssm_cfg": {"layer": "Mamba2"}, "rms_norm": true,
 "pad_vocab_size_multiple": 16, "tie_embeddings": true}`,
	// Models of about 130M parameters, to compare architectures: RWKV-7 in the shape of
	// fla-hub/rwkv7-168M-pile, the others of its width.
	"rwkv7-130m": `{"model_type": "rwkv7", "hidden_size": 768, "hidden_ratio": 4, "num_hidden_layers": 12, "head_dim": 64, "decay_low_rank_dim": 64,
 "gate_low_rank_dim": 128, "a_low_rank_dim": 64, "v_low_rank_dim": 32, "norm_first": true, "norm_bias": true, "norm_eps": 1e-5,
 "vocab_size": 32000, "tie_word_embeddings": true}`,
	"gla-130m": `{"model_type": "gla", "hidden_size": 768, "num_hidden_layers": 14, "num_heads": 4, "expand_k": 0.5, "expand_v": 1,
 "norm_eps": 1e-6, "vocab_size": 32000, "tie_word_embeddings": true}`,
	"gated_deltanet-130m": `{"model_type": "gated_deltanet", "hidden_size": 768, "num_hidden_layers": 12, "num_heads": 6, "head_dim": 96,
 "expand_v": 2, "norm_eps": 1e-6, "vocab_size": 32000, "tie_word_embeddings": true}`,
	"mom-130m": `{"model_type": "mom", "hidden_size": 768, "num_hidden_layers": 9, "num_heads": 3, "head_dim": 256, "expand_v": 1,
 "hidden_ratio": 3, "norm_eps": 1e-6, "vocab_size": 32000, "num_memories": 4, "topk": 2, "shared_mem": true, "tie_word_embeddings": true}`,
	// linear-moe-hub/MoM-Gated-Deltanet-340M and -1.3B, as the paper's repository configures them.
	"mom-340m": `{"model_type": "mom_gated_deltanet", "hidden_size": 1024, "num_hidden_layers": 24, "num_heads": 4,
 "head_dim": 256, "expand_v": 1, "hidden_ratio": 3, "norm_eps": 1e-6, "vocab_size": 32000, "num_memories": 4, "topk": 2,
 "capacity": 1.0, "shared_mem": true, "single_kv_proj": false, "tie_word_embeddings": true}`,
	"mom-1.3b": `{"model_type": "mom_gated_deltanet", "hidden_size": 2048, "num_hidden_layers": 24, "num_heads": 4,
 "head_dim": 256, "expand_v": 1, "hidden_ratio": 4, "norm_eps": 1e-6, "vocab_size": 32000, "num_memories": 4, "topk": 2,
 "capacity": 1.0, "shared_mem": true, "single_kv_proj": false, "tie_word_embeddings": true}`,
}

// Presets returns the names of the built-in configurations, sorted.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Write makes dir a model directory of the given preset in BF16. Names and shapes are those that
// the architecture binds; the values depend on names alone.
func Write(dir, preset string) (err error) {
	config, ok := presets[preset]
	if !ok {
		return fmt.Errorf("synth: unknown preset %q: want one of %s", preset, strings.Join(Presets(), ", "))
	}
	tensors, err := models.Tensors([]byte(config))
	if err != nil {
		return err
	}
	for i := range tensors {
		tensors[i].Type = tensor.BF16
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	if err := loader.WriteFunc(w, tensors, nil, writeRandom); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644)
}

// writeRandom writes a tensor's values: norms around 1, other vectors around 0, matrices scaled
// so that activations keep their size.
func writeRandom(w io.Writer, t tensor.Tensor) error {
	mean, spread := 0.0, 0.5
	switch {
	case len(t.Shape) > 1:
		spread = 1.7 / math.Sqrt(float64(t.Elements()/t.Shape[0]))
	case strings.Contains(t.Name, "norm"):
		mean, spread = 1, 0.1
	}
	seed := uint64(14695981039346656037)
	for _, c := range []byte(t.Name) {
		seed = (seed ^ uint64(c)) * 1099511628211
	}
	r := rand.New(rand.NewPCG(seed, 1))
	buf := make([]byte, 0, 1<<16)
	for n := t.Elements(); n > 0; {
		buf = buf[:0]
		for ; n > 0 && len(buf) < cap(buf); n-- {
			v := float32(mean + spread*(2*r.Float64()-1))
			buf = binary.LittleEndian.AppendUint16(buf, uint16(math.Float32bits(v)>>16))
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
