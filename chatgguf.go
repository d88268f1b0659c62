package mminfer

import (
	"encoding/json"
	"io/fs"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tokenizer"
)

// ggufTokens are a GGUF file's keys of special tokens' ids, and their names in tokenizer_config.json.
var ggufTokens = map[string]string{
	"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token", "seperator": "sep_token", "mask": "mask_token",
}

// GGUFChat returns the chat templates and special tokens of a GGUF file as the tokenizer_config.json
// that a directory would have: a read function for [OpenChatTemplate] and [NewChatTemplate].
func GGUFChat(g *loader.GGUF, tok *tokenizer.Tokenizer) func(name string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if name != "tokenizer_config.json" {
			return nil, fs.ErrNotExist
		}
		const key = "tokenizer.chat_template"
		config := make(map[string]any)
		type named struct {
			Name     string `json:"name"`
			Template string `json:"template"`
		}
		var templates []named
		for _, k := range g.Keys() {
			if k != key && !strings.HasPrefix(k, key+".") {
				continue
			}
			source, err := g.String(k)
			if err != nil {
				return nil, err
			}
			if k == key {
				k += "." + defaultTemplate
			}
			templates = append(templates, named{k[len(key)+1:], source})
		}
		if templates != nil {
			config["chat_template"] = templates
		}
		for k, name := range ggufTokens {
			if id, err := g.Int("tokenizer.ggml." + k + "_token_id"); err == nil && tok != nil && id >= 0 && id < int64(tok.VocabSize()) {
				config[name], _ = tok.Token(int32(id))
			}
		}
		return json.Marshal(config)
	}
}
