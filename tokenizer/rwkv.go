package tokenizer

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxToken      = 1 << 10 // bytes of a token that is looked for in the text
	endOfTextRWKV = "<|rwkv_tokenizer_end_of_text|>"
)

// ParseRWKV reads a vocabulary of the RWKV "world" models: lines of an id, a Python string or bytes
// literal, and the bytes it stands for, such as
//
//	257 '\t\t' 2
//	8310 b'\xe6\x85' 2
//
// A text is cut into tokens from the left, each the longest that matches, byte by byte: nothing is
// normalized, and invalid UTF-8 is kept. Id 0 ends a text; it stands for no bytes and is written by
// no text. Every byte must have a token of its own.
//
// Source: BlinkDL/ChatRWKV, tokenizer/rwkv_tokenizer.py.
func ParseRWKV(vocab []byte) (*Tokenizer, error) {
	t, err := parseRWKV(vocab)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: rwkv vocabulary: %w", err)
	}
	return t, nil
}

func parseRWKV(vocab []byte) (*Tokenizer, error) {
	if len(vocab) > maxFile {
		return nil, fmt.Errorf("found %d bytes, expected at most %d", len(vocab), maxFile)
	}
	most := 2*bytes.Count(vocab, []byte("\n")) + 1024 // ids are about as many as lines
	texts := make([]string, 1, most/2)
	n := 0
	for line := range bytes.Lines(vocab) {
		n++
		if line = bytes.TrimRight(line, "\r\n"); len(line) == 0 {
			continue
		}
		id, text, err := parseRWKVLine(string(line))
		switch {
		case err != nil:
		case int(id) > most:
			err = fmt.Errorf("id: found %d, expected ids about as many as lines", id)
		case int(id) < len(texts) && texts[id] != "":
			err = fmt.Errorf("id %d: found it for %s and %s, expected it once", id, clip(texts[id]), clip(text))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for int(id) >= len(texts) {
			texts = append(texts, "")
		}
		texts[id] = text
	}
	return newRWKV(texts)
}

// parseRWKVLine reads one line: an id from 1, and the bytes it stands for.
func parseRWKVLine(line string) (id int32, text string, err error) {
	first, last := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
	if first == last {
		return 0, "", fmt.Errorf("found %s, expected an id, a literal and a length", clip(line))
	}
	if id, err = vocabID(line[:first]); err != nil {
		return 0, "", err
	}
	literal := strings.TrimSpace(line[first:last])
	if text, err = pythonLiteral(literal); err == nil && text == "" {
		err = fmt.Errorf("found no bytes, expected at least one")
	}
	if err != nil {
		return 0, "", fmt.Errorf("literal %s: %w", clip(literal), err)
	}
	if n, err := strconv.Atoi(line[last+1:]); err != nil || n != len(text) {
		return 0, "", fmt.Errorf("length: found %s, expected %d, the bytes of %s", clip(line[last+1:]), len(text), clip(literal))
	}
	return id, text, nil
}

// vocabID reads an id.
func vocabID(s string) (int32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err != nil || id == 0 || id >= maxVocab {
		return 0, fmt.Errorf("id: found %s, expected a number from 1 to %d", clip(s), maxVocab-1)
	}
	return int32(id), nil
}

// clip quotes text from a file for an error.
func clip(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q...", s[:60])
	}
	return fmt.Sprintf("%q", s)
}

// pythonLiteral returns the bytes of a Python str or bytes literal as repr writes it.
func pythonLiteral(s string) (string, error) {
	body, isBytes := strings.CutPrefix(s, "b")
	if len(body) < 2 || body[0] != body[len(body)-1] || body[0] != '\'' && body[0] != '"' {
		return "", fmt.Errorf("found no pair of quotes, expected '...', \"...\", b'...' or b\"...\"")
	}
	quote := body[0]
	body = body[1 : len(body)-1]
	var out []byte
	for body != "" {
		switch c := body[0]; {
		case c == quote:
			return "", fmt.Errorf("found a quote inside, expected it after a backslash")
		case c == '\\':
			n, err := 0, error(nil)
			if out, n, err = pythonEscape(out, body, isBytes); err != nil {
				return "", err
			}
			body = body[n:]
		case c >= utf8.RuneSelf && isBytes:
			return "", fmt.Errorf("found byte %#x, expected ASCII in a bytes literal", c)
		default:
			out, body = append(out, c), body[1:]
		}
	}
	if !isBytes && !utf8.Valid(out) {
		return "", fmt.Errorf("found invalid UTF-8, expected characters")
	}
	return string(out), nil
}

// pythonEscape appends what the escape at the start of s stands for, and returns its length.
func pythonEscape(out []byte, s string, isBytes bool) ([]byte, int, error) {
	const plain, stands = `\'"nrt`, "\\'\"\n\r\t"
	if len(s) < 2 {
		return out, 0, fmt.Errorf("found a backslash at the end")
	}
	if i := strings.IndexByte(plain, s[1]); i >= 0 {
		return append(out, stands[i]), 2, nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	if digits == 0 || isBytes && digits > 2 || len(s) < 2+digits {
		return out, 0, fmt.Errorf("found escape %s, expected one of \\\\ \\' \\\" \\n \\r \\t \\x \\u \\U with its digits", clip(s[:2]))
	}
	v, err := strconv.ParseUint(s[2:2+digits], 16, 32)
	switch {
	case err != nil || !isBytes && !utf8.ValidRune(rune(uint32(v))):
		return out, 0, fmt.Errorf("found escape %s, expected the number of a character", clip(s[:2+digits]))
	case isBytes:
		out = append(out, byte(v))
	default:
		out = utf8.AppendRune(out, rune(v))
	}
	return out, 2 + digits, nil
}

// rwkv is the model of a vocabulary: greedy longest match.
type rwkv struct{ trie byteTrie }

// newRWKV returns a tokenizer of the texts by id, "" for none. Text 0 is ignored: that id ends texts.
func newRWKV(texts []string) (*Tokenizer, error) {
	t := newTokenizer()
	t.tokens = make([]token, len(texts))
	t.tokens[0] = token{content: endOfTextRWKV, exists: true, special: true}
	t.ids[endOfTextRWKV] = 0
	t.vocab = make(map[string]int32, len(texts))
	m := &rwkv{newByteTrie()}
	for id, s := range texts[1:] {
		id := int32(id + 1)
		if old, ok := t.vocab[s]; ok && s != "" {
			return nil, fmt.Errorf("id %d: found %s, which is token %d", id, clip(s), old)
		}
		if len(s) > maxToken {
			return nil, fmt.Errorf("id %d: found %d bytes, expected at most %d", id, len(s), maxToken)
		}
		if s != "" {
			t.vocab[s] = id
			m.trie.insert(s, id)
			t.tokens[id] = token{content: s, bytes: s, exists: true}
		}
	}
	for b := range 256 {
		if _, ok := t.vocab[string([]byte{byte(b)})]; !ok {
			return nil, fmt.Errorf("found no token for byte %#02x, expected one for each", b)
		}
	}
	t.model, t.bytewise = m, true
	return t, nil
}

// encode implements model.
func (m *rwkv) encode(w *word, dst []int32, piece []byte) []int32 {
	for from := 0; from < len(piece); {
		id, n := m.trie.longest(piece[from:])
		dst = append(dst, id)
		w.cover(from, from+n)
		from += n
	}
	return dst
}
