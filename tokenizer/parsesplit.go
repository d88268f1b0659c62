package tokenizer

// parsePreTokenizer reads the pre-tokenizer, which must contain one ByteLevel.
func (t *Tokenizer) parsePreTokenizer(v value) error {
	if err := t.parseStage(v); err != nil {
		return err
	}
	at := -1
	for i := range t.stages {
		if t.stages[i].symbols {
			if at >= 0 {
				return v.errorf("a second ByteLevel is not supported")
			}
			at = i
		}
	}
	if at < 0 {
		return v.errorf("no ByteLevel in it: only byte-level vocabularies are supported")
	}
	// Symbols are written out only for the stages that see them.
	t.inSymbols = at < len(t.stages)-1
	t.stages[at].symbols = t.inSymbols
	return nil
}

// parseStage appends the stages of one pre-tokenizer. A ByteLevel is marked by symbols.
func (t *Tokenizer) parseStage(v value) error {
	o, kind, err := v.component(map[string][]string{
		"ByteLevel":   byteLevelFields,
		"Split":       {"pattern", "behavior", "invert"},
		"Digits":      {"individual_digits"},
		"Punctuation": {"behavior"},
		"Sequence":    {"pretokenizers"},
	})
	if err != nil {
		return err
	}
	var st stage
	switch kind {
	case "Sequence":
		return o.each("pretokenizers", t.parseStage)
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
	p, err := v.object("Regex", "String")
	if err != nil {
		return st, err
	}
	if len(p.fields) != 1 {
		return st, p.errorf("expected Regex or String")
	}
	if _, ok := p.fields["String"]; ok {
		lit, err := p.str("String")
		if err == nil && lit == "" {
			err = p.errorf("empty string")
		}
		st.find = findLiteral([]byte(lit))
		return st, err
	}
	re, err := p.str("Regex")
	if err != nil {
		return st, err
	}
	pat, ok := findPattern(re)
	if !ok {
		return st, p.errorf("regular expression %q is not supported; supported here: those of %s", re, patternNames())
	}
	st.find = pat.find
	// Where everything is a match, three settings say the same: the matches are the pieces.
	st.cover = pat.cover && (st.behavior == isolated || st.behavior == removed && st.invert)
	return st, nil
}
