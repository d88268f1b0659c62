package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// SentencePieceOptions say what a tokenizer.model leaves to the program around it.
type SentencePieceOptions struct {
	// Added are tokens beside the pieces, such as those of added_tokens.json. One with the id of a
	// piece must have its content, and says how that is found in texts; or it takes the place of a
	// piece held in reserve: an unused one, or one that is called [UNUSED_TOKEN_...] (InternLM2).
	Added []AddedToken
	// PrefixFirst puts a space only before a text that does not begin with one, and not after added
	// tokens: what the transformers library does with legacy=false. Otherwise every part of a text
	// between added tokens gets one, if the model asks for it.
	PrefixFirst bool
	// AddBOS and AddEOS say whether beginning and end of text go around a text. Nil stands for what
	// families of models do: BPE models begin texts, and unigram models without a beginning of text
	// (T5) end them.
	AddBOS, AddEOS *bool
	// CleanUp takes spaces before punctuation and contractions out of decoded texts, as the
	// InternLM2Tokenizer of the released models always does.
	CleanUp bool
}

// ParseSentencePiece reads a tokenizer.model, the file of the sentencepiece library: a BPE or unigram
// model with its table of normalization. Unknown and control pieces are special added tokens;
// user-defined pieces are found in the normalized text before all others.
//
// Ids are those of the sentencepiece library, sums of scores in float32 included, except that
// unused pieces match no text. What it cannot do is refused: models of words or characters, spaces
// as suffixes, tables for decoding.
func ParseSentencePiece(model []byte, opts SentencePieceOptions) (*Tokenizer, error) {
	t, err := parseSentencePiece(model, opts)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: sentencepiece model: %w", err)
	}
	return t, nil
}

func parseSentencePiece(model []byte, opts SentencePieceOptions) (*Tokenizer, error) {
	if len(model) > maxFile {
		return nil, fmt.Errorf("found %d bytes, expected at most %d", len(model), maxFile)
	}
	p, err := readModelProto(model)
	if err != nil {
		return nil, err
	}
	m := &sentencePieceModel{
		pieces: p.pieces, unigram: p.trainer[fieldModelType] == typeUnigram, fallback: p.trainer[fieldByteFallback] != 0,
		charsmap: p.charsmap, prefix: p.normalizer[fieldPrefix] != 0, trim: p.normalizer[fieldTrim] != 0,
	}
	switch {
	case !m.unigram && p.trainer[fieldModelType] != typeBPE:
		return nil, fmt.Errorf("found model type %d, expected 1 (unigram) or 2 (BPE)", p.trainer[fieldModelType])
	case p.trainer[fieldSuffix] != 0:
		return nil, fmt.Errorf("found spaces as suffixes, which are not supported")
	case p.normalizer[fieldEscape] == 0:
		return nil, fmt.Errorf("found spaces that stay spaces, which are not supported")
	case p.reverse:
		return nil, fmt.Errorf("found a table for decoding, which is not supported")
	}
	m.bos = m.control(p.names[fieldBOSPiece], p.trainer[fieldBOS])
	m.eos = m.control(p.names[fieldEOSPiece], p.trainer[fieldEOS])
	return m.tokenizer(opts)
}

// maxSentencePiece bounds the bytes of a piece.
const maxSentencePiece = maxScoredPiece

// A pieceKind is the type of a piece, numbered as in the file.
type pieceKind int32

const (
	pieceNormal pieceKind = iota + 1
	pieceUnknown
	pieceControl
	pieceUserDefined
	pieceUnused
	pieceByte
)

// A sentencePiece is one entry of a vocabulary.
type sentencePiece struct {
	text  string
	score float32
	kind  pieceKind
}

// A sentencePieceModel is what a tokenizer.model, or the metadata of a GGUF file, says.
type sentencePieceModel struct {
	pieces   []sentencePiece
	unigram  bool // otherwise BPE
	fallback bool // unknown characters become bytes

	bos, eos int32 // -1: none

	charsmap []byte
	prefix   bool // put a space before a text
	trim     bool // drop spaces at the ends, and all but one elsewhere
}

// control returns the id of the control piece of the given name, or else the given id, if it is that
// of a control piece, or -1.
func (m *sentencePieceModel) control(name string, id int32) int32 {
	for i, p := range m.pieces {
		if p.kind == pieceControl && p.text == name {
			return int32(i)
		}
	}
	if id >= 0 && int(id) < len(m.pieces) && m.pieces[id].kind == pieceControl {
		return id
	}
	return -1
}

