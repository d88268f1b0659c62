package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// olmoHybridConfig is the configuration of an OLMo-Hybrid: gated delta rules with norms before the
// branches, attention with norms after them.
type olmoHybridConfig struct {
	decoder
	linearHeads
	AttentionBias       bool  `json:"attention_bias"`
	NegativeEigenvalues *bool `json:"linear_allow_neg_eigval"`
	UseGate             *bool `json:"linear_use_gate"`
}

func (c *olmoHybridConfig) validate() error {
	var is checks
	is.That(c.Parameters != nil && c.Parameters.thetaGiven, `rope_parameters.rope_theta: missing; expected a number, or null for no rotation`)
	c.noRope = c.Parameters != nil && c.Parameters.Theta == nil
	is.That(c.Types != nil, "layer_types: missing")
	is.That(c.NegativeEigenvalues != nil, "linear_allow_neg_eigval: missing")
	is.That(c.UseGate == nil || *c.UseGate, "linear_use_gate: found false, expected true")
	c.decoder.validate(&is, "linear_attention", "full_attention")
	c.linearHeads.check(&is)
	return is.Err()
}

// newOLMoHybrid builds an OLMo-Hybrid.
func newOLMoHybrid(_ string, config []byte, p nn.Params) (*Model, error) {
	c := olmoHybridConfig{decoder: decoderDefaults()}
	c.Taps = 4
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	var rope *nn.Rope
	if !c.noRope {
		rope = c.build(c.headDim())
	}
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		mlp := c.mlp(q.Sub("mlp"), false)
		if c.Types[l] == "full_attention" {
			return []nn.Block{
				{Mixer: c.attention(q.Sub("self_attn"), rope), After: rmsNorm(q, "post_attention_layernorm.weight", c.Width, c.Eps)},
				{Mixer: mlp, After: rmsNorm(q, "post_feedforward_layernorm.weight", c.Width, c.Eps)},
			}
		}
		return []nn.Block{
			{Norm: rmsNorm(q, "attention_layer_norm.weight", c.Width, c.Eps), Mixer: c.delta(q.Sub("linear_attn"))},
			{Norm: rmsNorm(q, "feedforward_layer_norm.weight", c.Width, c.Eps), Mixer: mlp},
		}
	}), nil
}

// attention takes an attention whose queries and keys are normalised over all heads.
func (c *olmoHybridConfig) attention(p nn.Params, rope *nn.Rope) *nn.Attention {
	a := c.decoder.attention(p, rope, c.AttentionBias, c.AttentionBias)
	a.QNorm = rmsNorm(p, "q_norm.weight", c.Heads*c.headDim(), c.Eps)
	a.KNorm = rmsNorm(p, "k_norm.weight", c.kvHeads()*c.headDim(), c.Eps)
	return a
}

// delta takes a delta rule. Its norm has an epsilon of its own.
func (c *olmoHybridConfig) delta(p nn.Params) *nn.Recurrent {
	const eps = 1e-5
	rule := c.rule(p)
	rule.NegativeEigenvalues = *c.NegativeEigenvalues
	rule.Conv = shortConvs(p, qkv, [3]int{c.keys(), c.keys(), c.values()}, [3]int{c.KeyDim, c.KeyDim, c.ValueDim}, c.Taps)
	rows := func(name string, n int) tensor.Tensor { return p.Tensor(name+"_proj.weight", n, c.Width) }
	return &nn.Recurrent{
		Rec: rule, In: p.Linear(rows("q", c.keys()), rows("k", c.keys()), rows("v", c.values()), rows("g", c.values())),
		Rates:  nn.Rates{Direct: p.Exact(rows("b", c.ValueHeads), rows("a", c.ValueHeads))},
		Output: nn.Output{Norm: rmsNorm(p, "o_norm.weight", c.ValueDim, eps), After: nn.SiLU, Proj: p.High().Linear(p.Tensor("o_proj.weight", c.Width, c.values()))},
	}
}
