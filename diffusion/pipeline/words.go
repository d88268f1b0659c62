package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/tokenizer"
)

// words turns prompts into the ids that a text encoder of CLIP reads.
type words struct {
	tok        *tokenizer.Tokenizer
	begin, end int32
	pad        int32
	most       int // ids of a prompt, with both ends
}

// openWords reads a tokenizer folder: tokenizer.json, or vocab.json and merges.txt as CLIP has them, and
// what special_tokens_map.json and tokenizer_config.json call the ends and the padding.
func openWords(f *folder) (*words, error) {
	dir := f.at("tokenizer")
	names := special{Begin: "<|startoftext|>", End: "<|endoftext|>", Pad: "<|endoftext|>"}
	for _, name := range []string{"tokenizer_config.json", "special_tokens_map.json"} {
		data, err := readFile(f.fsys, dir+"/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = names.read(data)
		}
		if err != nil {
			return nil, fmt.Errorf("tokenizer: %s: %w", name, err)
		}
	}
	tok, err := openTokenizer(f.fsys, dir, names)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	w := &words{tok: tok}
	for _, one := range []struct {
		content string
		id      *int32
	}{{names.Begin, &w.begin}, {names.End, &w.end}, {names.Pad, &w.pad}} {
		id, ok := tok.ID(one.content)
		if !ok {
			return nil, fmt.Errorf("tokenizer: found no token %q in the vocabulary", clip(one.content))
		}
		*one.id = id
	}
	return w, nil
}

// special are the contents of special tokens.
type special struct{ Begin, End, Pad string }

// read takes over what a file says: a content, or an object with one.
func (s *special) read(data []byte) error {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(data, &file); err != nil {
		return err
	}
	for key, to := range map[string]*string{"bos_token": &s.Begin, "eos_token": &s.End, "pad_token": &s.Pad} {
		raw, ok := file[key]
		if !ok || string(raw) == "null" {
			continue
		}
		var token struct {
			Content string `json:"content"`
		}
		if json.Unmarshal(raw, to) != nil {
			if err := json.Unmarshal(raw, &token); err != nil {
				return fmt.Errorf("%s: found %s, expected a text", key, clip(string(raw)))
			}
			*to = token.Content
		}
	}
	return nil
}

// openTokenizer reads tokenizer.json or makes one of the two files of CLIP's own.
func openTokenizer(fsys fs.FS, dir string, names special) (*tokenizer.Tokenizer, error) {
	data, err := readFile(fsys, dir+"/tokenizer.json")
	if err == nil {
		return tokenizer.Parse(data)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	vocab, err := readFile(fsys, dir+"/vocab.json")
	if err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	merges, err := readFile(fsys, dir+"/merges.txt")
	if err != nil {
		return nil, fmt.Errorf("merges.txt: %w", err)
	}
	if data, err = clipJSON(vocab, merges, names); err != nil {
		return nil, err
	}
	return tokenizer.Parse(data)
}

// clipJSON is the tokenizer.json of CLIP's vocabulary and merges.
func clipJSON(vocab, merges []byte, names special) ([]byte, error) {
	var ids map[string]int32
	if err := json.Unmarshal(vocab, &ids); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	var pairs []string
	for line := range strings.Lines(string(merges)) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && !strings.HasPrefix(line, "#version") {
			pairs = append(pairs, line)
		}
	}
	type object = map[string]any
	var added []object
	for _, content := range []string{names.Begin, names.End} {
		id, ok := ids[content]
		if !ok {
			return nil, fmt.Errorf("vocab.json: found no token %q", clip(content))
		}
		added = append(added, object{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	return json.Marshal(object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "post_processor": nil,
		"normalizer": object{"type": "Sequence", "normalizers": []object{
			{"type": "NFC"}, {"type": "Replace", "pattern": object{"Regex": `\s+`}, "content": " "}, {"type": "Lowercase"},
		}},
		"pre_tokenizer": object{"type": "Sequence", "pretokenizers": []object{
			{"type": "Split", "pattern": object{"Regex": `'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`}, "behavior": "Removed", "invert": true},
			{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
		}},
		"decoder": object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
		"model": object{
			"type": "BPE", "dropout": nil, "unk_token": names.End, "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": ids, "merges": pairs,
		},
	})
}

// fit checks that every id has an embedding, and takes over how many ids a prompt has.
func (w *words) fit(c *net.CLIPText) error {
	w.most = c.MaxTokens
	if w.most < 3 {
		return fmt.Errorf("text_encoder: found %d positions, expected at least 3", w.most)
	}
	for content, id := range map[string]int32{"begin": w.begin, "end": w.end, "padding": w.pad} {
		if int(id) >= c.Vocab {
			return fmt.Errorf("tokenizer: found id %d of the %s, expected less than the %d of text_encoder's vocabulary", id, content, c.Vocab)
		}
	}
	return nil
}

// ids are those of a prompt, padded to all positions, and how many of the prompt's own were left out.
func (w *words) ids(prompt string) (ids []int32, lost int) {
	own := w.tok.Encode(nil, prompt, tokenizer.EncodeOptions{Recognize: tokenizer.RecognizePlain})
	if most := w.most - 2; len(own) > most {
		lost = len(own) - most
		own = own[:most]
	}
	ids = append(append([]int32{w.begin}, own...), w.end)
	for len(ids) < w.most {
		ids = append(ids, w.pad)
	}
	return ids, lost
}
