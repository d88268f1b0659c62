package tokenizer

import "fmt"

// Bounds of what a file may ask for; real files are far below.
const (
	maxFile     = 1 << 30 // bytes
	maxVocab    = 1 << 21 // ids
	maxStages   = 32      // normalizers; pre-tokenizers
	maxAdded    = 1 << 22 // bytes of all added tokens together
	maxTemplate = 1 << 10 // ids that the post-processor adds
)

// Parse reads a tokenizer.json. It takes time and memory proportional to the length of the file.
// An error names the part that is malformed or not supported, and what is supported there.
func Parse(tokenizerJSON []byte) (*Tokenizer, error) {
	t, err := parse(tokenizerJSON, modelOf)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	t.spell()
	return t, nil
}

// modelOf sets the model of a file.
func modelOf(t *Tokenizer, file object) error {
	v, err := file.get("model")
	if err != nil {
		return err
	}
	return t.parseModel(v)
}

// parse reads a file, but for what its tokens decode to: see spell. SetModel sets its tokens, vocab and model.
func parse(data []byte, setModel func(t *Tokenizer, file object) error) (*Tokenizer, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("%d bytes: at most %d are read", len(data), maxFile)
	}
	if err := checkJSON(data); err != nil {
		return nil, err
	}
	root, err := value{text: data[skipSpace(data, 0):]}.object("version", "truncation", "padding", "added_tokens",
		"normalizer", "pre_tokenizer", "post_processor", "decoder", "model")
	if err != nil {
		return nil, err
	}
	if root.has("version") {
		if v, err := root.str("version"); err != nil || v != "1.0" {
			return nil, fmt.Errorf("version: expected \"1.0\"")
		}
	}
	t := newTokenizer()
	if err := setModel(t, root); err != nil {
		return nil, err
	}
	for _, part := range []struct {
		name  string
		parse func(*Tokenizer, value) error
	}{
		{"normalizer", (*Tokenizer).parseNormalizer},
		{"added_tokens", (*Tokenizer).parseAdded},
		{"pre_tokenizer", (*Tokenizer).parsePreTokenizer},
		{"post_processor", (*Tokenizer).parsePostProcessor},
		{"decoder", (*Tokenizer).parseDecoder},
	} {
		if !root.has(part.name) {
			continue
		}
		if err := part.parse(t, root.fields[part.name]); err != nil {
			return nil, err
		}
	}
	if len(t.decode.steps) == 0 {
		t.decode.steps = []decodeStep{decodeSpaced}
	}
	return t, t.finishStages()
}

// each calls fn for the elements of an array field.
func (o object) each(key string, fn func(value) error) error {
	list, err := o.get(key)
	if err != nil {
		return err
	}
	return list.items(func(i int, v value) error { return fn(v.at(i)) })
}

// byteLevelFields are the fields of the ByteLevel components.
var byteLevelFields = []string{"add_prefix_space", "trim_offsets", "use_regex"}

// byteLevel reads the fields of a ByteLevel component.
func (o object) byteLevel() (prefix, trim, regex bool, err error) {
	regex = true
	if err = o.flags(byteLevelFields[:2], &prefix, &trim); err != nil {
		return
	}
	if _, ok := o.fields["use_regex"]; ok {
		regex, err = o.flag("use_regex")
	}
	return
}
