package loader

import (
	"encoding/json"
	"fmt"
)

// tokenizerConfig returns what tokenizer_config.json says of the chat template and of the tokens that
// templates name.
func (g *GGUF) tokenizerConfig() ([]byte, error) {
	config := map[string]any{}
	if template, err := g.String("tokenizer.chat_template"); err == nil {
		config["chat_template"] = template
	}
	tokens := g.values["tokenizer.ggml.tokens"]
	wanted := map[int64][]string{}
	for _, name := range []string{"bos", "eos", "unk", "pad"} {
		key := map[string]string{"unk": "unknown", "pad": "padding"}[name]
		if key == "" {
			key = name
		}
		if id, err := g.Int("tokenizer.ggml." + key + "_token_id"); err == nil {
			wanted[id] = append(wanted[id], name+"_token")
		}
	}
	if id := int64(0); tokens.kind == ggufString {
		for text := range tokens.elements() {
			for _, name := range wanted[id] {
				config[name] = string(text)
			}
			id++
		}
	}
	for _, name := range []string{"add_bos_token", "add_eos_token"} {
		if add, err := g.Bool("tokenizer.ggml." + name); err == nil {
			config[name] = add
		}
	}
	data, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("keys tokenizer.*: %w", err)
	}
	return data, nil
}
