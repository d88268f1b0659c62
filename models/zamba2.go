package models

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
)

// zamba2Config is the configuration of a Zamba2.
type zamba2Config struct {
	decoder
	Blocks        []string  `json:"layers_block_type"`
	State         int       `json:"mamba_d_state"`
	Taps          int       `json:"mamba_d_conv"`
	Expand        float64   `json:"mamba_expand"`
	Groups        int       `json:"mamba_ngroups"`
	SSMHeads      int       `json:"n_mamba_heads"`
	SSMHeadDim    int       `json:"mamba_headdim"`
	ConvBias      bool      `json:"use_conv_bias"`
	LinearBias    bool      `json:"add_bias_linear"`
	Limit         timeLimit `json:"time_step_limit"`
	AttentionDim  *int      `json:"attention_head_dim"`
	AttentionIn   *int      `json:"attention_hidden_size"`
	Memories      int       `json:"num_mem_blocks"`
	AttentionRank bool      `json:"use_shared_attention_adapter"`
	Rank          int       `json:"adapter_rank"`
	UseRope       bool      `json:"use_mem_rope"`
	LongContext   bool      `json:"use_long_context"`
}

func (c *zamba2Config) validate() (*dual, error) {
	var is checks
	c.noRope, c.acts = !c.UseRope, []string{"gelu"}
	if c.HeadDim = c.AttentionDim; c.HeadDim == nil {
		c.HeadDim = new(2 * c.Width / max(1, c.Heads))
	}
	c.decoder.validate(&is, "hybrid")
	is.That(c.AttentionIn == nil || *c.AttentionIn == 2*c.Width, "attention_hidden_size: found %d, expected twice hidden_size", deref(c.AttentionIn))
	is.That(len(c.Blocks) == c.Layers, "layers_block_type: found %d, expected %d", len(c.Blocks), c.Layers)
	for i, b := range c.Blocks {
		is.That(b == "mamba" || b == "hybrid", "layers_block_type: layer %d is %.40q, expected mamba or hybrid", i, b)
	}
	is.Between("num_mem_blocks", c.Memories, 1, maxLayers)
	is.Between("adapter_rank", c.Rank, 1, maxWidth)
	is.Positive("mamba_expand", c.Expand)
	is.That(!c.LinearBias, "add_bias_linear: found true, expected false: biases of the projections are not supported")
	is.That(!c.LongContext, "use_long_context: found true, expected false: its rotary embedding is not supported")
	s := &dual{
		width: c.Width, heads: c.SSMHeads, headDim: c.SSMHeadDim, groups: c.Groups, state: c.State, taps: c.Taps, convBias: c.ConvBias,
		norm: true, eps: 1e-5, limit: c.Limit, // the reference passes no epsilon to this norm
	}
	s.validate(&is)
	if is.Err() == nil {
		is.That(float64(s.inner()) == math.Trunc(c.Expand*float64(c.Width)), "n_mamba_heads: %d heads of %d are not the inner width", s.heads, s.headDim)
	}
	return s, is.Err()
}

// newZamba2 builds a Zamba2: Mamba-2 layers, some of which hear a shared attention and MLP.
func newZamba2(_ string, config []byte, p nn.Params) (*Model, error) {
	c := zamba2Config{
		decoder: decoderDefaults(), State: 64, Taps: 4, Expand: 2, Groups: 1, SSMHeads: 8, SSMHeadDim: 64, ConvBias: true, Limit: noLimit,
		Memories: 1, Rank: 128,
	}
	c.Width, c.Layers, c.Inner, c.Act, c.Eps, c.Tied = 2560, 54, 10240, "gelu", 1e-5, true
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	memories := make([]zambaMemory, c.Memories)
	uses := 0
	return c.model(p, hybridNames, rmsNorm, func(q nn.Params, l int) []nn.Block {
		if c.Blocks[l] == "mamba" {
			return []nn.Block{{Norm: rmsNorm(q, "input_layernorm.weight", c.Width, c.Eps), Mixer: mamba.build(q.Sub("mamba"))}}
		}
		m := &memories[uses%c.Memories]
		if m.layer.Attention == nil {
			*m = c.memory(q.Sub("shared_transformer"))
		}
		z := m.use(&c, uses)
		z.Linear = q.Linear(q.Tensor("linear.weight", c.Width, c.Width))
		d := q.Sub("mamba_decoder")
		z.MambaNorm, z.Mamba = rmsNorm(d, "input_layernorm.weight", c.Width, c.Eps), mamba.build(d.Sub("mamba"))
		uses++
		return []nn.Block{{Mixer: z, Embeds: true}}
	}), nil
}

// zambaMemory is a shared attention and MLP, whose tensors are with the first layer that uses it.
type zambaMemory struct {
	window nn.Params
	layer  nn.Zamba // what all uses have in common
}

// memory takes the tensors of a shared block.
func (c *zamba2Config) memory(p nn.Params) zambaMemory {
	a, f, d := p.Sub("self_attn"), p.Sub("feed_forward"), c.headDim()
	attention := &nn.Attention{
		Heads: c.Heads, KVHeads: c.kvHeads(), Dim: d, Scale: float32(1 / math.Sqrt(float64(d)/2)),
		QKV: stack(a, false, 2*c.Width, part{"q_proj", c.Heads * d}, part{"k_proj", c.kvHeads() * d}, part{"v_proj", c.kvHeads() * d}),
		Out: stack(a, false, c.Heads*d, part{"o_proj", c.Width}),
	}
	if c.UseRope {
		attention.Rope = c.build(d)
	}
	return zambaMemory{p, nn.Zamba{
		Norm: rmsNorm(p, "input_layernorm.weight", 2*c.Width, c.Eps), Attention: attention,
		MLPNorm: rmsNorm(p, "pre_ff_layernorm.weight", c.Width, c.Eps),
		GateUp:  stack(f, false, c.Width, part{"gate_up_proj", 2 * c.Inner}), Down: stack(f, false, c.Inner, part{"down_proj", c.Width}),
	}}
}

// use returns the layer with the adapters of a use, which counts from 0 over the whole model.
func (m *zambaMemory) use(c *zamba2Config, use int) *nn.Zamba {
	z, attention := m.layer, *m.layer.Attention
	a, f := m.window.Sub("self_attn"), m.window.Sub("feed_forward")
	z.Adapter = c.adapter(f, use, c.Width, part{"gate_up_proj_adapter_list", 2 * c.Inner})
	if d := c.headDim(); c.AttentionRank {
		attention.Adapter = c.adapter(a, use, 2*c.Width, part{"linear_q_adapter_list", c.Heads * d},
			part{"linear_k_adapter_list", c.kvHeads() * d}, part{"linear_v_adapter_list", c.kvHeads() * d})
	}
	z.Attention = &attention
	return &z
}

// adapter takes the low-rank corrections of some projections of an input of cols columns.
func (c *zamba2Config) adapter(p nn.Params, use, cols int, parts ...part) *nn.Adapter {
	var down []part
	a := new(nn.Adapter)
	for _, t := range parts {
		name := fmt.Sprintf("%s.%d", t.name, use)
		down = append(down, part{name + ".0", c.Rank})
		a.Up = append(a.Up, stack(p, false, c.Rank, part{name + ".1", t.rows}))
	}
	a.Down = stack(p, false, cols, down...)
	return a
}
