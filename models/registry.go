package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/nn"
)

// constructor builds the model of a configuration. Its error is about the configuration; what is
// wrong with tensors is recorded in the window.
type constructor func(kind string, config []byte, p nn.Params) (*Model, error)

// architectures maps a model_type to its constructor.
var architectures = map[string]constructor{
	"bamba":              newBamba,
	"delta_net":          newDeltaNet,
	"falcon_h1":          newFalconH1,
	"gated_deltanet":     newGatedDeltaNet,
	"gla":                newGLA,
	"granitemoehybrid":   newGraniteHybrid,
	"gsa":                newGSA,
	"hgrn":               newHGRN,
	"hgrn2":              newHGRN2,
	"internlm2":          newInternLM2,
	"jamba":              newJamba,
	"kda":                newKDA,
	"kimi_linear":        newKimiLinear,
	"lfm2":               newLFM2,
	"linear_attn":        newLinearAttn,
	"llama":              newLlama,
	"mamba":              newMamba,
	"mamba2":             newMamba,
	"minimax":            newMiniMax,
	"minimax_text_01":    newMiniMax,
	"mistral":            newMistral,
	"mom":                newMoM,
	"mom_gated_deltanet": newMoM,
	"mom_gla":            newMoM,
	"mom_gsa":            newMoM,
	"mom_linear_attn":    newMoM,
	"nemotron_h":         newNemotronH,
	"olmo_hybrid":        newOLMoHybrid,
	"qwen2":              newQwen2,
	"qwen3":              newQwen3,
	"qwen3_5":            newQwen3_5,
	"qwen3_5_text":       newQwen3_5,
	"qwen3_next":         newQwen3Next,
	"retnet":             newRetNet,
	"rwkv6":              newRWKV6,
	"rwkv7":              newRWKV7,
	"zamba2":             newZamba2,
}

// Types returns the supported model types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(architectures)) }

func known() string { return strings.Join(Types(), ", ") }

// architecture returns the model type that a configuration names and its constructor.
func architecture(config []byte) (string, constructor, error) {
	if config == nil {
		return "", nil, errors.New("models: config.json is missing: it names the architecture")
	}
	var c struct {
		ModelType string          `json:"model_type"`
		SSM       json.RawMessage `json:"ssm_cfg"` // of state-spaces, which name no type
	}
	if err := decode(config, &c); err != nil {
		return "", nil, fmt.Errorf("models: config.json: %w", err)
	}
	if c.ModelType == "" && c.SSM != nil {
		kind, err := stateSpacesType(c.SSM)
		if err != nil {
			return "", nil, fmt.Errorf("models: config.json: %w", err)
		}
		c.ModelType = kind
	}
	if c.ModelType == "" {
		return "", nil, errors.New("models: config.json: model_type is missing; supported are " + known())
	}
	build, ok := architectures[c.ModelType]
	if !ok {
		return "", nil, fmt.Errorf("models: config.json: model_type %q is not supported; supported are %s", c.ModelType, known())
	}
	return c.ModelType, build, nil
}
