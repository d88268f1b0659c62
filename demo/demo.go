// Package demo holds the small trained models that ship inside the program.
package demo

import "embed"

// Fable is the directory of a 6 million parameter mixture of memories that writes fairy tales:
// see fable/README.md.
const Fable = "fable"

// Reader is the directory of a 1.8 million parameter mmMamba that reads small pictures: see
// reader/README.md.
const Reader = "reader"

// Emoji is the directory of a 2.7 million parameter diffusion model that draws pictures of 24 x 24 pixels
// in 16 classes: see emoji/README.md.
const Emoji = "emoji"

// FS holds the models' directories.
//
//go:embed fable/config.json fable/generation_config.json fable/model.safetensors fable/tokenizer.json fable/tokenizer_config.json
//go:embed reader/added_tokens.json reader/config.json reader/generation_config.json reader/model.safetensors reader/preprocessor_config.json
//go:embed reader/special_tokens_map.json reader/tokenizer.model reader/tokenizer_config.json
//go:embed emoji/model_index.json emoji/scheduler/scheduler_config.json emoji/unet/config.json emoji/unet/diffusion_pytorch_model.safetensors
var FS embed.FS
