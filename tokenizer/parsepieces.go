package tokenizer

import "slices"

// parseUnigram reads a Unigram model.
func (t *Tokenizer) parseUnigram(o object) error {
	vocab, err := o.get("vocab")
	if err != nil {
		return err
	}
	var x unigramModel
	err = vocab.items(func(i int, v value) error {
		if i == maxVocab {
			return v.errorf("more than %d pieces", maxVocab)
		}
		piece, score, err := v.at(i).piece()
		x.pieces, x.scores = append(x.pieces, piece), append(x.scores, score)
		return err
	})
	if err != nil {
		return err
	}
	if len(x.pieces) == 0 {
		return vocab.errorf("no pieces")
	}
	unk, err := o.get("unk_id")
	if err != nil {
		return err
	}
	if x.unk, err = unk.integer(len(x.pieces)); err != nil {
		return err
	}
	t.vocab = make(map[string]int32, len(x.pieces))
	t.tokens = make([]token, len(x.pieces))
	for id, p := range x.pieces {
		t.vocab[p] = int32(id)
		t.tokens[id] = token{content: p, exists: true}
	}
	if o.has("byte_fallback") {
		fallback, err := o.flag("byte_fallback")
		if err != nil {
			return err
		}
		if fallback {
			x.bytes = newByteTokens(t.vocab)
		}
	}
	x.unkScore = slices.Min(x.scores) - unkPenalty
	t.model = newUnigram(x)
	return nil
}

// piece reads a piece and its score.
func (v value) piece() (piece string, score float64, err error) {
	n := 0
	err = v.items(func(i int, val value) error {
		n++
		switch i {
		case 0:
			piece, err = val.str()
		case 1:
			score, err = val.float()
		}
		return err
	})
	if err == nil && n != 2 {
		err = v.errorf("%d elements, expected a piece and its score", n)
	}
	return piece, score, err
}

// parseWordPiece reads a WordPiece model.
func (t *Tokenizer) parseWordPiece(o object) error {
	vocab, err := o.get("vocab")
	if err != nil {
		return err
	}
	if err := t.parseVocab(vocab); err != nil {
		return err
	}
	unk, err := o.str("unk_token")
	if err != nil {
		return err
	}
	id, ok := t.vocab[unk]
	if !ok {
		return o.errorf("unk_token: %q is not in the vocabulary", unk)
	}
	prefix, err := o.str("continuing_subword_prefix")
	if err != nil {
		return err
	}
	limit, err := o.get("max_input_chars_per_word")
	if err != nil {
		return err
	}
	n, err := limit.integer(maxWordPiece + 1)
	if err != nil {
		return err
	}
	t.model = newWordPiece(t.vocab, prefix, id, int(n))
	return nil
}
