// Package demo holds the small trained models that ship inside the program.
package demo

import "embed"

// Fable is the directory of a 6 million parameter mixture of memories that writes fairy tales:
// see fable/README.md.
const Fable = "fable"

// FS holds the models' directories.
//
//go:embed fable/config.json fable/generation_config.json fable/model.safetensors fable/tokenizer.json fable/tokenizer_config.json
var FS embed.FS
