package tokenizer

import (
	"fmt"
	"slices"
	"strings"
)

// parseModel reads the model. Files without a type are taken as BPE, as old ones are.
func (t *Tokenizer) parseModel(v value) error {
	names := []string{"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
		"byte_fallback", "ignore_merges", "vocab", "merges"}
	o, kind, err := v.component(map[string][]string{
		"BPE": names, "": names,
		"Unigram":   {"unk_id", "vocab", "byte_fallback"},
		"WordPiece": {"unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"},
	})
	if err != nil {
		return err
	}
	switch kind {
	case "Unigram":
		return t.parseUnigram(o)
	case "WordPiece":
		return t.parseWordPiece(o)
	}
	return t.parseBPE(o)
}

// parseBPE reads a BPE.
func (t *Tokenizer) parseBPE(o object) error {
	if o.has("dropout") {
		if d := o.fields["dropout"]; d.want("a number") != nil || strings.Trim(string(d.text[:skipValue(d.text)]), "0.") != "" {
			return d.errorf("merges that are dropped at random are not supported; supported here: null, 0")
		}
	}
	var affixes [2]string
	for i, key := range []string{"continuing_subword_prefix", "end_of_word_suffix"} {
		if o.has(key) {
			var err error
			if affixes[i], err = o.str(key); err != nil {
				return err
			}
		}
	}
	var fuse, fallback, ignore bool
	for key, option := range map[string]*bool{"fuse_unk": &fuse, "byte_fallback": &fallback, "ignore_merges": &ignore} {
		if o.has(key) {
			var err error
			if *option, err = o.flag(key); err != nil {
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
	m := newBPE(t.vocab, affixes[0], affixes[1])
	m.fuseUnk, m.ignoreMerges = fuse, ignore
	if fallback {
		m.bytes = newByteTokens(t.vocab)
	}
	t.model = m
	if o.has("unk_token") {
		unk, err := o.str("unk_token")
		if err != nil {
			return err
		}
		if id, ok := t.vocab[unk]; ok {
			m.unk = id
		} else {
			m.unkMissing = unk
		}
	}
	merges, err := o.get("merges")
	if err != nil {
		return err
	}
	t.cuts.allowed = affixes == [2]string{} && !ignore
	return t.parseMerges(m, merges)
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
	t.vocab = make(map[string]int32, cap(list))
	err := v.entries(func(content string, val value) error {
		id, err := val.integer(maxVocab)
		if err != nil {
			return fmt.Errorf("token %q: %w", content, err)
		}
		t.vocab[content] = id
		list = append(list, entry{content, id})
		return nil
	})
	if err != nil {
		return err
	}
	if len(list) > len(t.vocab) {
		list = slices.DeleteFunc(list, func(x entry) bool { return t.vocab[x.content] != x.id })
	}
	size := int32(0)
	for _, x := range list {
		size = max(size, x.id+1)
	}
	if int(size) > 2*len(t.vocab)+1024 {
		return v.errorf("the largest id is %d, but only %d ids have a token", size-1, len(t.vocab))
	}
	t.tokens = make([]token, size)
	for _, x := range list {
		tok := &t.tokens[x.id]
		if tok.exists && tok.content != x.content {
			return v.errorf("id %d belongs to both %q and %q", x.id, tok.content, x.content)
		}
		*tok = token{content: x.content, exists: true}
	}
	return nil
}

// parseMerges reads the merges: all "a b", or all ["a", "b"]. Of a pair that occurs twice the
// last rank counts, as in the library.
func (t *Tokenizer) parseMerges(m *bpe, v value) error {
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
	rank := 0
	return v.items(func(i int, val value) error {
		left, right, skip, err := val.merge()
		if skip || err != nil {
			return err
		}
		if err := t.addMerge(m, left, right, rank); err != nil {
			return val.at(i).errorf("%v", err)
		}
		rank++
		return nil
	})
}

// addMerge adds a merge to the model, which is to be the tokenizer's.
func (t *Tokenizer) addMerge(m *bpe, left, right string, rank int) error {
	if !strings.HasPrefix(right, m.prefix) {
		return fmt.Errorf("token %q does not begin with %q, the continuing_subword_prefix", right, m.prefix)
	}
	l, okLeft := m.vocab[left]
	r, okRight := m.vocab[right]
	id, okJoined := m.vocab[left+right[len(m.prefix):]]
	for k, ok := range []bool{okLeft, okRight, okJoined} {
		if !ok {
			return fmt.Errorf("token %q is not in the vocabulary", []string{left, right, left + right[len(m.prefix):]}[k])
		}
	}
	if _, ok := byteToken(left); ok && strings.HasPrefix(right, wordMark) || l == m.unk {
		t.cuts.allowed = false
	}
	m.merges.set(uint64(l)<<32|uint64(r), uint64(rank)<<32|uint64(id))
	return nil
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
