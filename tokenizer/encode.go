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
//
// A regular expression of the tokenizer for which there is no scanner may give up on a hostile
// text; the rest of that piece is then not cut further. [Tokenizer.TryEncode] tells.
func (t *Tokenizer) Encode(dst []int32, text string, opts EncodeOptions) []int32 {
	dst, _ = t.TryEncode(dst, text, opts)
	return dst
}

// TryEncode is [Tokenizer.Encode] with an error if a regular expression gave up.
func (t *Tokenizer) TryEncode(dst []int32, text string, opts EncodeOptions) ([]int32, error) {
	e := t.encoders.Get().(*encoder)
	e.out = dst
	e.encode(text, opts)
	dst, err := e.out, e.err
	if err == nil {
		err = e.norm.err
	}
	e.release()
	return dst, err
}

// An encoder is the state and the scratch memory of one encoding.
type encoder struct {
	t         *Tokenizer
	recognize Recognize
	out       []int32
	offsets   *offsets // nil: not wanted
	untrusted Untrusted

	text    []byte // valid UTF-8
	hits    []hit  // a stack: of the raw text, then of a gap
	norm    normScratch
	arena   []byte   // a stack: what stages make of pieces
	matches []extent // a stack: of the patterns of stages
	raw     []byte   // a piece of symbols in bytes again
	word    word
	cache   wordCache
	err     error // of a regular expression
}

// keepScratch bounds the text, in bytes, whose buffers go back to the pool.
const keepScratch = 1 << 20

// release gives the encoder back, without what it holds for the caller and without the buffers
// that a large text has left.
func (e *encoder) release() {
	t, cache := e.t, e.cache
	e.out, e.offsets, e.err, e.norm.err = nil, nil, nil, nil
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
	if e.t.bytewise || utf8.ValidString(text) {
		e.text = append(e.text[:0], text...)
	} else {
		e.text, _ = appendLossy(e.text[:0], text, true, false)
	}
	var al []extent
	if e.offsets != nil || e.traced() {
		al = textExtents(e.text)
	}
	e.word.tracked = e.offsets != nil
	_, head := utf8.DecodeRune(e.text)
	e.extract(&e.t.rawAdded, e.text, al, head, (*encoder).gap)
	if opts.AddSpecial {
		e.special(e.t.after)
	}
}

// gap encodes what lies between the raw added tokens.
func (e *encoder) gap(s []byte, al []extent, head int) {
	s, al, head = e.norm.normalize(e.t.norm, s, al, head)
	e.extract(&e.t.normAdded, s, al, head, (*encoder).plain)
}

// plain encodes text without added tokens.
func (e *encoder) plain(s []byte, al []extent, head int) { e.split(0, s, al, head) }

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
	if !e.t.raw {
		for len(s) > 0 {
			n := e.t.cuts.next(s)
			e.model(s[:n], cut(al, 0, n))
			s, al = s[n:], cut(al, n, len(al))
		}
		return
	}
	if e.t.inSymbols {
		e.raw = e.raw[:0]
		for i := 0; i < len(s); {
			r, size := utf8.DecodeRune(s[i:])
			b, _ := symbolByte(r)
			e.raw = append(e.raw, b)
			i += size
		}
		s = e.raw
	} else if e.offsets != nil {
		al = symbolExtents(s, al)
	}
	for len(s) > maxPiece {
		n := 0
		for _, b := range s[:maxPiece] {
			n += len(byteSymbols.utf8[b])
		}
		e.model(s[:maxPiece], cut(al, 0, min(n, len(al))))
		s, al = s[maxPiece:], cut(al, min(n, len(al)), len(al))
	}
	e.model(s, al)
}

// model writes the tokens of a piece, raw bytes or text.
func (e *encoder) model(s []byte, al []extent) {
	w := &e.word
	if e.offsets != nil {
		first := len(e.out)
		w.spans = w.spans[:0]
		e.out = e.t.model.encode(w, e.out, s)
		for i, id := range e.out[first:] {
			e.offsets.add(al, w.spans[i].start, w.spans[i].end, e.t.tokens[id].content)
		}
		return
	}
	slot := e.cache.slot(s)
	if slot.holds(s) {
		e.out = append(e.out, slot.ids[:slot.tokens]...)
		return
	}
	first := len(e.out)
	e.out = e.t.model.encode(w, e.out, s)
	slot.store(s, e.out[first:])
}
