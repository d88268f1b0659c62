package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// momCell is the mixer of a mixture of memories over some recurrence, in the layout of
// flash-linear-attention (mom) or of OpenSparseLLMs/MoM (the others).
type momCell struct {
	Memories *int    `json:"num_memories"`
	TopK     int     `json:"topk"`
	Shared   bool    `json:"shared_mem"`
	OneKV    bool    `json:"single_kv_proj"`
	Capacity float64 `json:"capacity"`
	Backend  string  `json:"mom_backend"`

	memory   momMemory
	memories int
	listed   bool   // the shared memory's projections are the last of the lists, not shared_*
	inside   string // the norm inside the mixer where norm_first is set
}

// momMemory is the recurrence of a memory. It checks the keys that a mixture restricts.
type momMemory interface {
	projected
	restrict(is *checks, kind string)
}

// newMoM builds a mixture of memories, hybrids with attention layers included.
func newMoM(kind string, config []byte, p nn.Params) (*Model, error) {
	sh := flaDefaults()
	c := &momCell{TopK: 2, Capacity: 1, Backend: "gated_deltanet", memories: 8}
	switch kind {
	case "mom":
		c.memories, c.Shared, c.memory = 4, true, &momGatedDelta{gatedDeltaCell: gatedDeltaCell{Heads: 4, HeadDim: 256, ExpandV: 1}, OutputGate: true}
	case "mom_gated_deltanet":
		sh.Layers = 21
		c.memory = &momGatedDelta{gatedDeltaCell: gatedDeltaCell{Heads: 6, HeadDim: 256, ExpandV: 2}, OutputGate: true}
	case "mom_gla":
		c.memory = &momGLA{*glaDefaults()}
	case "mom_gsa":
		sh.NormFirst, c.listed, c.inside, c.memory = true, true, "attn.norm.weight", &momGSA{*gsaDefaults()}
	case "mom_linear_attn":
		c.listed, c.memory = true, &momLinearAttn{*linearAttnDefaults()}
	}
	if g, ok := c.memory.(*momGatedDelta); ok {
		g.Gate, g.ShortConv, g.Taps, g.GateAct = true, true, 4, "swish"
	}
	sh.fused = kind != "mom"
	return buildFLA(config, p, sh, &momKind{c, kind})
}

// momKind is a mixture with its model_type. It reads the keys of its memory too.
type momKind struct {
	*momCell
	kind string
}

// UnmarshalJSON reads the keys of the mixture and of its memory.
func (c *momKind) UnmarshalJSON(data []byte) error {
	if err := decode(data, c.momCell); err != nil {
		return err
	}
	return decode(data, c.memory)
}

func (c *momKind) validate(is *checks, sh *flaConfig) {
	if c.Memories != nil && c.kind != "mom_gsa" {
		c.memories = *c.Memories
	}
	is.Between("num_memories", c.memories, 1, maxHeads)
	is.Between("topk", c.TopK, 1, max(1, c.memories))
	is.That(c.Capacity >= 1, "capacity: found %v; below 1 the result depends on the length of a call, which is not supported", c.Capacity)
	is.That(c.Backend == "gated_deltanet", "mom_backend: found %q, expected gated_deltanet", c.Backend)
	for _, a := range sh.Attn {
		is.That(!a.Bias, "attn.qkv_bias: found true; the reference does not pass it on, so what is meant is unknown")
		is.That(a.Theta == 10000, "attn.rope_theta: found %v; the reference does not pass it on and computes with 10000", a.Theta)
	}
	c.memory.restrict(is, c.kind)
	inner := *sh
	inner.NormFirst = false
	c.memory.validate(is, &inner)
}

func (c *momCell) mixerNorm() string { return c.inside }

func (c *momCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer {
	q, _, _ := c.memory.sizes(sh)
	p.Drop("D") // of older files, never used
	m := &nn.MoM{
		Rec: c.memory.recurrence(p, sh), Memories: c.memories, TopK: c.TopK, Shared: c.Shared, OneKV: c.OneKV,
		Router: p.Exact(p.Tensor("gate.weight", c.memories, sh.Width)),
	}
	common := []tensor.Tensor{p.Tensor("q_proj.weight", q, sh.Width)}
	if !c.OneKV {
		for i := range c.memories {
			if p.TooMany() {
				return m
			}
			kv, rates := c.own(p, c.name(i), sh)
			m.Each = append(m.Each, nn.Memory{KV: p.Linear(kv...), Rates: rates})
		}
	}
	if c.Shared || c.OneKV {
		kv, rates := c.own(p, c.name(c.memories), sh)
		common, m.SharedRates = append(common, kv...), rates
	}
	out, gate := c.memory.output(p, sh)
	m.Common, m.Output = p.Linear(append(common, gate...)...), out
	return m
}

// own takes the projections of one memory.
func (c *momCell) own(p nn.Params, name naming, sh *flaConfig) ([]tensor.Tensor, nn.Rates) {
	_, k, v := c.memory.sizes(sh)
	return []tensor.Tensor{p.Tensor(name("k", ".weight"), k, sh.Width), p.Tensor(name("v", ".weight"), v, sh.Width)}, c.memory.rates(p, name, sh)
}

// name gives the tensors of a memory; the shared one comes after all others.
func (c *momCell) name(memory int) naming {
	return func(projection, rest string) string {
		if memory == c.memories && !c.listed {
			return "shared_" + projection + rest
		}
		return fmt.Sprintf("%s_proj.%d%s", projection, memory, rest)
	}
}

// momGatedDelta is a memory of the gated delta rule.
type momGatedDelta struct {
	gatedDeltaCell
	OutputGate bool `json:"use_output_gate"` // of mom; use_gate of mom_gated_deltanet
}

func (c *momGatedDelta) restrict(is *checks, kind string) {
	if kind == "mom" {
		c.Gate = c.OutputGate
	}
	c.ValueHeads, c.NegativeEigenvalues, c.GateAct = nil, false, "swish"
	is.That(c.ShortConv, "use_short_conv: found false; a gated delta rule needs its short convolution")
}

// momGLA is a memory of gated linear attention.
type momGLA struct{ glaCell }

func (*momGLA) restrict(*checks, string) {}

// momGSA is a memory of gated slot attention.
type momGSA struct{ gsaCell }

func (c *momGSA) restrict(is *checks, _ string) {
	is.That(!c.ShortConv, "use_short_conv: found true, which the reference cannot compute")
}

// momLinearAttn is a memory of linear attention.
type momLinearAttn struct{ linearAttnCell }

func (*momLinearAttn) restrict(*checks, string) {}
