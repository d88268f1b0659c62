package models

import (
	"slices"

	"github.com/mminfer/mminfer/nn"
)

// qwen3NextConfig is the configuration of a Qwen3-Next: a hybrid with experts.
type qwen3NextConfig struct {
	qwenHybrid
	Experts     int   `json:"num_experts"`
	TopK        int   `json:"num_experts_per_tok"`
	Normalise   bool  `json:"norm_topk_prob"`
	SparseStep  int   `json:"decoder_sparse_step"`
	DenseLayers []int `json:"mlp_only_layers"`
	ExpertInner int   `json:"moe_intermediate_size"`
	SharedInner int   `json:"shared_expert_intermediate_size"`
}

func (c *qwen3NextConfig) validate() error {
	var is checks
	c.qwenHybrid.check(&is)
	if c.Experts != 0 {
		is.experts("num_experts", c.Experts, "num_experts_per_tok", c.TopK)
		is.Between("decoder_sparse_step", c.SparseStep, 1, maxLayers)
		is.Between("moe_intermediate_size", c.ExpertInner, 1, 16*maxWidth)
		is.Between("shared_expert_intermediate_size", c.SharedInner, 1, 16*maxWidth)
	}
	return is.Err()
}

// newQwen3Next builds a Qwen3-Next.
func newQwen3Next(_ string, config []byte, p nn.Params) (*Model, error) {
	c := qwen3NextConfig{qwenHybrid: qwenHybridDefaults(), Experts: 512, TopK: 10, Normalise: true, SparseStep: 1, ExpertInner: 512, SharedInner: 512}
	c.Width, c.Inner, c.Layers, c.Vocab = 2048, 5632, 48, 151936
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	dropPrediction(p)
	return c.build(p, transformers, c.interleaved, c.mlp), nil
}

// dropPrediction accepts the layers that predict further tokens.
func dropPrediction(p nn.Params) { p.DropAll("mtp") }

// interleaved takes a delta rule whose projections hold, for each head of keys, a query, a key,
// the values and the output gates; and the rates of β, then the decays.
func (c *qwen3NextConfig) interleaved(p nn.Params) nn.Mixer {
	r := c.ValueHeads / c.KeyHeads
	k, v := c.KeyDim, r*c.ValueDim
	qkvz := p.Tensor("in_proj_qkvz.weight", 2*(c.keys()+c.values()), c.Width)
	ba := p.Tensor("in_proj_ba.weight", 2*c.ValueHeads, c.Width)
	in := slices.Concat(pick(qkvz, c.KeyHeads, 0, k), pick(qkvz, c.KeyHeads, k, 2*k), pick(qkvz, c.KeyHeads, 2*k, 2*k+v), pick(qkvz, c.KeyHeads, 2*k+v, 2*k+2*v))
	return c.delta(p, in, slices.Concat(pick(ba, c.KeyHeads, 0, r), pick(ba, c.KeyHeads, r, 2*r)))
}

// mlp takes the MLP or the experts of layer l.
func (c *qwen3NextConfig) mlp(p nn.Params, l int) nn.Mixer {
	if c.Experts == 0 || (l+1)%c.SparseStep != 0 || slices.Contains(c.DenseLayers, l) {
		return c.decoder.mlp(p, false)
	}
	m := moe(p, projNames, c.Experts, c.Width, c.ExpertInner, nn.Routing{TopK: c.TopK, Chosen: c.Normalise})
	m.Shared = swiglu(p.Sub("shared_expert"), false, c.Width, c.SharedInner, "gate_proj", "up_proj", "down_proj")
	m.SharedGate = p.Exact(p.Tensor("shared_expert_gate.weight", 1, c.Width))
	return m
}