// check checks the pieces and returns the id of the unknown one.
func (m *sentencePieceModel) check() (unk int32, err error) {
	unk = -1
	seen := make(map[string]int, len(m.pieces))
	for id, p := range m.pieces {
		first, twice := seen[p.text]
		switch {
		case p.text == "" || len(p.text) > maxSentencePiece:
			err = fmt.Errorf("found %d bytes, expected 1 to %d", len(p.text), maxSentencePiece)
		case p.kind < pieceNormal || p.kind > pieceByte:
			err = fmt.Errorf("found type %d, expected 1 to 6", p.kind)
		case math.IsNaN(float64(p.score)) || math.IsInf(float64(p.score), 0):
			err = fmt.Errorf("found score %v, expected a finite one", p.score)
		case twice && p.kind != pieceUnused:
			err = fmt.Errorf("found %s, which is piece %d", clip(p.text), first)
		case p.kind == pieceUnknown && unk >= 0:
			err = fmt.Errorf("found a second unknown piece, %s", clip(p.text))
		case p.kind == pieceUnknown:
			unk = int32(id)
		case p.kind == pieceByte && !isByteToken(p.text):
			err = fmt.Errorf("found byte piece %s, expected <0x00> to <0xFF>", clip(p.text))
		case p.kind == pieceByte && !m.fallback:
			err = fmt.Errorf("found byte piece %s, expected none without byte_fallback", clip(p.text))
		}
		if err != nil {
			return unk, fmt.Errorf("piece %d: %w", id, err)
		}
		if !twice {
			seen[p.text] = id
		}
	}
	if unk < 0 {
		return unk, fmt.Errorf("found %d pieces, expected one of them to be unknown", len(m.pieces))
	}
	return unk, nil
}

// isByteToken reports whether s is a byte token as sentencepiece writes it.
func isByteToken(s string) bool {
	b, ok := byteToken(s)
	return ok && s == fmt.Sprintf("<0x%02X>", b)
}

// tokenizer builds the tokenizer.
func (m *sentencePieceModel) tokenizer(opts SentencePieceOptions) (*Tokenizer, error) {
	m.replaceReserved(opts.Added)
	unk, err := m.check()
	if err != nil {
		return nil, err
	}
	t := newTokenizer()
	t.tokens = make([]token, len(m.pieces))
	t.vocab = make(map[string]int32, len(m.pieces))
	ofBytes := make(map[string]int32)
	for id, p := range m.pieces {
		t.tokens[id] = token{content: p.text, exists: true}
		if _, ok := t.vocab[p.text]; !ok {
			t.vocab[p.text] = int32(id)
		}
		if p.kind == pieceByte {
			ofBytes[p.text] = int32(id)
		}
	}
	var fallback *byteTokens
	if m.fallback {
		fallback = newByteTokens(ofBytes)
		if b := slices.Index(fallback[:], -1); b >= 0 {
			return nil, fmt.Errorf("found no byte piece for %#02x, expected one for each byte", b)
		}
	}
	if m.unigram {
		t.model = m.newUnigram(unk, fallback)
	} else {
		t.model = m.newBPE(t, unk, fallback)
	}
	if err := m.normalizer(t, opts); err != nil {
		return nil, err
	}
	if err := t.addTokens(append(m.added(), opts.Added...)); err != nil {
		return nil, err
	}
	m.decoder(t)
	t.decode.cleanUp = opts.CleanUp
	if opts.AddBOS == nil && !m.unigram || opts.AddBOS != nil && *opts.AddBOS {
		t.before = around(m.bos)
	}
	if opts.AddEOS == nil && m.unigram && m.bos < 0 || opts.AddEOS != nil && *opts.AddEOS {
		t.after = around(m.eos)
	}
	return t, nil
}

// replaceReserved gives the places of reserved pieces to added tokens. The pieces then match no text:
// spelling one out must not write a control token.
func (m *sentencePieceModel) replaceReserved(added []AddedToken) {
	m.pieces = slices.Clone(m.pieces)
	for _, tok := range added {
		if tok.ID < 0 || int(tok.ID) >= len(m.pieces) || tok.Content == "" {
			continue
		}
		p := &m.pieces[tok.ID]
		if p.text != tok.Content && (p.kind == pieceUnused || strings.HasPrefix(p.text, "[UNUSED_TOKEN_")) {
			*p = sentencePiece{text: tok.Content, kind: pieceUnused}
		}
	}
}

