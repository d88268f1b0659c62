package tokenizer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Decode returns the text of ids: that of their tokens, with U+FFFD where bytes are no valid
// UTF-8: one for each maximal ill-formed subsequence in byte-level vocabularies, one for each byte
// in those with byte tokens such as <0x0A>. With skipSpecial, special tokens are left out. An id
// that has no token is an error.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	s := t.Stream(skipSpecial)
	var out strings.Builder
	for i, id := range ids {
		chunk, err := s.next(id)
		if err != nil {
			return "", fmt.Errorf("tokenizer: decode: ids[%d]: %w", i, err)
		}
		out.Write(chunk)
	}
	out.Write(s.Flush())
	return out.String(), nil
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
	begun       bool   // a token was decoded
	leading     int    // characters that may still be dropped at the beginning of the text
	trailing    int    // characters that are held back because they may be at its end
	held        int32  // a token that is held back, -1 for none
	pending     []byte // at most 3 bytes that may still become a character, then a token's bytes
	out         []byte
	clean       *cleaner // nil: the text stays as it is
}

// Stream returns a decoder that begins with no text. See [Tokenizer.Decode] for skipSpecial.
func (t *Tokenizer) Stream(skipSpecial bool) *Stream {
	s := &Stream{t: t, skipSpecial: skipSpecial, leading: t.decode.start, held: -1}
	if t.decode.cleanUp {
		s.clean = new(cleaner)
	}
	return s
}

// Verbatim leaves the spaces that [SentencePieceOptions.CleanUp] takes out: the text is then what
// [Tokenizer.TokenBytes] says of each token. It is called before the first token.
func (s *Stream) Verbatim() { s.clean = nil }

// Next returns the text that id completes, which may be empty; it is valid until the next call. A
// skipped token changes nothing, even between two halves of a character. An id that has no token
// is an error and changes nothing either.
func (s *Stream) Next(id int32) ([]byte, error) {
	out, err := s.next(id)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: decode: %w", err)
	}
	return out, nil
}

func (s *Stream) next(id int32) ([]byte, error) {
	tok, err := s.t.token(id)
	if err != nil {
		return nil, err
	}
	s.out = s.out[:0]
	if s.skipSpecial && tok.special {
		s.restart()
		return s.out, nil
	}
	if s.t.decode.holds {
		id, s.held = s.held, id
		if id < 0 {
			return s.out, nil
		}
		tok = &s.t.tokens[id]
	}
	text := tok.bytes
	if !s.begun && len(s.t.first) > 0 {
		if first, ok := s.t.first[id]; ok {
			text = first
		}
	}
	s.write(text, false)
	if tok.special {
		s.restart()
	}
	return s.out, nil
}

// restart follows a special token, or one of which nothing was left at the beginning.
func (s *Stream) restart() {
	if s.t.decode.runs {
		s.leading = s.t.decode.start
	}
}

// write sets s.out to what the text of a token completes.
func (s *Stream) write(text string, final bool) {
	d := &s.t.decode
	s.begun = true
	s.pending = append(s.pending, text...)
	out, rest := appendLossy(s.out, s.pending, final, d.perByte)
	s.out, s.pending = out, append(s.pending[:0], rest...)
	for s.leading > 0 && len(s.out) > 0 {
		if !bytes.HasPrefix(s.out, []byte(d.trim)) {
			s.leading = 0
			break
		}
		s.out = slices.Delete(s.out, 0, len(d.trim))
		s.leading--
		if len(s.out) == 0 {
			s.restart()
			break
		}
	}
	if d.stop > 0 && len(s.out) > 0 {
		for ; s.trailing > 0; s.trailing-- {
			s.out = slices.Insert(s.out, 0, []byte(d.trim)...)
		}
		for s.trailing < d.stop && bytes.HasSuffix(s.out, []byte(d.trim)) {
			s.out = s.out[:len(s.out)-len(d.trim)]
			s.trailing++
		}
	}
	if s.clean != nil {
		s.out = s.clean.next(s.out, final)
	}
}

// Flush returns the text of the bytes that are held back, U+FFFD or nothing, or of a token that
// is, and leaves the stream as new. The text is valid until the next call.
func (s *Stream) Flush() []byte {
	s.out = s.out[:0]
	text := ""
	if s.held >= 0 {
		text = s.t.decode.text(s.t.spelling(s.held), place{first: !s.begun, last: true})
	}
	s.write(text, true)
	s.begun, s.leading, s.trailing, s.held = false, s.t.decode.start, 0, -1
	return s.out
}
