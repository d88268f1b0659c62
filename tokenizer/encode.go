package tokenizer

import "unicode/utf8"

// Recognize says which added tokens are found in a text.
type Recognize uint8

const (
	// RecognizePlain finds the added tokens that are not special (runs of spaces, say), so that a
	// user's text cannot forge a control token. A place where a special token would be found is
	// ordinary text.
	RecognizePlain Recognize = iota
	// RecognizeAll finds every added token: the libraries' default, and what a chat template's
	// own output needs.
	RecognizeAll
	// RecognizeNone finds none. Use it where tokens that a file does not mark as special, such as
	// <tool_call>, must not be forged either.
	RecognizeNone
)

// EncodeOptions are the options of [Tokenizer.Encode]; the zero value is right for a user's text
// inside a chat.
type EncodeOptions struct {
	AddSpecial bool      // add what the post-processor adds, such as a beginning-of-text token
	Recognize  Recognize // added tokens to find in the text
}

// Encode appends the ids of text to dst. Invalid UTF-8 is read with one U+FFFD for each maximal
// ill-formed subsequence. A bounded number of bytes per input byte is allocated at most, and
// nothing in the steady state if dst is large enough.
func (t *Tokenizer) Encode(dst []int32, text string, opts EncodeOptions) []int32 {
	e := t.encoders.Get().(*encoder)
	e.out = dst
	e.encode(text, opts)
	dst = e.out
	e.release()
	return dst
}

// An encoder is the state and the scratch memory of one encoding.
type encoder struct {
	t         *Tokenizer
	recognize Recognize
	out       []int32
	offsets   *offsets // nil: not wanted
	untrusted Untrusted

	text     []byte // valid UTF-8
	hits     []hit  // a stack: of the raw text, then of a gap
	norm     normScratch
	prefixed []byte // a piece with a space in front
	symbols  []byte // a piece in byte symbols
	raw      []byte // a piece of symbols in bytes again
	word     word
	cache    wordCache
}

// keepScratch bounds the text, in bytes, whose buffers go back to the pool.
const keepScratch = 1 << 20

// release gives the encoder back, without what it holds for the caller and without the buffers
// that a large text has left.
func (e *encoder) release() {
	t, cache := e.t, e.cache
	e.out, e.offsets = nil, nil
	if cap(e.text) > keepScratch {
		*e = encoder{t: t, cache: cache}
	}
	t.encoders.Put(e)
}

// encode runs the whole pipeline.
func (e *encoder) encode(text string, opts EncodeOptions) {
	e.recognize = opts.Recognize
	if opts.AddSpecial {
		e.special(e.t.before)
	}
	if utf8.ValidString(text) {
		e.text = append(e.text[:0], text...)
	} else {
		e.text, _ = appendLossy(e.text[:0], text, true)
	}
	var al []extent
	if e.offsets != nil || e.traced() {
		al = textExtents(e.text)
	}
	e.extract(&e.t.rawAdded, e.text, al, (*encoder).gap)
	if opts.AddSpecial {
		e.special(e.t.after)
	}
}

// gap encodes what lies between the raw added tokens.
func (e *encoder) gap(s []byte, al []extent) {
	s, al = e.norm.normalize(e.t.norm, s, al)
	e.extract(&e.t.normAdded, s, al, (*encoder).plain)
}

// plain encodes text without added tokens.
func (e *encoder) plain(s []byte, al []extent) { e.split(0, s, al) }

// special writes tokens that stand for no text.
func (e *encoder) special(ids []int32) {
	e.out = append(e.out, ids...)
	if e.offsets != nil {
		e.offsets.skip(len(ids))
	}
}

// added writes an added token that was found as s.
func (e *encoder) added(id int32, s []byte, al []extent) {
	e.out = append(e.out, id)
	if e.offsets != nil {
		e.offsets.add(al, 0, len(al), string(s))
	}
}

// piece gives a piece, in symbols if a stage wrote those, to the model.
func (e *encoder) piece(s []byte, al []extent) {
	if e.t.inSymbols {
		e.raw = e.raw[:0]
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRune(s[i:])
			b, _ := symbolByte(r)
			e.raw = append(e.raw, b)
			i += size
		}
		s = e.raw
	} else {
		al = symbolExtents(s, al)
	}
	for len(s) > maxPiece {
		n := 0
		for _, b := range s[:maxPiece] {
			n += len(byteSymbols.utf8[b])
		}
		e.model(s[:maxPiece], cut(al, 0, n))
		s, al = s[maxPiece:], cut(al, n, len(al))
	}
	e.model(s, al)
}

// model writes the tokens of a piece of raw bytes.
func (e *encoder) model(s []byte, al []extent) {
	m, w := &e.t.model, &e.word
	if e.offsets != nil {
		e.modelOffsets(s, al)
		return
	}
	slot := e.cache.slot(s)
	if slot.holds(s) {
		e.out = append(e.out, slot.ids[:slot.tokens]...)
		return
	}
	if id, ok := m.whole(w, s); ok {
		e.out = append(e.out, id)
		slot.store(s, e.out[len(e.out)-1:])
		return
	}
	m.symbols(w, s, false)
	first := len(e.out)
	if len(w.ids) <= shortPiece {
		m.mergeShort(w)
		e.out = append(e.out, w.ids...)
	} else {
		m.mergeLong(w)
		for i := int32(0); int(i) < len(w.ids); i = w.next[i] {
			e.out = append(e.out, w.ids[i])
		}
	}
	slot.store(s, e.out[first:])
}

// whole returns the token of a whole piece, for models that ignore merges then.
func (m *bpe) whole(w *word, piece []byte) (int32, bool) {
	if !m.ignoreMerges {
		return 0, false
	}
	w.content = w.content[:0]
	for _, b := range piece {
		w.content = append(w.content, byteSymbols.utf8[b]...)
	}
	id, ok := m.vocab[string(w.content)]
	return id, ok
}
