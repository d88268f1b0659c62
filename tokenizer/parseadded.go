package tokenizer

// parseAdded reads the added tokens. As in the library, a token's id is that of its
// content in the vocabulary, or else the next free one; a file that says otherwise is refused,
// since its own library would not follow it.
func (t *Tokenizer) parseAdded(v value) error {
	byID := make(map[int32]AddedToken)
	t.normalized = make(map[int32]string)
	next, size := int32(len(t.vocab)), 0
	err := v.items(func(i int, val value) error {
		tok, err := val.at(i).addedToken()
		if err != nil || tok.Content == "" {
			return err
		}
		if size += len(tok.Content); size > maxAdded {
			return val.at(i).errorf("the added tokens have more than %d bytes", maxAdded)
		}
		id, ok := t.ID(tok.Content)
		if !ok {
			id = next
			next++
		}
		if id != tok.ID {
			return val.at(i).errorf("token %q has id %d, but by its content or place it is %d", tok.Content, tok.ID, id)
		}
		if old, ok := byID[id]; ok && old.Content != tok.Content {
			return val.at(i).errorf("id %d belongs to both %q and %q", id, old.Content, tok.Content)
		}
		if int(id) < len(t.tokens) && t.tokens[id].exists && t.tokens[id].content != tok.Content {
			return val.at(i).errorf("id %d belongs to both %q and %q", id, t.tokens[id].content, tok.Content)
		}
		tok.Special = tok.Special || byID[id].Special
		if tok.Normalized {
			var n normScratch
			if s, _, _ := n.normalize(t.norm, []byte(tok.Content), nil, 0); string(s) != tok.Content {
				t.normalized[id] = string(s)
			}
			if n.err != nil {
				return val.at(i).errorf("%v", n.err)
			}
		}
		t.ids[tok.Content], byID[id] = id, tok
		return nil
	})
	if err != nil {
		return err
	}
	return t.buildAdded(byID, v)
}

// addedToken reads one element of added_tokens.
func (v value) addedToken() (tok AddedToken, err error) {
	o, err := v.object("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special")
	if err != nil {
		return tok, err
	}
	id, err := o.get("id")
	if err != nil {
		return tok, err
	}
	if tok.ID, err = id.integer(maxVocab); err != nil {
		return tok, err
	}
	if tok.Content, err = o.str("content"); err != nil {
		return tok, err
	}
	return tok, o.flags([]string{"single_word", "lstrip", "rstrip", "normalized", "special"},
		&tok.SingleWord, &tok.LStrip, &tok.RStrip, &tok.Normalized, &tok.Special)
}

// buildAdded puts the added tokens among the tokens and builds the automatons that find them.
func (t *Tokenizer) buildAdded(byID map[int32]AddedToken, v value) error {
	for id := range byID {
		for int(id) >= len(t.tokens) {
			t.tokens = append(t.tokens, token{})
		}
	}
	special := make(map[string]bool) // by content: decoding compares contents
	patterns := make(map[string]string)
	var raw, norm []string
	for id := range t.tokens {
		tok, ok := byID[int32(id)]
		if !ok {
			continue
		}
		t.added = append(t.added, tok)
		special[tok.Content] = special[tok.Content] || tok.Special
		t.tokens[id] = token{content: tok.Content, exists: true}
		text := t.spelling(tok.ID)
		if !tok.Normalized {
			t.rawAdded.tokens, raw = append(t.rawAdded.tokens, tok), append(raw, tok.Content)
			continue
		}
		if text == "" {
			return v.errorf("token %q is normalized to nothing, which is found everywhere", tok.Content)
		}
		if other, ok := patterns[text]; ok {
			return v.errorf("token %q is normalized to %q, as is %q", tok.Content, text, other)
		}
		patterns[text] = tok.Content
		t.normAdded.tokens, norm = append(t.normAdded.tokens, tok), append(norm, text)
	}
	for id := range t.tokens {
		t.tokens[id].special = special[t.spelling(int32(id))]
	}
	if len(raw) > 0 {
		t.rawAdded.automaton = newAutomaton(raw)
	}
	if len(norm) > 0 {
		t.normAdded.automaton = newAutomaton(norm)
	}
	return nil
}
