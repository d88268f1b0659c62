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

// architectures maps a model_type to its constructor and to what it is; the table of the README is
// made of it.
var architectures = map[string]struct {
	build constructor
	about string
}{
	"bamba":              {newBamba, "Mamba-2 and attention (IBM Bamba)"},
	"delta_net":          {newDeltaNet, "delta rule (DeltaNet), fla layout"},
	"falcon_h1":          {newFalconH1, "Mamba-2 beside attention in every layer (Falcon-H1)"},
	"gated_deltanet":     {newGatedDeltaNet, "gated delta rule (Gated DeltaNet), fla layout, hybrids included"},
	"gla":                {newGLA, "gated linear attention, fla layout"},
	"granitemoehybrid":   {newGraniteHybrid, "Mamba-2 and attention, dense or mixture of experts (Granite 4)"},
	"gsa":                {newGSA, "gated slot attention, fla layout"},
	"hgrn":               {newHGRN, "gated linear recurrence (HGRN), fla layout"},
	"hgrn2":              {newHGRN2, "gated linear recurrence with a wider state (HGRN2), fla layout"},
	"internlm2":          {newInternLM2, "transformer with fused queries, keys and values (InternLM2)"},
	"internvl_chat":      {newMMMamba, "pictures and text: attention without an encoder (HoVLE)"},
	"jamba":              {newJamba, "Mamba-1 and attention, mixture of experts (Jamba)"},
	"kda":                {newKDA, "Kimi delta attention, fla layout"},
	"kimi_linear":        {newKimiLinear, "Kimi delta attention and latent attention, mixture of experts (Kimi Linear)"},
	"lfm2":               {newLFM2, "gated short convolutions and attention (LFM2)"},
	"linear_attn":        {newLinearAttn, "linear attention with a choice of feature maps, fla layout"},
	"llama":              {newLlama, "transformer (LLaMA, SmolLM2 and many others)"},
	"mamba":              {newMamba, "selective state spaces (Mamba), layouts of transformers, fla and state-spaces"},
	"mamba2":             {newMamba, "state-space duality (Mamba-2), layouts of transformers, fla and state-spaces"},
	"minimax":            {newMiniMax, "lightning attention and attention, mixture of experts (MiniMax)"},
	"minimax_text_01":    {newMiniMax, "the same in the released layout (MiniMax-Text-01)"},
	"mistral":            {newMistral, "transformer with a sliding window (Mistral)"},
	"mmMamba_chat":       {newMMMamba, "pictures and text: Mamba-2, attention or both (mmMamba)"},
	"mom":                {newMoM, "mixture of memories over gated delta rules, fla layout; the built-in `fable`"},
	"mom_gated_deltanet": {newMoM, "the same in the released layout (linear-moe-hub/MoM-Gated-Deltanet)"},
	"mom_gla":            {newMoM, "mixture of memories over gated linear attention"},
	"mom_gsa":            {newMoM, "mixture of memories over gated slot attention"},
	"mom_linear_attn":    {newMoM, "mixture of memories over linear attention"},
	"nemotron_h":         {newNemotronH, "Mamba-2, attention and MLP layers, mixture of experts included (Nemotron-H)"},
	"olmo_hybrid":        {newOLMoHybrid, "gated delta rule and attention (OLMo hybrid)"},
	"qwen2":              {newQwen2, "transformer with biases (Qwen2, Qwen2.5)"},
	"qwen3":              {newQwen3, "transformer with norms of queries and keys (Qwen3)"},
	"qwen3_5":            {newQwen3_5, "gated delta rule and gated attention (Qwen3.5), text part"},
	"qwen3_5_text":       {newQwen3_5, "the text part of it alone"},
	"qwen3_next":         {newQwen3Next, "gated delta rule and gated attention, mixture of experts (Qwen3-Next)"},
	"retnet":             {newRetNet, "retention (RetNet), fla layout"},
	"rwkv6":              {newRWKV6, "RWKV-6, fla layout"},
	"rwkv7":              {newRWKV7, "RWKV-7, fla layout"},
	"zamba2":             {newZamba2, "Mamba-2 with shared attention blocks (Zamba2)"},
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
	a, ok := architectures[c.ModelType]
	if !ok {
		return "", nil, fmt.Errorf("models: config.json: model_type %q is not supported; supported are %s", c.ModelType, known())
	}
	return c.ModelType, a.build, nil
}
