package mminfer

import (
	"encoding/json"
	"errors"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tokenizer"
)

// GGUFTokenizer returns the tokenizer of a GGUF file, and an error that wraps [ErrNoTokenizer] if the
// file has none.
func GGUFTokenizer(g *loader.GGUF) (*tokenizer.Tokenizer, error) {
	t, _, err := ggufTokenizer(g)
	if t == nil && err == nil {
		err = ErrNoTokenizer
	}
	return t, err
}

// GGUFTokenizerJSON returns the tokenizer of a GGUF file as a tokenizer.json: see
// [tokenizer.GGUFVocab.JSON].
func GGUFTokenizerJSON(g *loader.GGUF) ([]byte, error) {
	v, err := ggufVocab(g)
	if err != nil {
		return nil, err
	}
	if v.Tokens == nil {
		return nil, ErrNoTokenizer
	}
	return v.JSON()
}

// ggufTokenizer returns the tokenizer of a GGUF file, and what it was made of; nil if the file has
// none.
func ggufTokenizer(g *loader.GGUF) (*tokenizer.Tokenizer, []byte, error) {
	v, err := ggufVocab(g)
	if err != nil || v.Tokens == nil {
		return nil, nil, err
	}
	source, err := json.Marshal(v)
	if err != nil {
		return nil, nil, err
	}
	t, err := tokenizer.ParseGGUF(v)
	return t, source, err
}

// ggufVocab reads the vocabulary of a GGUF file, without tokens if it has none.
func ggufVocab(g *loader.GGUF) (tokenizer.GGUFVocab, error) {
	k := ggufKeys{g: g}
	v := tokenizer.GGUFVocab{
		Model: deref(ggufKey(&k, "model", g.String)), Pre: deref(ggufKey(&k, "pre", g.String)),
		Tokens: deref(ggufKey(&k, "tokens", g.Strings)), Merges: deref(ggufKey(&k, "merges", g.Strings)),
		Scores: deref(ggufKey(&k, "scores", g.Floats)), Types: deref(ggufKey(&k, "token_type", g.Ints)),

		BOS: ggufKey(&k, "bos_token_id", g.Int), EOS: ggufKey(&k, "eos_token_id", g.Int),
		Unknown: ggufKey(&k, "unknown_token_id", g.Int), Separator: ggufKey(&k, "seperator_token_id", g.Int),

		AddBOS: ggufKey(&k, "add_bos_token", g.Bool), AddEOS: ggufKey(&k, "add_eos_token", g.Bool),
		AddSpacePrefix:         ggufKey(&k, "add_space_prefix", g.Bool),
		RemoveExtraWhitespaces: ggufKey(&k, "remove_extra_whitespaces", g.Bool),
	}
	for _, b := range deref(ggufKey(&k, "precompiled_charsmap", g.Ints)) {
		v.Charsmap = append(v.Charsmap, byte(b))
	}
	return v, k.err
}

// ggufKeys reads the keys of a vocabulary, and keeps the first error.
type ggufKeys struct {
	g   *loader.GGUF
	err error
}

// ggufKey reads a key of a vocabulary, nil if there is none.
func ggufKey[T any](k *ggufKeys, name string, get func(key string) (T, error)) *T {
	v, err := get("tokenizer.ggml." + name)
	if err == nil {
		return &v
	}
	if k.err == nil && !errors.Is(err, loader.ErrNoKey) {
		k.err = err
	}
	return nil
}

// deref returns what p points to, and the zero value for nil.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
