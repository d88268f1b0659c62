package models

import (
	"slices"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// linearHeads are the sizes of the gated delta rules of a hybrid.
type linearHeads struct {
	KeyHeads   int `json:"linear_num_key_heads"`
	ValueHeads int `json:"linear_num_value_heads"`
	KeyDim     int `json:"linear_key_head_dim"`
	ValueDim   int `json:"linear_value_head_dim"`
	Taps       int `json:"linear_conv_kernel_dim"`
}

func (c *linearHeads) check(is *checks) {
	is.Between("linear_num_key_heads", c.KeyHeads, 1, maxHeads)
	is.Between("linear_num_value_heads", c.ValueHeads, 1, maxHeads)
	is.Between("linear_key_head_dim", c.KeyDim, 1, maxWidth)
	is.Between("linear_value_head_dim", c.ValueDim, 1, maxWidth)
	is.Between("linear_conv_kernel_dim", c.Taps, 1, 256)
	is.That(c.KeyHeads < 1 || c.ValueHeads%c.KeyHeads == 0, "linear_num_value_heads: found %d, expected a multiple of the %d heads of keys", c.ValueHeads, c.KeyHeads)
}

// keys and values are the widths of all heads together.
func (c *linearHeads) keys() int { return c.KeyHeads * c.KeyDim }

func (c *linearHeads) values() int { return c.ValueHeads * c.ValueDim }

// rule takes the recurrence, without its convolutions.
func (c *linearHeads) rule(p nn.Params) *nn.GatedDelta {
	return &nn.GatedDelta{
		Heads: c.ValueHeads, KeyHeads: c.KeyHeads, KeyDim: c.KeyDim, ValueDim: c.ValueDim,
		NegA: nn.NegExp(p.Vec("A_log", c.ValueHeads)), DtBias: p.Vec("dt_bias", c.ValueHeads),
	}
}

// qwenHybrid is what the configurations of Qwen3-Next and Qwen3.5 have in common: gated delta rules,
// and gated attention in some layers.
type qwenHybrid struct {
	decoder
	linearHeads
	Interval      int  `json:"full_attention_interval"`
	AttentionBias bool `json:"attention_bias"`
	OutputGate    bool `json:"attn_output_gate"`
}

// qwenHybridDefaults are the values of absent keys that both agree on.
func qwenHybridDefaults() qwenHybrid {
	c := qwenHybrid{
		decoder: decoderDefaults(), Interval: 4, OutputGate: true,
		linearHeads: linearHeads{KeyHeads: 16, ValueHeads: 32, KeyDim: 128, ValueDim: 128, Taps: 4},
	}
	c.Heads, c.KVHeads, c.HeadDim, c.Partial, c.MaxPositions = 16, new(2), new(256), 0.25, 32768
	return c
}

func (c *qwenHybrid) check(is *checks) {
	is.Between("full_attention_interval", c.Interval, 1, maxLayers)
	if c.Types == nil && is.Err() == nil && c.Layers <= maxLayers {
		for l := range c.Layers {
			kind := "linear_attention"
			if (l+1)%c.Interval == 0 {
				kind = "full_attention"
			}
			c.Types = append(c.Types, kind)
		}
	}
	c.decoder.validate(is, "linear_attention", "full_attention")
	is.That(c.OutputGate, "attn_output_gate: found false, expected true")
	c.linearHeads.check(is)
}

// build makes the model. Delta makes the mixer of a layer without attention, mlp that of layer l.
func (c *qwenHybrid) build(p nn.Params, n names, delta func(q nn.Params) nn.Mixer, mlp func(q nn.Params, l int) nn.Mixer) *Model {
	rope := c.ropeConfig.build(c.headDim())
	return c.model(p, n, centredNorm, func(q nn.Params, l int) []nn.Block {
		var mixer nn.Mixer
		if c.Types[l] == "full_attention" {
			mixer = c.attention(q.Sub("self_attn"), rope)
		} else {
			mixer = delta(q.Sub("linear_attn"))
		}
		return c.layer(q, centredNorm, mixer, mlp(q.Sub("mlp"), l))
	})
}

// attention takes an attention whose query projection holds, for each head, the rows of its query,
// then those of its gate.
func (c *qwenHybrid) attention(p nn.Params, rope *nn.Rope) *nn.Attention {
	d, h := c.headDim(), c.Heads
	kv := c.kvHeads() * d
	q := p.Tensor("q_proj.weight", 2*h*d, c.Width)
	rows := slices.Concat(pick(q, h, 0, d), []tensor.Tensor{p.Tensor("k_proj.weight", kv, c.Width), p.Tensor("v_proj.weight", kv, c.Width)}, pick(q, h, d, 2*d))
	a := &nn.Attention{
		Heads: h, KVHeads: c.kvHeads(), Dim: d, Rope: rope, Gated: true, QKV: p.Linear(rows...),
		QNorm: centredNorm(p, "q_norm.weight", d, c.Eps), KNorm: centredNorm(p, "k_norm.weight", d, c.Eps),
		Out: stack(p, c.AttentionBias, h*d, part{"o_proj", c.Width}),
	}
	if c.AttentionBias {
		b := p.Vec("q_proj.bias", 2*h*d)
		a.QKV.Bias = slices.Concat(pickFloats(b, h, 0, d), p.Vec("k_proj.bias", kv), p.Vec("v_proj.bias", kv), pickFloats(b, h, d, 2*d))
	}
	return a
}

// delta takes a delta rule and what is around it. In are the rows of queries, keys, values and
// output gates, rates those of β and of the decays.
func (c *qwenHybrid) delta(p nn.Params, in, rates []tensor.Tensor) nn.Mixer {
	rule := c.rule(p)
	if taps := p.Vec("conv1d.weight", 2*c.keys()+c.values(), 1, c.Taps); taps != nil {
		k := c.keys() * c.Taps
		rule.Conv = [3]*nn.ShortConv{
			nn.NewShortConv(taps[:k], c.KeyDim, c.Taps), nn.NewShortConv(taps[k:2*k], c.KeyDim, c.Taps), nn.NewShortConv(taps[2*k:], c.ValueDim, c.Taps),
		}
	}
	return &nn.Recurrent{
		Rec: rule, In: p.Linear(in...), Rates: nn.Rates{Direct: p.Exact(rates...)},
		Output: nn.Output{Norm: rmsNorm(p, "norm.weight", c.ValueDim, c.Eps), After: nn.SiLU, Proj: p.High().Linear(p.Tensor("out_proj.weight", c.Width, c.values()))},
	}
}
