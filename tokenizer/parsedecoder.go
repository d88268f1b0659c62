package tokenizer

import "unicode/utf8"

// parseDecoder appends the steps of a decoder.
func (t *Tokenizer) parseDecoder(v value) error {
	o, kind, err := v.component(map[string][]string{
		"ByteLevel": byteLevelFields, "WordPiece": {"prefix", "cleanup"}, "Metaspace": metaspaceFields,
		"BPEDecoder": {"suffix"}, "ByteFallback": nil, "Fuse": nil, "Strip": {"content", "start", "stop"},
		"Replace": {"pattern", "content"}, "Sequence": {"decoders"},
	})
	if err != nil {
		return err
	}
	d := &t.decode
	if d.fused && kind != "Fuse" && kind != "Strip" && kind != "Replace" && kind != "Sequence" || d.trim != "" && kind != "Fuse" {
		return v.errorf("%s after the tokens are joined is not supported", kind)
	}
	var step decodeStep
	switch kind {
	case "Sequence":
		return o.each("decoders", t.parseDecoder)
	case "Fuse":
		d.fused = true
	case "ByteLevel":
		_, _, _, err = o.byteLevel()
		step, d.fused = decodeByteLevel, true
	case "ByteFallback":
		step, d.perByte = decodeByteToken, true
	case "BPEDecoder":
		var suffix string
		suffix, err = o.str("suffix")
		step, d.holds = decodeSuffix(suffix), true
	case "Metaspace":
		var m metaspace
		m, _, err = o.parseMetaspace()
		step = decodeMetaspace(m.mark, m.always || m.first)
	case "WordPiece":
		var prefix string
		var cleanUp bool
		if prefix, err = o.str("prefix"); err == nil {
			cleanUp, err = o.flag("cleanup")
		}
		step = decodeWordPiece(prefix, cleanUp)
	case "Replace":
		var r replace
		if r, err = o.parseReplace(); err == nil && d.fused && len([]rune(r.literal)) != 1 {
			err = v.errorf("a pattern of other than one character is not supported after the tokens are joined")
		}
		step = decodeReplace(r.pattern, r.content)
	case "Strip":
		step, err = o.parseDecodeStrip(d)
	}
	if step == nil {
		step = func(s string, _ place) string { return s }
	}
	if d.steps = append(d.steps, step); err == nil && len(d.steps) > maxStages {
		err = v.errorf("more than %d decoders", maxStages)
	}
	return err
}

// parseDecodeStrip reads a Strip; after the tokens are joined it is for the ends of the text.
func (o object) parseDecodeStrip(d *decoder) (decodeStep, error) {
	char, err := o.str("content")
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(char) != 1 {
		return nil, o.errorf("content %q: expected one character", char)
	}
	var counts [2]int
	for i, key := range []string{"start", "stop"} {
		v, err := o.get(key)
		if err != nil {
			return nil, err
		}
		n, err := v.integer(maxTemplate)
		if err != nil {
			return nil, err
		}
		counts[i] = int(n)
	}
	if d.fused {
		d.trim, d.start, d.stop = char, counts[0], counts[1]
		return nil, nil
	}
	return decodeStrip(char, counts[0], counts[1]), nil
}
