package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Files of a model directory, in order of preference.
var (
	sentencePieceFiles = []string{"tokenizer.model", "spiece.model"}
	rwkvFiles          = []string{"rwkv_vocab_v20230424.txt", "rwkv_vocab.txt"}
)

// Open builds the tokenizer of a model directory. It reads the first of these files that is there:
//
//   - tokenizer.json, with [Parse];
//   - tokenizer.model or spiece.model, with [ParseSentencePiece]; added_tokens.json and
//     tokenizer_config.json (tokenizer_class, legacy, add_bos_token, add_eos_token,
//     added_tokens_decoder) then say the rest, as in the transformers library;
//   - rwkv_vocab_v20230424.txt or rwkv_vocab.txt, with [ParseRWKV].
//
// read returns the contents of a file by its base name, and an error that wraps [fs.ErrNotExist] if
// there is none. Open's error wraps it if none of the files is there.
func Open(read func(name string) ([]byte, error)) (*Tokenizer, error) {
	data, err := read("tokenizer.json")
	if err == nil {
		return Parse(data)
	}
	for _, name := range sentencePieceFiles {
		if errors.Is(err, fs.ErrNotExist) {
			if data, err = read(name); err == nil {
				return openSentencePiece(data, read)
			}
		}
	}
	for _, name := range rwkvFiles {
		if errors.Is(err, fs.ErrNotExist) {
			if data, err = read(name); err == nil {
				return ParseRWKV(data)
			}
		}
	}
	return nil, fmt.Errorf("tokenizer: expected tokenizer.json, tokenizer.model, spiece.model or an RWKV vocabulary: %w", err)
}

// openSentencePiece reads a model with what the files beside it say.
func openSentencePiece(model []byte, read func(name string) ([]byte, error)) (*Tokenizer, error) {
	var opts SentencePieceOptions
	var added map[string]int32
	if err := readBeside(read, "added_tokens.json", &added); err != nil {
		return nil, err
	}
	for content, id := range added {
		opts.Added = append(opts.Added, AddedToken{Content: content, ID: id, Special: true})
	}
	var config struct {
		Class  string `json:"tokenizer_class"`
		Legacy *bool  `json:"legacy"`
		AddBOS *bool  `json:"add_bos_token"`
		AddEOS *bool  `json:"add_eos_token"`
		Added  map[string]struct {
			Content    string `json:"content"`
			SingleWord bool   `json:"single_word"`
			LStrip     bool   `json:"lstrip"`
			RStrip     bool   `json:"rstrip"`
			Special    bool   `json:"special"`
		} `json:"added_tokens_decoder"`
	}
	if err := readBeside(read, "tokenizer_config.json", &config); err != nil {
		return nil, err
	}
	for key, x := range config.Added {
		id, err := strconv.ParseInt(key, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("tokenizer: tokenizer_config.json: added_tokens_decoder: found id %s, expected a number", clip(key))
		}
		opts.Added = append(opts.Added, AddedToken{
			Content: x.Content, ID: int32(id), SingleWord: x.SingleWord, LStrip: x.LStrip, RStrip: x.RStrip, Special: x.Special,
		})
	}
	opts.PrefixFirst = config.Legacy != nil && !*config.Legacy
	opts.CleanUp = config.Class == "InternLM2Tokenizer"
	opts.AddBOS, opts.AddEOS = config.AddBOS, config.AddEOS
	return ParseSentencePiece(model, opts)
}

// readBeside decodes a JSON file if it is there.
func readBeside(read func(name string) ([]byte, error), name string, dst any) error {
	data, err := read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, dst)
	}
	if err != nil {
		return fmt.Errorf("tokenizer: %s: %w", name, err)
	}
	return nil
}
