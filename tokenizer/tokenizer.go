package tokenizer

import (
	"slices"
	"sync"
)

// A Tokenizer turns text into token ids and back. It is immutable and safe for concurrent use.
type Tokenizer struct {
	classes *classes
	tokens  []token          // by id
	ids     map[string]int32 // of the added tokens, by content

	rawAdded  addedSet // found in the text as it is
	normAdded addedSet // found in the normalized text
	added     []AddedToken

	norm      []normStep
	stages    []stage
	inSymbols bool // the stages end in byte symbols rather than bytes
	model     bpe

	before, after      []int32 // what the post-processor adds
	trim, trimPrefixed bool    // see offsets

	encoders sync.Pool // of *encoder
}

// A token is one entry of the vocabulary.
type token struct {
	content string // as in the file
	bytes   string // what it decodes to
	exists  bool
	special bool
}

// VocabSize returns one more than the largest id. Ids below it may have no token.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// Token returns the content of an id, as the file spells it: in byte symbols, unless it is an
// added token. It reports whether the id has a token.
func (t *Tokenizer) Token(id int32) (string, bool) {
	tok, err := t.token(id)
	if err != nil {
		return "", false
	}
	return tok.content, true
}

// TokenBytes returns the bytes that an id decodes to, which need not be valid UTF-8 on their own.
// It reports whether the id has a token.
func (t *Tokenizer) TokenBytes(id int32) (string, bool) {
	tok, err := t.token(id)
	if err != nil {
		return "", false
	}
	return tok.bytes, true
}

// ID returns the id of a token by its content, as [Tokenizer.Token] spells it.
func (t *Tokenizer) ID(content string) (int32, bool) {
	if id, ok := t.ids[content]; ok {
		return id, true
	}
	id, ok := t.model.vocab[content]
	return id, ok
}

// IsSpecial reports whether an id is a special token, which decoding can skip.
func (t *Tokenizer) IsSpecial(id int32) bool {
	tok, err := t.token(id)
	return err == nil && tok.special
}

// AddedTokens returns the added tokens by id.
func (t *Tokenizer) AddedTokens() []AddedToken { return slices.Clone(t.added) }
