package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// GGUFVocab is the vocabulary of a GGUF file: the values of its keys "tokenizer.ggml." and the name
// beside each field. Nil stands for a key that is not there.
type GGUFVocab struct {
	Model  string    // model
	Pre    string    // pre
	Tokens []string  // tokens
	Scores []float64 // scores
	Types  []int64   // token_type
	Merges []string  // merges

	BOS       *int64 // bos_token_id
	EOS       *int64 // eos_token_id
	Unknown   *int64 // unknown_token_id
	Separator *int64 // seperator_token_id, so spelled

	AddBOS                 *bool // add_bos_token
	AddEOS                 *bool // add_eos_token
	AddSpacePrefix         *bool // add_space_prefix
	RemoveExtraWhitespaces *bool // remove_extra_whitespaces

	Charsmap []byte // precompiled_charsmap

	// NFC normalizes texts although the file does not say so: no file does. The models of pre qwen2
	// and qwen35 need it and get it; many of olmo and mpt do too.
	NFC bool
}

// ParseGGUF builds the tokenizer of a GGUF file's vocabulary. Models are gpt2 (byte-level BPE, with
// the pre-tokenizer that Pre names), llama (sentencepiece BPE), t5 (sentencepiece unigram), bert
// (WordPiece, uncased) and rwkv. Others, and an unknown Pre, are refused by name: a guess would give
// wrong ids.
//
// Tokens of type 3 (control) are special, those of type 4 (user-defined) are found in texts before
// all others.
//
// Source: ggml-org/llama.cpp@00ad355e, src/llama-vocab.cpp.
func ParseGGUF(v GGUFVocab) (*Tokenizer, error) {
	t, err := v.parse()
	if err != nil {
		return nil, fmt.Errorf("tokenizer: gguf vocabulary: %w", err)
	}
	return t, nil
}

func (v *GGUFVocab) parse() (*Tokenizer, error) {
	n := len(v.Tokens)
	switch {
	case n == 0 || n > maxVocab:
		return nil, fmt.Errorf("tokens: found %d, expected 1 to %d", n, maxVocab)
	case len(v.Types) != n && len(v.Types) != 0:
		return nil, fmt.Errorf("token_type: found %d, expected %d, as many as tokens", len(v.Types), n)
	case len(v.Scores) != n && len(v.Scores) != 0:
		return nil, fmt.Errorf("scores: found %d, expected %d, as many as tokens", len(v.Scores), n)
	}
	for i, s := range v.Tokens {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("tokens: found invalid UTF-8, %s, in token %d", clip(s), i)
		}
	}
	for _, x := range []struct {
		name string
		id   *int64
	}{{"bos_token_id", v.BOS}, {"eos_token_id", v.EOS}, {"unknown_token_id", v.Unknown}, {"seperator_token_id", v.Separator}} {
		if x.id != nil && (*x.id < 0 || *x.id >= int64(n)) {
			return nil, fmt.Errorf("%s: found %d, expected 0 to %d", x.name, *x.id, n-1)
		}
	}
	switch v.Model {
	case "gpt2":
		return v.parseBPE()
	case "llama", "t5":
		return v.parseSentencePiece()
	case "bert":
		return v.parseBert()
	case "rwkv":
		return v.parseRWKV()
	}
	return nil, fmt.Errorf("model: found %s, expected gpt2, llama, t5, bert or rwkv", clip(v.Model))
}

// kind returns the type of a token; what llama.cpp writes as undefined is normal.
func (v *GGUFVocab) kind(id int) pieceKind {
	if len(v.Types) == 0 || v.Types[id] == 0 {
		return pieceNormal
	}
	return pieceKind(max(-1, min(v.Types[id], 7)))
}

// added returns the tokens that are found in texts before all others, of those that are the first of
// their content, as ids tells.
func (v *GGUFVocab) added(ids map[string]int32) (list []AddedToken) {
	for id, s := range v.Tokens {
		kind := v.kind(id)
		if s != "" && (kind == pieceControl || kind == pieceUserDefined) && ids[s] == int32(id) {
			list = append(list, AddedToken{Content: s, ID: int32(id), Special: kind == pieceControl})
		}
	}
	return list
}

// setEnds sets the tokens around a text: where the file does not say whether, bos and eos do.
func (v *GGUFVocab) setEnds(t *Tokenizer, bos, eos bool) {
	t.before, t.after = nil, nil
	if v.AddBOS != nil {
		bos = *v.AddBOS
	}
	if v.AddEOS != nil {
		eos = *v.AddEOS
	}
	if bos && v.BOS != nil {
		t.before = []int32{int32(*v.BOS)}
	}
	if eos && v.EOS != nil {
		t.after = []int32{int32(*v.EOS)}
	}
}

// parseSentencePiece builds the tokenizer of the models llama and t5.
func (v *GGUFVocab) parseSentencePiece() (*Tokenizer, error) {
	if len(v.Scores) == 0 {
		return nil, fmt.Errorf("scores: found none, expected %d, as many as tokens", len(v.Tokens))
	}
	m := &sentencePieceModel{
		unigram: v.Model == "t5", bos: -1, eos: -1, charsmap: v.Charsmap,
		prefix: v.AddSpacePrefix == nil || *v.AddSpacePrefix,
		trim:   v.Model == "t5" && v.RemoveExtraWhitespaces != nil && *v.RemoveExtraWhitespaces,
	}
	unk := slices.IndexFunc(v.Tokens, func(s string) bool { return s == "<unk>" })
	if v.Unknown != nil {
		unk = int(*v.Unknown)
	}
	seen := make(map[string]bool, len(v.Tokens))
	var added []AddedToken
	for id, s := range v.Tokens {
		p := sentencePiece{s, float32(v.Scores[id]), v.kind(id)}
		if len(v.Types) == 0 && isByteToken(s) {
			p.kind = pieceByte
		}
		switch {
		case s == "":
			p.text, p.kind = fmt.Sprintf("[EMPTY_%d]", id), pieceUnused
		case seen[s]:
			p.kind = pieceUnused
		case id == unk:
			p.kind = pieceUnknown
		case p.kind == pieceUnknown:
			p.kind = pieceControl
		case p.kind == pieceUserDefined:
			// It is found in the text as it is, and by merges.
			p.kind, added = pieceNormal, append(added, AddedToken{Content: s, ID: int32(id)})
		}
		seen[s] = true
		m.fallback = m.fallback || p.kind == pieceByte
		m.pieces = append(m.pieces, p)
	}
	t, err := m.tokenizer(SentencePieceOptions{Added: added})
	if err == nil {
		v.setEnds(t, !m.unigram, m.unigram)
	}
	return t, err
}

// parseRWKV builds the tokenizer of the model rwkv. Tokens are written with the escapes of Python's
// bytes; those that are not normal match no text.
func (v *GGUFVocab) parseRWKV() (*Tokenizer, error) {
	texts := make([]string, len(v.Tokens))
	for id, s := range v.Tokens {
		if id == 0 || v.kind(id) != pieceNormal {
			continue
		}
		var out []byte
		for s != "" {
			i := strings.IndexByte(s, '\\')
			if i < 0 {
				out = append(out, s...)
				break
			}
			out = append(out, s[:i]...)
			n, err := 0, error(nil)
			if out, n, err = pythonEscape(out, s[i:], true); err != nil {
				return nil, fmt.Errorf("tokens: token %d: %w", id, err)
			}
			s = s[i+n:]
		}
		texts[id] = string(out)
	}
	t, err := newRWKV(texts)
	if err == nil {
		v.setEnds(t, false, false)
	}
	return t, err
}
