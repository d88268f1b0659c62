package tokenizer

import (
	"slices"
	"sync"
)

// A Tokenizer turns text into token ids and back. It is immutable and safe for concurrent use.
type Tokenizer struct {
	classes *classes
	tokens  []token          // by id
	first   map[int32]string // what tokens decode to as the first of a text, where that is not token.bytes
	ids     map[string]int32 // of the added tokens, by content

	rawAdded  addedSet // found in the text as it is
	normAdded addedSet // found in the normalized text
	added     []AddedToken
	// normalized holds the contents of added tokens that the normalizer changes.
	normalized map[int32]string

	norm      []normalizer
	stages    []stage
	bytewise  bool // the text stays as it is, even where it is no valid UTF-8
	raw       bool // the model takes bytes, each of which is a symbol
	inSymbols bool // the stages end in byte symbols although the model takes bytes
	model     model
	vocab     map[string]int32 // of the model, by content
	cuts      cuts
	decode    decoder

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

// Token returns the content of an id, as the file spells it: in byte symbols, with marks for spaces
// or with prefixes, unless it is an added token. It reports whether the id has a token.
func (t *Tokenizer) Token(id int32) (string, bool) {
	tok, err := t.token(id)
	if err != nil {
		return "", false
	}
	return tok.content, true
}

// TokenBytes returns the bytes that an id adds to a text in the middle, which need not be valid UTF-8
// on their own: of a token that begins a word, the space too. The first token of a text may add
// less. It reports whether the id has a token.
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
	id, ok := t.vocab[content]
	return id, ok
}

// IsSpecial reports whether an id is a special token, which decoding can skip.
func (t *Tokenizer) IsSpecial(id int32) bool {
	tok, err := t.token(id)
	return err == nil && tok.special
}

// CleansUp reports whether decoded texts lose spaces: see [SentencePieceOptions] and
// [Stream.Verbatim].
func (t *Tokenizer) CleansUp() bool { return t.decode.cleanUp }

// AddedTokens returns the added tokens by id.
func (t *Tokenizer) AddedTokens() []AddedToken { return slices.Clone(t.added) }

// newTokenizer returns a tokenizer without a vocabulary. Whoever reads a file sets tokens, vocab and
// model, then norm, the added tokens, stages and decode, and calls spell, or sets the bytes of the
// tokens itself.
func newTokenizer() *Tokenizer {
	t := &Tokenizer{classes: loadClasses(), ids: make(map[string]int32)}
	t.encoders.New = func() any { return &encoder{t: t} }
	return t
}
