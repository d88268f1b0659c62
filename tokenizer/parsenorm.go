package tokenizer

import "encoding/base64"

// maxGrowth bounds how many bytes the normalizers together may make of one.
const maxGrowth = 1 << 14

// parseNormalizer reads the normalizer.
func (t *Tokenizer) parseNormalizer(v value) error {
	if err := t.parseNormStep(v); err != nil {
		return err
	}
	growth := 1
	for _, n := range t.norm {
		if growth *= n.growth(); growth > maxGrowth {
			return v.errorf("the normalizers may make more than %d bytes of one", maxGrowth)
		}
	}
	return nil
}

// parseNormStep appends the steps of one normalizer.
func (t *Tokenizer) parseNormStep(v value) error {
	fields := map[string][]string{
		"Sequence": {"normalizers"}, "Replace": {"pattern", "content"}, "Prepend": {"prepend"},
		"Strip": {"strip_left", "strip_right"}, "Precompiled": {"precompiled_charsmap"},
		"BertNormalizer": {"clean_text", "handle_chinese_chars", "strip_accents", "lowercase"},
	}
	for name := range namedNormalizers {
		fields[name] = nil
	}
	o, kind, err := v.component(fields)
	if err != nil {
		return err
	}
	steps := []normalizer{namedNormalizers[kind]}
	switch kind {
	case "Sequence":
		return o.each("normalizers", t.parseNormStep)
	case "Replace":
		steps[0], err = o.parseReplace()
	case "Prepend":
		var p string
		p, err = o.str("prepend")
		steps[0] = prepend(p)
	case "Strip":
		var st strip
		err = o.flags([]string{"strip_left", "strip_right"}, &st.left, &st.right)
		steps[0] = st
	case "Precompiled":
		steps[0], err = o.parsePrecompiled()
	case "BertNormalizer":
		steps, err = o.parseBert()
	}
	if t.norm = append(t.norm, steps...); err == nil && len(t.norm) > maxStages {
		err = v.errorf("more than %d normalizers", maxStages)
	}
	return err
}

// parseBert reads a BertNormalizer.
func (o object) parseBert() ([]normalizer, error) {
	var b bert
	err := o.flags([]string{"clean_text", "handle_chinese_chars", "lowercase"}, &b.clean, &b.chinese, &b.lower)
	b.accents = b.lower
	if err == nil && o.has("strip_accents") {
		b.accents, err = o.flag("strip_accents")
	}
	return b.steps(), err
}

// parsePrecompiled reads the table of a Precompiled normalizer.
func (o object) parsePrecompiled() (normalizer, error) {
	text, err := o.str("precompiled_charsmap")
	if err != nil {
		return nil, err
	}
	blob, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, o.fields["precompiled_charsmap"].errorf("%v", err)
	}
	c, err := newCharsmap(blob)
	if err != nil {
		return nil, o.errorf("%v", err)
	}
	return c, nil
}

// parseReplace reads a Replace.
func (o object) parseReplace() (replace, error) {
	var r replace
	v, err := o.get("pattern")
	if err != nil {
		return r, err
	}
	pat, err := v.parsePattern()
	if err != nil {
		return r, err
	}
	r.pattern, r.literal = pat.matcher, pat.literal
	if r.content, err = o.str("content"); err == nil && len(r.content) > maxReplacement {
		err = o.errorf("content of %d bytes, expected at most %d", len(r.content), maxReplacement)
	}
	return r, err
}

// parsePattern reads a pattern, a string or a regular expression.
func (v value) parsePattern() (pattern, error) {
	p, err := v.object("Regex", "String")
	if err != nil {
		return pattern{}, err
	}
	if len(p.fields) != 1 {
		return pattern{}, p.errorf("expected Regex or String")
	}
	if _, ok := p.fields["String"]; ok {
		lit, err := p.str("String")
		if err == nil && lit == "" {
			err = p.errorf("empty string")
		}
		return pattern{literal: lit, matcher: matcher{find: findLiteral([]byte(lit))}}, err
	}
	re, err := p.str("Regex")
	if err != nil {
		return pattern{}, err
	}
	if pat, ok := findPattern(re); ok {
		return pat, nil
	}
	foreign, err := newForeignRegex(re)
	if err != nil {
		return pattern{}, p.errorf("%v", err)
	}
	return pattern{matcher: matcher{re: foreign}}, nil
}