// around returns the tokens to put at an end of a text: id, if it is one.
func around(id int32) []int32 {
	if id < 0 {
		return nil
	}
	return []int32{id}
}

// newUnigram returns the model of scores. As in the library, user-defined pieces have a score that
// lets them win, unless that of all normal pieces is low.
func (m *sentencePieceModel) newUnigram(unk int32, fallback *byteTokens) model {
	x := unigramModel{pieces: make([]string, len(m.pieces)), scores: make([]float64, len(m.pieces)), unk: unk, bytes: fallback, single: true}
	least, most := float32(math.MaxFloat32), float32(-math.MaxFloat32)
	for _, p := range m.pieces {
		if p.kind == pieceNormal {
			least, most = min(least, p.score), max(most, p.score)
		}
	}
	for id, p := range m.pieces {
		switch p.kind {
		case pieceNormal:
			x.pieces[id], x.scores[id] = p.text, float64(p.score)
		case pieceUserDefined:
			x.pieces[id], x.scores[id] = p.text, float64(float32(len(p.text))*most)-0.1
		}
	}
	x.unkScore = float64(least - unkPenalty)
	return newUnigram(x)
}

// newBPE returns the model of merges.
func (m *sentencePieceModel) newBPE(t *Tokenizer, unk int32, fallback *byteTokens) model {
	x := scoredBPE{pieces: make([]string, len(m.pieces)), scores: make([]float32, len(m.pieces)), unk: unk, bytes: fallback}
	for id, p := range m.pieces {
		x.scores[id] = p.score
		if p.kind == pieceNormal {
			x.pieces[id] = p.text
		}
	}
	if id, ok := t.vocab[wordMark]; fallback != nil || ok && m.pieces[id].kind == pieceNormal {
		t.cuts = cuts{true, joinedBefore(slices.Values(x.pieces))}
	}
	return newScoredBPE(x)
}

// added returns the pieces that are added tokens. In BPE models user-defined pieces are whole before
// merging begins, which is the same.
func (m *sentencePieceModel) added() (list []AddedToken) {
	for id, p := range m.pieces {
		switch {
		case p.kind == pieceUnknown, p.kind == pieceControl:
			list = append(list, AddedToken{Content: p.text, ID: int32(id), Special: true})
		case p.kind == pieceUserDefined && !m.unigram:
			list = append(list, AddedToken{Content: p.text, ID: int32(id), Normalized: true})
		}
	}
	return list
}

// addTokens adds tokens that are looked for apart from the model. Of the same id twice the later
// counts.
func (t *Tokenizer) addTokens(list []AddedToken) error {
	byID := make(map[int32]AddedToken)
	size := 0
	for _, tok := range list {
		old, twice := t.ID(tok.Content)
		switch size += len(tok.Content); {
		case tok.Content == "" || size > maxAdded:
			return fmt.Errorf("added token %d: found %d bytes, expected 1 or more, and all together at most %d", tok.ID, len(tok.Content), maxAdded)
		case tok.ID < 0 || int(tok.ID) > 2*(len(t.tokens)+len(list))+1024:
			return fmt.Errorf("added token %s: found id %d, expected ids about as many as tokens", clip(tok.Content), tok.ID)
		case twice && old != tok.ID:
			return fmt.Errorf("added token %s: found id %d, expected %d, which has that content", clip(tok.Content), tok.ID, old)
		case int(tok.ID) < len(t.tokens) && t.tokens[tok.ID].exists && t.tokens[tok.ID].content != tok.Content:
			return fmt.Errorf("added token %s: found id %d, which is %s", clip(tok.Content), tok.ID, clip(t.tokens[tok.ID].content))
		case byID[tok.ID].Content != "" && byID[tok.ID].Content != tok.Content:
			return fmt.Errorf("added token %s: found id %d, which is %s", clip(tok.Content), tok.ID, clip(byID[tok.ID].Content))
		}
		byID[tok.ID], t.ids[tok.Content] = tok, tok.ID
	}
	return t.buildAdded(byID, value{path: "added tokens"})
}

// decoder sets how tokens become text.
func (m *sentencePieceModel) decoder(t *Tokenizer) {
	d := &t.decode
	d.perByte = true
	if m.fallback {
		d.steps = append(d.steps, decodeByteToken)
	}
	d.steps = append(d.steps, func(s string, _ place) string { return strings.ReplaceAll(s, wordMark, " ") })
	if m.prefix {
		d.trim, d.start, d.runs = " ", 1, m.trim && !m.fallback
	}
	t.spell()
}
