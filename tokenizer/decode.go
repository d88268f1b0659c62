package tokenizer

import "fmt"

// Decode returns the text of ids: the bytes of their tokens, with one U+FFFD for each maximal
// ill-formed subsequence of UTF-8. With skipSpecial, special tokens are left out. An id that has
// no token is an error.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	var raw []byte
	for i, id := range ids {
		tok, err := t.token(id)
		if err != nil {
			return "", fmt.Errorf("tokenizer: decode: ids[%d]: %w", i, err)
		}
		if !skipSpecial || !tok.special {
			raw = append(raw, tok.bytes...)
		}
	}
	out, _ := appendLossy(make([]byte, 0, len(raw)), raw, true)
	return string(out), nil
}

// token returns the token of an id.
func (t *Tokenizer) token(id int32) (*token, error) {
	if id < 0 || int(id) >= len(t.tokens) {
		return nil, fmt.Errorf("id %d is out of range: the ids are 0 to %d", id, len(t.tokens)-1)
	}
	if !t.tokens[id].exists {
		return nil, fmt.Errorf("id %d has no token in the vocabulary", id)
	}
	return &t.tokens[id], nil
}

// A Stream decodes ids that arrive one at a time. The texts it returns, joined, are what
// [Tokenizer.Decode] gives for all the ids; none of them ends inside a character. It is for one
// goroutine.
type Stream struct {
	t           *Tokenizer
	skipSpecial bool
	pending     []byte // at most 3 bytes that may still become a character, then a token's bytes
	out         []byte
}

// Stream returns a decoder that begins with no text. See [Tokenizer.Decode] for skipSpecial.
func (t *Tokenizer) Stream(skipSpecial bool) *Stream {
	return &Stream{t: t, skipSpecial: skipSpecial}
}

// Next returns the text that id completes, which may be empty; it is valid until the next call. A
// skipped token changes nothing, even between two halves of a character. An id that has no token
// is an error and changes nothing either.
func (s *Stream) Next(id int32) ([]byte, error) {
	tok, err := s.t.token(id)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: decode: %w", err)
	}
	s.out = s.out[:0]
	if s.skipSpecial && tok.special {
		return s.out, nil
	}
	s.pending = append(s.pending, tok.bytes...)
	out, rest := appendLossy(s.out, s.pending, false)
	s.out, s.pending = out, append(s.pending[:0], rest...)
	return s.out, nil
}

// Flush returns the text of the bytes that are held back, U+FFFD or nothing, and leaves the
// stream as new. The text is valid until the next call.
func (s *Stream) Flush() []byte {
	s.out, _ = appendLossy(s.out[:0], s.pending, true)
	s.pending = s.pending[:0]
	return s.out
}
