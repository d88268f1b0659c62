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

// architectures maps a model_type to its constructor. The error of a constructor is about the
// configuration; what is wrong with tensors is recorded in the window.
var architectures = map[string]func(kind string, config []byte, p nn.Params) (*Model, error){
	"mom":                newMoM,
	"mom_gated_deltanet": newMoM,
}

// Types returns the supported model types, sorted.
func Types() []string { return slices.Sorted(maps.Keys(architectures)) }

func known() string { return strings.Join(Types(), ", ") }

// modelType reads the type that a configuration names.
func modelType(config []byte) (string, error) {
	if config == nil {
		return "", errors.New("models: config.json is missing: it names the architecture")
	}
	var c struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return "", fmt.Errorf("models: config.json: %w", err)
	}
	if c.ModelType == "" {
		return "", errors.New("models: config.json: model_type is missing; supported are " + known())
	}
	return c.ModelType, nil
}
