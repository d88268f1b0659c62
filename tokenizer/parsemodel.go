package tokenizer

import (
	"fmt"
	"strings"
)

// parseModel reads the model, a BPE. Files without a type are taken as BPE, as old ones are.
func (t *Tokenizer) parseModel(v value) error {
	names := []string{"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
		"byte_fallback", "ignore_merges", "vocab", "merges"}
	o, _, err := v.component(map[string][]string{"BPE": names, "": names})
	if err != nil {
		return err
	}
	if o.has("dropout") {
		if d := o.fields["dropout"]; d.want("a number") != nil || strings.Trim(string(d.text[:skipValue(d.text)]), "0.") != "" {
			return d.errorf("merges that are dropped at random are not supported; supported here: null, 0")
		}
	}
	for _, key := range []string{"continuing_subword_prefix", "end_of_word_suffix"} {
		if o.has(key) {
			if s, err := o.str(key); err != nil {
				return err
			} else if s != "" {
				return o.fields[key].errorf("%q is not supported; supported here: null, \"\"", s)
			}
		}
	}
	fallback := false
	options := []*bool{&t.model.fuseUnk, &fallback, &t.model.ignoreMerges}
	for i, key := range []string{"fuse_unk", "byte_fallback", "ignore_merges"} {
		if o.has(key) {
			if *options[i], err = o.flag(key); err != nil {
				return err
			}
		}
	}
	vocab, err := o.get("vocab")
	if err != nil {
		return err
	}
	if err := t.parseVocab(vocab); err != nil {
		return err
	}
	merges, err := o.get("merges")
	if err != nil {
		return err
	}
	if err := t.model.parseMerges(merges); err != nil {
		return err
	}
	return t.model.parseSymbols(o, fallback)
}

// parseVocab reads the vocabulary. Of a content that occurs twice the last id counts, as in the
// library.
func (t *Tokenizer) parseVocab(v value) error {
	type entry struct {
		content string
		id      int32
	}
	if err := v.want("an object"); err != nil {
		return err
	}
	list := make([]entry, 0, v.size())
	t.model.vocab = make(map[string]int32, cap(list))
	err := v.entries(func(content string, val value) error {
		id, err := val.integer(maxVocab)
		if err != nil {
			return fmt.Errorf("token %q: %w", content, err)
		}
		t.model.vocab[content] = id
		list = append(list, entry{content, id})
		return nil
	})
	if err != nil {
		return err
	}
	size := int32(0)
	for _, id := range t.model.vocab {
		size = max(size, id+1)
	}
	if int(size) > 2*len(t.model.vocab)+1024 {
		return v.errorf("the largest id is %d, but only %d ids have a token", size-1, len(t.model.vocab))
	}
	t.tokens = make([]token, size)
	for _, x := range list {
		if t.model.vocab[x.content] != x.id {
			continue
		}
		tok := &t.tokens[x.id]
		if tok.exists && tok.content != x.content {
			return v.errorf("id %d belongs to both %q and %q", x.id, tok.content, x.content)
		}
		*tok = token{content: x.content, bytes: decodeSymbols(x.content), exists: true}
	}
	return nil
}

// parseMerges reads the merges: all "a b", or all ["a", "b"]. Of a pair that occurs twice the
// last rank counts, as in the library.
func (m *bpe) parseMerges(v value) error {
	count := 0
	var kind string
	err := v.items(func(i int, val value) error {
		if count++; i == 0 {
			kind = val.kind()
		}
		return val.want(kind)
	})
	if err != nil {
		return err
	}
	m.merges = newTable(count)
	rank := uint64(0)
	var joined []byte
	return v.items(func(i int, val value) error {
		left, right, skip, err := val.merge()
		if skip || err != nil {
			return err
		}
		joined = append(append(joined[:0], left...), right...)
		l, okLeft := m.vocab[left]
		r, okRight := m.vocab[right]
		id, okJoined := m.vocab[string(joined)]
		for k, ok := range []bool{okLeft, okRight, okJoined} {
			if !ok {
				return val.at(i).errorf("token %q is not in the vocabulary", []string{left, right, string(joined)}[k])
			}
		}
		m.merges.set(uint64(l)<<32|uint64(r), rank<<32|uint64(id))
		rank++
		return nil
	})
}

// merge reads one merge. The line "#version" that begins old lists is none.
func (v value) merge() (left, right string, skip bool, err error) {
	if v.kind() == "an array" {
		n := 0
		err = v.items(func(i int, val value) (err error) {
			var s string
			s, err = val.str()
			left, right, n = right, s, i+1
			return err
		})
		if err == nil && n != 2 {
			err = v.errorf("a merge has %d parts, expected 2", n)
		}
	} else {
		var s string
		if s, err = v.str(); strings.HasPrefix(s, "#version") {
			return "", "", true, err
		}
		var ok bool
		left, right, ok = strings.Cut(s, " ")
		if err == nil && (!ok || strings.Contains(right, " ")) {
			err = v.errorf("merge %q: expected two parts with one space between them", s)
		}
	}
	if err == nil && (left == "" || right == "") {
		err = v.errorf("a merge has an empty part")
	}
	return left, right, false, err
}

// parseSymbols finds the tokens of single bytes, and what stands for bytes that have none.
func (m *bpe) parseSymbols(o object, fallback bool) error {
	m.unk, m.complete = -1, true
	unk := ""
	if o.has("unk_token") {
		var err error
		if unk, err = o.str("unk_token"); err != nil {
			return err
		}
		if id, ok := m.vocab[unk]; ok {
			m.unk = id
		}
	}
	for b, sym := range byteSymbols.utf8 {
		m.initial[b], m.fallback[b] = -1, [2]int32{-1, -1}
		if id, ok := m.vocab[sym]; ok {
			m.initial[b] = id
			continue
		}
		m.complete = false
		if fallback && m.byteTokens(sym, &m.fallback[b]) {
			continue
		}
		if unk != "" && m.unk < 0 {
			return o.errorf("unk_token: byte %d has no token, and %q is not in the vocabulary", b, unk)
		}
	}
	return nil
}

// byteTokens finds the tokens <0xNN> of the bytes of a symbol, if all exist.
func (m *bpe) byteTokens(sym string, ids *[2]int32) bool {
	found := [2]int32{-1, -1}
	for i := range len(sym) {
		id, ok := m.vocab[fmt.Sprintf("<0x%02X>", sym[i])]
		if !ok {
			return false
		}
		found[i] = id
	}
	*ids = found
	return true
}
