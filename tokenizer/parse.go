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
	t, err := parse(tokenizerJSON)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: tokenizer.json: %w", err)
	}
	return t, nil
}

func parse(data []byte) (*Tokenizer, error) {
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
	t := &Tokenizer{classes: loadClasses(), ids: make(map[string]int32)}
	t.encoders.New = func() any { return &encoder{t: t} }
	for _, part := range []struct {
		name     string
		required bool
		parse    func(*Tokenizer, value) error
	}{
		{"model", true, (*Tokenizer).parseModel},
		{"normalizer", false, (*Tokenizer).parseNormalizer},
		{"added_tokens", false, (*Tokenizer).parseAdded},
		{"pre_tokenizer", true, (*Tokenizer).parsePreTokenizer},
		{"post_processor", false, (*Tokenizer).parsePostProcessor},
		{"decoder", true, (*Tokenizer).parseDecoder},
	} {
		if !part.required && !root.has(part.name) {
			continue
		}
		v, err := root.get(part.name)
		if err != nil {
			return nil, err
		}
		if err := part.parse(t, v); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// parseNormalizer reads the normalizer.
func (t *Tokenizer) parseNormalizer(v value) error {
	fields := map[string][]string{"Sequence": {"normalizers"}}
	for name := range normSteps {
		fields[name] = nil
	}
	o, kind, err := v.component(fields)
	if err != nil {
		return err
	}
	if kind != "Sequence" {
		if t.norm = append(t.norm, normSteps[kind]); len(t.norm) > maxStages {
			return v.errorf("more than %d normalizers", maxStages)
		}
		return nil
	}
	return o.each("normalizers", t.parseNormalizer)
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

// parseDecoder reads the decoder, which must be ByteLevel. Its fields have no effect.
func (t *Tokenizer) parseDecoder(v value) error {
	o, _, err := v.component(map[string][]string{"ByteLevel": byteLevelFields})
	if err != nil {
		return err
	}
	_, _, _, err = o.byteLevel()
	return err
}

// parsePostProcessor reads the post-processor.
func (t *Tokenizer) parsePostProcessor(v value) error {
	o, kind, err := v.component(map[string][]string{
		"ByteLevel":          byteLevelFields,
		"TemplateProcessing": {"single", "pair", "special_tokens"},
		"Sequence":           {"processors"},
	})
	switch {
	case err != nil:
		return err
	case kind == "Sequence":
		return o.each("processors", t.parsePostProcessor)
	case kind == "TemplateProcessing":
		return t.parseTemplate(o)
	}
	prefix, trim, _, err := o.byteLevel()
	if trim && t.trim {
		return v.errorf("a second ByteLevel that trims offsets is not supported")
	}
	if trim {
		t.trim, t.trimPrefixed = true, prefix
	}
	return err
}

// parseTemplate reads the template for one sequence; that for a pair is only checked to be there.
func (t *Tokenizer) parseTemplate(o object) error {
	if t.before != nil || t.after != nil {
		return o.errorf("a second TemplateProcessing is not supported")
	}
	special, err := o.get("special_tokens")
	if err != nil {
		return err
	}
	ids, err := t.templateTokens(special)
	if err != nil {
		return err
	}
	if pair, err := o.get("pair"); err != nil {
		return err
	} else if err := pair.want("an array"); err != nil {
		return err
	}
	sequences := 0
	err = o.each("single", func(v value) error {
		n, err := t.parseTemplatePiece(v, ids, sequences > 0)
		sequences += n
		return err
	})
	if err == nil && sequences != 1 {
		err = o.errorf("single has sequence A %d times, expected once", sequences)
	}
	return err
}

// parseTemplatePiece reads one step of a template: a token, which goes before or after the text,
// or the text itself, for which it returns 1.
func (t *Tokenizer) parseTemplatePiece(v value, ids map[string][]int32, after bool) (int, error) {
	piece, err := v.object("SpecialToken", "Sequence")
	if err != nil {
		return 0, err
	}
	if len(piece.keys) != 1 {
		return 0, v.errorf("expected one of SpecialToken, Sequence")
	}
	kind := piece.keys[0]
	o, err := piece.fields[kind].object("id", "type_id")
	if err != nil {
		return 0, err
	}
	name, err := o.str("id")
	switch {
	case err != nil:
		return 0, err
	case kind == "Sequence" && name == "A":
		return 1, nil
	case kind == "Sequence":
		return 0, o.errorf("sequence %q is not supported; supported here: A", name)
	case ids[name] == nil:
		return 0, o.errorf("token %q is not in special_tokens", name)
	case after:
		t.after = append(t.after, ids[name]...)
	default:
		t.before = append(t.before, ids[name]...)
	}
	if len(t.before)+len(t.after) > maxTemplate {
		return 0, v.errorf("the template adds more than %d tokens", maxTemplate)
	}
	return 0, nil
}

// templateTokens reads the ids behind the names in a template.
func (t *Tokenizer) templateTokens(v value) (map[string][]int32, error) {
	ids := make(map[string][]int32)
	err := v.entries(func(name string, val value) error {
		val.path += fmt.Sprintf("[%q]", name)
		o, err := val.object("id", "ids", "tokens")
		if err != nil {
			return err
		}
		if ids[name] != nil {
			return val.errorf("duplicate field")
		}
		ids[name] = []int32{}
		return o.each("ids", func(v value) error {
			id, err := v.integer(maxVocab)
			if err != nil {
				return err
			}
			if _, err := t.token(id); err != nil {
				return v.errorf("%v", err)
			}
			if ids[name] = append(ids[name], id); len(ids[name]) > maxTemplate {
				return v.errorf("more than %d ids", maxTemplate)
			}
			return nil
		})
	})
	return ids, err
}
