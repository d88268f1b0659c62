package tokenizer

import (
	"fmt"
	"maps"
	"unicode/utf8"
)

// finishStages matches the pre-tokenizer to the model.
func (t *Tokenizer) finishStages() error {
	m, ok := t.model.(*bpe)
	at, raw := -1, true // raw: no stage after the ByteLevel writes anything but symbols
	for i := range t.stages {
		st := &t.stages[i]
		if st.symbols && at >= 0 {
			return fmt.Errorf("pre_tokenizer: a second ByteLevel is not supported")
		}
		if at >= 0 && (st.prefix || st.meta != nil) {
			raw = false
		}
		if st.symbols {
			at = i
		}
	}
	if t.raw = at >= 0 && ok && raw; t.raw {
		m.setRaw()
		// Symbols are written out only for the stages that see them.
		t.inSymbols = at < len(t.stages)-1
		t.stages[at].symbols = t.inSymbols
	} else if t.cuts.allowed {
		t.cuts.joined = joinedBefore(maps.Keys(t.vocab))
	}
	if ok && m.unkMissing != "" && m.mayFail() {
		return fmt.Errorf("model.unk_token: %q is not in the vocabulary", m.unkMissing)
	}
	return nil
}

// parsePreTokenizer appends the stages of one pre-tokenizer. A ByteLevel is marked by symbols.
func (t *Tokenizer) parsePreTokenizer(v value) error {
	o, kind, err := v.component(map[string][]string{
		"ByteLevel":   byteLevelFields,
		"Split":       {"pattern", "behavior", "invert"},
		"Digits":      {"individual_digits"},
		"Punctuation": {"behavior"},
		"Sequence":    {"pretokenizers"},

		"Metaspace": metaspaceFields, "Whitespace": nil, "WhitespaceSplit": nil, "BertPreTokenizer": nil,
		"CharDelimiterSplit": {"delimiter"},
	})
	if err != nil {
		return err
	}
	var st stage
	switch kind {
	case "Sequence":
		return o.each("pretokenizers", t.parsePreTokenizer)
	case "Metaspace":
		var m metaspace
		var split bool
		m, split, err = o.parseMetaspace()
		st.meta = &m
		if split {
			st.find, st.behavior = findLiteral([]byte(m.mark)), mergedWithNext
		}
	case "Whitespace":
		st.find, st.behavior, st.invert = findWords, removed, true
	case "WhitespaceSplit":
		st.find, st.behavior = findSpaces, removed
	case "BertPreTokenizer":
		st.find, st.behavior, st.invert = findBert, removed, true
	case "CharDelimiterSplit":
		var char string
		if char, err = o.str("delimiter"); err == nil && utf8.RuneCountInString(char) != 1 {
			err = o.errorf("delimiter %q: expected one character", char)
		}
		st.find, st.behavior = findLiteral([]byte(char)), removed
	case "ByteLevel":
		var regex bool
		st.symbols = true
		st.prefix, _, regex, err = o.byteLevel()
		if regex {
			st.find, st.cover = findGPT2, true
		}
	case "Digits":
		var individual bool
		individual, err = o.flag("individual_digits")
		st.find = findNumber(1)
		if !individual {
			st.behavior = contiguous
		}
	case "Punctuation":
		st.find = findPunct
		if _, ok := o.fields["behavior"]; ok {
			st.behavior, err = o.behavior()
		}
	case "Split":
		st, err = o.parseSplit()
	}
	if t.stages = append(t.stages, st); err == nil && len(t.stages) > maxStages {
		err = v.errorf("more than %d pre-tokenizers", maxStages)
	}
	return err
}

// behavior reads the field "behavior".
func (o object) behavior() (behavior, error) {
	name, err := o.str("behavior")
	if err != nil {
		return 0, err
	}
	b, ok := behaviors[name]
	if !ok {
		return 0, o.errorf("behavior: unknown behavior %q", name)
	}
	return b, nil
}

// parseSplit reads a Split.
func (o object) parseSplit() (st stage, err error) {
	if st.behavior, err = o.behavior(); err != nil {
		return st, err
	}
	if st.invert, err = o.flag("invert"); err != nil {
		return st, err
	}
	v, err := o.get("pattern")
	if err != nil {
		return st, err
	}
	pat, err := v.parsePattern()
	if err != nil {
		return st, err
	}
	st.matcher = pat.matcher
	// Where everything is a match, three settings say the same: the matches are the pieces.
	st.cover = pat.cover && (st.behavior == isolated || st.behavior == removed && st.invert)
	return st, nil
}

// metaspaceFields are the fields of the Metaspace components.
var metaspaceFields = []string{"replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"}

// parseMetaspace reads the fields of a Metaspace component.
func (o object) parseMetaspace() (m metaspace, split bool, err error) {
	if m.mark, err = o.str("replacement"); err != nil {
		return m, false, err
	}
	if utf8.RuneCountInString(m.mark) != 1 {
		return m, false, o.errorf("replacement %q: expected one character", m.mark)
	}
	split, prefix, scheme := true, true, ""
	if o.has("split") {
		if split, err = o.flag("split"); err != nil {
			return m, false, err
		}
	}
	if o.has("add_prefix_space") {
		if prefix, err = o.flag("add_prefix_space"); err != nil {
			return m, false, err
		}
	}
	if o.has("prepend_scheme") {
		if scheme, err = o.str("prepend_scheme"); err != nil {
			return m, false, err
		}
	}
	switch {
	case scheme == "never", scheme == "" && !prefix:
	case !prefix:
		return m, false, o.errorf("add_prefix_space is false, but prepend_scheme is %q", scheme)
	case scheme == "always", scheme == "":
		m.always = true
	case scheme == "first":
		m.first = true
	default:
		return m, false, o.errorf("prepend_scheme: unknown scheme %q", scheme)
	}
	return m, split, nil
}
