package models

import (
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// retnetCell is the mixer of retnet: retention. The keys use_short_conv and conv_size never reach
// the reference's layer.
type retnetCell struct {
	Heads   int     `json:"num_heads"`
	KVHeads *int    `json:"num_kv_heads"`
	ExpandK float64 `json:"expand_k"`
	ExpandV float64 `json:"expand_v"`
	Map     *string `json:"feature_map"`
	Gate    bool    `json:"use_output_gate"`

	grouped
}

func newRetNet(_ string, config []byte, p nn.Params) (*Model, error) {
	sh := flaDefaults()
	sh.HiddenRatio = new(float64)
	*sh.HiddenRatio = 2
	return buildFLA(config, p, sh, &retnetCell{Heads: 8, ExpandK: 1, ExpandV: 2, Gate: true})
}

func (c *retnetCell) validate(is *checks, sh *flaConfig) {
	c.grouped = is.group(sh.Width, c.Heads, c.KVHeads, c.ExpandK, c.ExpandV)
	is.That(c.dimK%2 == 0, "expand_k: heads of %d, expected an even width to rotate", c.dimK)
	is.optionalMap(c.Map)
}

// optionalMap checks a feature map that is null or the name of an activation.
func (c *checks) optionalMap(name *string) {
	if name != nil {
		c.activation("feature_map", *name, "identity", "relu", "sqrelu", "silu", "swish", "sigmoid", "tanh")
	}
}

// activationOf returns the activation of a name, none for nil.
func activationOf(name *string) nn.Activation {
	if name == nil {
		return nn.Identity
	}
	return activations[*name]
}

func (c *retnetCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer { return recurrent(c, p, sh) }

func (c *retnetCell) recurrence(nn.Params, *flaConfig) nn.Recurrence {
	return &nn.Retention{
		Heads: c.heads, KVHeads: c.kv, KeyDim: c.dimK, ValueDim: c.dimV, Decay: nn.RetentionDecays(c.heads),
		Scale: float32(1 / math.Sqrt(float64(c.dimK))), Act: activationOf(c.Map), Rope: nn.NewRope(10000, c.dimK),
	}
}

func (*retnetCell) rates(nn.Params, naming, *flaConfig) nn.Rates { return nn.Rates{} }

func (c *retnetCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return sh.gatedOutput(p, c.heads, c.dimV, c.Gate)
}
