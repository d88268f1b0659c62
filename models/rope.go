package models

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mminfer/mminfer/nn"
)

// ropeConfig is the part of a configuration about the rotary embedding: classic keys at the top,
// newer ones in rope_parameters.
type ropeConfig struct {
	Theta        float64      `json:"rope_theta"`
	Partial      float64      `json:"partial_rotary_factor"`
	Scaling      *ropeScaling `json:"rope_scaling"`
	Parameters   *ropeScaling `json:"rope_parameters"`
	MaxPositions float64      `json:"max_position_embeddings"`
	Interleaved  bool         `json:"rope_interleaved"`
}

// ropeScaling is rope_scaling or rope_parameters: null, or an object.
type ropeScaling struct {
	Type       string    `json:"rope_type"`
	OldType    string    `json:"type"`
	Theta      *float64  `json:"rope_theta"`
	Partial    *float64  `json:"partial_rotary_factor"`
	Factor     float64   `json:"factor"`
	Original   *float64  `json:"original_max_position_embeddings"`
	Low        float64   `json:"low_freq_factor"`
	High       float64   `json:"high_freq_factor"`
	Fast       float64   `json:"beta_fast"`
	Slow       float64   `json:"beta_slow"`
	Attention  *float64  `json:"attention_factor"`
	MScale     *float64  `json:"mscale"`
	MScaleAll  *float64  `json:"mscale_all_dim"`
	Truncate   bool      `json:"truncate"`
	Short      []float64 `json:"short_factor"`
	Long       []float64 `json:"long_factor"`
	thetaGiven bool      // null counts
}

// ropeIgnored are keys that change nothing for text: the sections of a multi-section embedding,
// whose positions are all alike, and lists of another type's.
var ropeIgnored = []string{"mrope_section", "mrope_interleaved", "finetuned"}

// UnmarshalJSON reads the object and refuses keys that are not known.
func (s *ropeScaling) UnmarshalJSON(data []byte) error {
	type plain ropeScaling
	p := plain{Fast: 32, Slow: 1, Truncate: true}
	if err := decode(data, &p, "rope_scaling"); err != nil {
		return err
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return err
	}
	*s = ropeScaling(p)
	_, s.thetaGiven = keys["rope_theta"]
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if !tagged(p, key) && !slices.Contains(ropeIgnored, key) {
			return fmt.Errorf("rope_scaling.%s: not a known key", key)
		}
	}
	return nil
}

// kind is the type of scaling.
func (s *ropeScaling) kind() string {
	switch {
	case s == nil:
		return "default"
	case s.Type != "":
		return s.Type
	case s.OldType != "":
		return s.OldType
	}
	return "default"
}

// scaling returns the object in force, nil for none.
func (c *ropeConfig) scaling() *ropeScaling {
	if c.Parameters != nil {
		return c.Parameters
	}
	return c.Scaling
}

// theta is the base.
func (c *ropeConfig) theta() float64 {
	if s := c.scaling(); s != nil && s.Theta != nil {
		return *s.Theta
	}
	return c.Theta
}

// dims is the number of dimensions of a head of the given width that are rotated.
func (c *ropeConfig) dims(width int) int {
	partial := c.Partial
	if s := c.scaling(); s != nil && s.Partial != nil {
		partial = *s.Partial
	}
	return int(float64(width) * partial)
}

// original is the length of text that the model was first trained on.
func (c *ropeConfig) original() float64 {
	if s := c.scaling(); s.Original != nil {
		return *s.Original
	}
	return c.MaxPositions
}

func (c *ropeConfig) validate(is *checks, width int) {
	s := c.scaling()
	is.That(c.Parameters == nil || c.Scaling == nil, "rope_scaling: given beside rope_parameters; expected one of the two")
	is.That(!c.Interleaved, "rope_interleaved: found true, expected false: pairs are of halves")
	is.That(c.theta() > 1 && c.theta() <= 1e15, "rope_theta: found %v, expected a number above 1", c.theta())
	n := c.dims(width)
	is.That(n >= 2 && n <= width && n%2 == 0, "partial_rotary_factor: %d of %d dimensions are rotated, expected an even number of them", n, width)
	switch kind := s.kind(); kind {
	case "default", "mrope", "dynamic":
		return
	case "linear":
	case "llama3":
		is.That(s.Low > 0 && s.High > s.Low && s.High < 1e30, "rope_scaling: low_freq_factor %v and high_freq_factor %v, expected growing positive numbers", s.Low, s.High)
		is.Positive("rope_scaling.original_max_position_embeddings", c.original())
	case "yarn":
		is.Positive("rope_scaling.original_max_position_embeddings", c.original())
		is.That(s.Slow > 0 && s.Fast >= s.Slow && s.Fast < 1e30, "rope_scaling: beta_fast %v and beta_slow %v, expected falling positive numbers", s.Fast, s.Slow)
		is.Positive("rope_scaling.attention_factor", c.attention())
	case "longrope", "su":
		c.validateLong(is, s, n)
		return
	default:
		is.That(false, "rope_scaling: found type %q, expected default, linear, llama3, yarn or dynamic", kind)
		return
	}
	is.Positive("rope_scaling.factor", s.Factor)
}

// validateLong checks a scaling that has two lists of factors, for short texts and for long ones.
func (c *ropeConfig) validateLong(is *checks, s *ropeScaling, dims int) {
	if !slices.Equal(s.Short, s.Long) {
		is.That(false, "rope_scaling: type %q: its frequencies depend on the length of the whole text, so that a text fed in pieces would be another; not supported", s.kind())
		return
	}
	is.That(len(s.Short) == dims/2, "rope_scaling.short_factor: found %d factors, expected %d, one for each pair of dimensions", len(s.Short), dims/2)
	for _, f := range s.Short {
		is.Positive("rope_scaling.short_factor", f)
	}
	is.That(s.Attention != nil && *s.Attention == 1, "rope_scaling.attention_factor: expected 1, the only one supported for type %q", s.kind())
}

// attention is YaRN's factor of sines and cosines.
func (c *ropeConfig) attention() float64 {
	s := c.scaling()
	switch {
	case s.Attention != nil:
		return *s.Attention
	case s.MScale != nil && s.MScaleAll != nil && *s.MScale != 0 && *s.MScaleAll != 0:
		return nn.YarnAttention(s.Factor, *s.MScale) / nn.YarnAttention(s.Factor, *s.MScaleAll)
	}
	return nn.YarnAttention(s.Factor, 1)
}

// build makes the embedding of heads of the given width. Type dynamic changes frequencies with
// the length of the text once that exceeds max_position_embeddings; here they stay as they are.
func (c *ropeConfig) build(width int) *nn.Rope {
	r, s := nn.NewRope(c.theta(), c.dims(width)), c.scaling()
	switch s.kind() {
	case "linear":
		r.Interpolate(s.Factor)
	case "longrope", "su":
		r.Divide(s.Short)
	case "llama3":
		r.Llama3(s.Factor, s.Low, s.High, c.original())
	case "yarn":
		r.Yarn(c.theta(), nn.Yarn{Factor: s.Factor, Original: c.original(), Fast: s.Fast, Slow: s.Slow, Exact: !s.Truncate}, c.attention())
	}
	return r
}
