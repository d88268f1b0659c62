package golden

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
)

// Number is a JSON number or the string "-inf".
type Number float64

// UnmarshalJSON reads one.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == `"-inf"` {
		*n = Number(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// Logits returns the numbers as a model would.
func Logits(numbers []Number) []float32 {
	x := make([]float32, len(numbers))
	for i, n := range numbers {
		x[i] = float32(n)
	}
	return x
}

// SamplingCase is one of cases.jsonl: after each stage of an order, the tokens kept and their
// probabilities.
type SamplingCase struct {
	ID      int
	Kind    string // of the logits: normal, ties, flat, ...
	Logits  []Number
	History []int32 // of the prompt and the output, oldest first
	Params  SamplingParams

	Transformers []SamplingStage // the stages that apply in this order
	LlamaCPP     []SamplingStage `json:"llama_cpp"` // and in this
	Mamba        []SamplingStage // and in this
}

// SamplingParams are those of a case; a pointer is nil where the case does not name it.
type SamplingParams struct {
	LogitBias   [][2]float64 `json:"logit_bias"` // id and bias
	Repetition  float64      `json:"repetition_penalty"`
	Frequency   float64      `json:"frequency_penalty"`
	Presence    float64      `json:"presence_penalty"`
	LastN       *int         `json:"penalty_last_n"` // llama.cpp's: 64 if absent, -1 is all, 0 is off
	Temperature *float64
	TopK        int      `json:"top_k"`
	TopP        *float64 `json:"top_p"` // 0 keeps one token
	MinP        float64  `json:"min_p"`
	Typical     float64  `json:"typical_p"`
}

// SamplingStage is what is kept after a stage.
type SamplingStage struct {
	Stage string
	Kept  []int32   // ascending
	Probs []float64 // of those
}

// samplingOrders are the stages of each order.
var samplingOrders = map[string][]string{
	"transformers": {"logit_bias", "repetition_penalty", "temperature", "top_k", "top_p", "min_p", "typical_p"},
	"llama.cpp":    {"logit_bias", "penalties", "top_k", "typical_p", "top_p", "min_p", "temperature"},
	"mamba":        {"top_k", "temperature", "top_p"},
}

// Through returns the parameters of the stages up to one, and the tokens that the penalties see.
func (c *SamplingCase) Through(order, stage string) (p SamplingParams, history []int32, err error) {
	for _, s := range samplingOrders[order] {
		switch s {
		case "logit_bias":
			p.LogitBias = c.Params.LogitBias
		case "repetition_penalty":
			p.Repetition, history = c.Params.Repetition, c.History
		case "penalties":
			p.Repetition, p.Frequency, p.Presence = c.Params.Repetition, c.Params.Frequency, c.Params.Presence
			history = c.lastTokens()
		case "temperature":
			p.Temperature = c.Params.Temperature
		case "top_k":
			p.TopK = c.Params.TopK
		case "top_p":
			p.TopP = c.Params.TopP
		case "min_p":
			p.MinP = c.Params.MinP
		case "typical_p":
			p.Typical = c.Params.Typical
		}
		if s == stage {
			return p, history, nil
		}
	}
	return p, nil, fmt.Errorf("golden: case %d: the order of %s has no stage %q", c.ID, order, stage)
}

// lastTokens is what llama.cpp's penalties see.
func (c *SamplingCase) lastTokens() []int32 {
	n := 64
	if c.Params.LastN != nil {
		n = *c.Params.LastN
	}
	if n < 0 || n > len(c.History) {
		return c.History
	}
	return c.History[len(c.History)-n:]
}

// Stages returns the stages of each order.
func (c *SamplingCase) Stages() map[string][]SamplingStage {
	return map[string][]SamplingStage{"transformers": c.Transformers, "llama.cpp": c.LlamaCPP, "mamba": c.Mamba}
}

// Compare returns what is wrong with the tokens kept and their probabilities, nil if nothing.
// Logits reach 1e4, and divided by a temperature of 0.1 their last bit is 2⁻³⁶, which an
// exponential turns into a relative error.
func (w *SamplingStage) Compare(kept []int32, probs []float64) error {
	if len(kept) != len(w.Kept) {
		return fmt.Errorf("%d tokens kept, want %d", len(kept), len(w.Kept))
	}
	for i, id := range w.Kept {
		if kept[i] != id {
			return fmt.Errorf("token %d kept, want %d", kept[i], id)
		}
		if !(math.Abs(probs[i]-w.Probs[i]) <= 0x1p-36*w.Probs[i]) {
			return fmt.Errorf("probability %v of token %d, want %v", probs[i], id, w.Probs[i])
		}
	}
	return nil
}

// SamplingCases reads cases.jsonl.
func SamplingCases(r io.Reader) (cases []*SamplingCase, err error) {
	d := json.NewDecoder(bufio.NewReader(r))
	for {
		c := new(SamplingCase)
		switch err := d.Decode(c); err {
		case nil:
			cases = append(cases, c)
		case io.EOF:
			return cases, nil
		default:
			return nil, fmt.Errorf("golden: case %d: %w", len(cases), err)
		}
	}
}

// LogProbs is the contents of logprobs.json.
type LogProbs struct {
	// Greedy is the most probable token, the lowest id of equal ones.
	Greedy []struct {
		Logits []Number
		ArgMax int32
	}
	// Perplexity is rows of logits with the token that follows each.
	Perplexity []struct {
		Logits   [][]Number
		Targets  []int32
		LogProbs []Number
		Top      [][][2]Number `json:"top_logprobs"` // id and log-probability
	}
	// KLD is divergence of logits from those of a reference, in nats.
	KLD []struct {
		Ref    []Number `json:"ref_logits"`
		Logits []Number
		KLD    float64
	}
}

// Close reports whether a logarithm of a probability is as good as float64 gives it.
func Close(got, want float64) bool {
	return got == want || math.Abs(got-want) <= 0x1p-40*(1+math.Abs(want))
}
