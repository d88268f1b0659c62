package models

import (
	"math"

	"github.com/mminfer/mminfer/nn"
)

// falconH1Config is the configuration of a Falcon-H1.
type falconH1Config struct {
	decoder
	mambaHeads
	Inside        *int       `json:"mamba_d_ssm"` // null: what mamba_expand gives
	Norm          bool       `json:"mamba_rms_norm"`
	NormFirst     bool       `json:"mamba_norm_before_gate"`
	AttentionBias bool       `json:"attention_bias"`
	MLPBias       bool       `json:"mlp_bias"`
	OutBias       bool       `json:"projectors_bias"`
	EmbedScale    float64    `json:"embedding_multiplier"`
	HeadScale     float64    `json:"lm_head_multiplier"`
	KeyScale      float64    `json:"key_multiplier"`
	AttentionIn   float64    `json:"attention_in_multiplier"`
	AttentionOut  float64    `json:"attention_out_multiplier"`
	SSMIn         float64    `json:"ssm_in_multiplier"`
	SSMOut        float64    `json:"ssm_out_multiplier"`
	SSMScales     *[]float64 `json:"ssm_multipliers"` // of gates, inputs, B, C and Δ
	MLPScales     *[]float64 `json:"mlp_multipliers"` // of the gate and of the output
	UseMLP        bool       `json:"mamba_use_mlp"`
}

func (c *falconH1Config) validate() (*dual, error) {
	var is checks
	c.decoder.validate(&is, "hybrid")
	for key, x := range map[string]float64{
		"embedding_multiplier": c.EmbedScale, "lm_head_multiplier": c.HeadScale, "key_multiplier": c.KeyScale,
		"attention_in_multiplier": c.AttentionIn, "attention_out_multiplier": c.AttentionOut,
		"ssm_in_multiplier": c.SSMIn, "ssm_out_multiplier": c.SSMOut,
	} {
		is.That(math.Abs(x) < 1e30, "%s: found %v, expected a number", key, x)
	}
	c.SSMScales, c.MLPScales = orOnes(c.SSMScales, 5), orOnes(c.MLPScales, 2)
	is.That(len(*c.SSMScales) == 5, "ssm_multipliers: found %d, expected 5", len(*c.SSMScales))
	is.That(len(*c.MLPScales) == 2, "mlp_multipliers: found %d, expected 2", len(*c.MLPScales))
	is.That(c.UseMLP, "mamba_use_mlp: found false, expected true")
	is.That(c.Inside == nil || *c.Inside >= 1, "mamba_d_ssm: found %d, expected null or at least 1", deref(c.Inside))
	mamba := c.dual(c.Width, deref(c.Inside), c.Eps, &is)
	mamba.norm, mamba.normFirst, mamba.outBias = c.Norm, c.NormFirst, c.OutBias
	return mamba, is.Err()
}

// orOnes returns the list, or n ones if there is none.
func orOnes(list *[]float64, n int) *[]float64 {
	if list != nil {
		return list
	}
	l := make([]float64, n)
	for i := range l {
		l[i] = 1
	}
	return &l
}

// newFalconH1 builds a Falcon-H1: Mamba-2 and attention side by side in every layer, then an MLP.
func newFalconH1(_ string, config []byte, p nn.Params) (*Model, error) {
	c := falconH1Config{
		decoder: decoderDefaults(), mambaHeads: mambaHeadsDefaults(), NormFirst: true, EmbedScale: 1, HeadScale: 1, KeyScale: 1,
		AttentionIn: 1, AttentionOut: 1, SSMIn: 1, SSMOut: 1, UseMLP: true, Inside: new(1024),
	}
	c.Vocab, c.Inner, c.KVHeads, c.Eps, c.Theta = 128000, 14336, new(8), 1e-5, 100000
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	m := c.model(p, hybridNames, rmsNorm, func(q nn.Params, _ int) []nn.Block {
		attention := c.attention(q.Sub("self_attn"), rope, c.AttentionBias, c.AttentionBias)
		attention.Scale = float32(c.KeyScale / math.Sqrt(float64(c.headDim())))
		ssm := mamba.build(q.Sub("mamba"))
		ssm.Scale = c.scales(mamba)
		mlp := c.mlp(q.Sub("feed_forward"), c.MLPBias)
		mlp.GateScale = float32((*c.MLPScales)[0])
		ff := c.feedForward(q, mlp)
		ff.Scale = float32((*c.MLPScales)[1])
		return []nn.Block{{Norm: rmsNorm(q, "input_layernorm.weight", c.Width, c.Eps), Mixer: nn.Parallel{
			{Mixer: ssm, In: float32(c.SSMIn), Out: float32(c.SSMOut)},
			{Mixer: attention, In: float32(c.AttentionIn), Out: float32(c.AttentionOut)},
		}}, ff}
	})
	m.embedScale, m.logitScale = float32(c.EmbedScale), float32(c.HeadScale)
	return m, nil
}

// scales returns the factors of what the input projection of a Mamba-2 layer gives.
func (c *falconH1Config) scales(s *dual) (v []float32) {
	for i, n := range []int{s.inner(), s.inner(), s.groups * s.state, s.groups * s.state, s.heads} {
		for range n {
			v = append(v, float32((*c.SSMScales)[i]))
		}
	}
	return v
}
