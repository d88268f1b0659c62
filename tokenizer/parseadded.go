package tokenizer

// parseAdded reads the added tokens. As in the library, a token's id is that of its
// content in the vocabulary, or else the next free one; a file that says otherwise is refused,
// since its own library would not follow it.
func (t *Tokenizer) parseAdded(v value) error {
	byID := make(map[int32]AddedToken)
	normalized := make(map[int32]string) // contents that the normalizer changes
	next, size := int32(len(t.model.vocab)), 0
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
			if s, _ := n.normalize(t.norm, []byte(tok.Content), nil); string(s) != tok.Content {
				normalized[id] = string(s)
			}
		}
		t.ids[tok.Content], byID[id] = id, tok
		return nil
	})
	if err != nil {
		return err
	}
	return t.buildAdded(byID, normalized, v)
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
func (t *Tokenizer) buildAdded(byID map[int32]AddedToken, normalized map[int32]string, v value) error {
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
		text := tok.Content
		if n, ok := normalized[tok.ID]; ok {
			text = n
		}
		t.tokens[id] = token{content: tok.Content, bytes: text, exists: true}
		if !tok.Normalized {
			t.rawAdded.tokens, raw = append(t.rawAdded.tokens, tok), append(raw, tok.Content)
			continue
		}
		if other, ok := patterns[text]; ok || text == "" {
			return v.errorf("token %q is normalized to %q, as is %q", tok.Content, text, other)
		}
		patterns[text] = tok.Content
		t.normAdded.tokens, norm = append(t.normAdded.tokens, tok), append(norm, text)
	}
	for id := range t.tokens {
		tok := &t.tokens[id]
		if _, ok := byID[int32(id)]; ok {
			tok.special = special[tok.bytes]
			tok.bytes = decodeSymbols(tok.bytes)
			continue
		}
		tok.special = special[tok.content]
	}
	if len(raw) > 0 {
		t.rawAdded.automaton = newAutomaton(raw)
	}
	if len(norm) > 0 {
		t.normAdded.automaton = newAutomaton(norm)
	}
	return nil
}
