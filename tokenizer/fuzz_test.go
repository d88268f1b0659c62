package tokenizer

import (
	"maps"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzParse checks that no file makes Parse, or a tokenizer that it accepts, panic, and that such
// a tokenizer is consistent with itself.
func FuzzParse(f *testing.F) {
	f.Add(encodeJSON(f, tinyJSON()), "the <s> hi")
	for _, edit := range []func(map[string]any){
		func(j map[string]any) { j["normalizer"] = map[string]any{"type": "NFKC"} },
		func(j map[string]any) { at(j, "pre_tokenizer")["add_prefix_space"] = true },
		func(j map[string]any) {
			j["post_processor"] = template(step("SpecialToken", "S"), step("Sequence", "A"))
		},
		func(j map[string]any) { noMerges(j); at(j, "model")["vocab"] = map[string]any{"a": 0, "<0xC4>": 1} },
	} {
		j := tinyJSON()
		edit(j)
		f.Add(encodeJSON(f, j), "caf\u00e9 <x>\xff")
	}
	for _, x := range readLines[partsCase](f, testdata(f), "golden/parts/cases.jsonl") {
		j := tinyJSON()
		maps.Copy(j, x.Patch)
		maps.Copy(at(j, "model"), x.Model)
		f.Add(encodeJSON(f, j), "The caf\u00e9s \u2581 12")
	}
	model := map[string]any{"type": "Unigram", "unk_id": 0, "byte_fallback": true,
		"vocab": []any{[]any{"<unk>", 0}, []any{"a", -1.5}, []any{"ab", -2}, []any{"<0x62>", -3}}}
	f.Add(encodeJSON(f, map[string]any{"model": model}), "abab\u00e9")
	model = map[string]any{"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "##",
		"max_input_chars_per_word": 9, "vocab": map[string]any{"a": 0, "##b": 1}}
	f.Add(encodeJSON(f, map[string]any{"model": model, "decoder": map[string]any{"type": "WordPiece", "prefix": "##", "cleanup": true}}), "ab \u00e9")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		tok, err := Parse(data)
		if err != nil {
			return
		}
		for recognize := RecognizePlain; recognize <= RecognizeNone; recognize++ {
			checkConsistent(t, tok, text, EncodeOptions{true, recognize})
		}
	})
}

// checkConsistent checks that Encode and EncodeOffsets, Decode and Stream agree. It returns the
// ids and what they decode to.
func checkConsistent(t *testing.T, tok *Tokenizer, text string, opts EncodeOptions) ([]int32, string) {
	t.Helper()
	ids := tok.Encode(nil, text, opts)
	again, spans := tok.EncodeOffsets(text, opts)
	if !slices.Equal(ids, again) || len(spans) != len(ids) {
		t.Fatalf("Encode(%q): %v, EncodeOffsets: %v, %v", text, ids, again, spans)
	}
	runes := utf8.RuneCountInString(lossyReference(text))
	for i, s := range spans {
		if s.Start < 0 || s.Start > s.End || s.End > runes {
			t.Fatalf("EncodeOffsets(%q): token %d at %v", text, i, s)
		}
	}
	decoded, err := tok.Decode(ids, false)
	if err != nil || !utf8.ValidString(decoded) {
		t.Fatalf("Decode(%v): %q, %v", ids, decoded, err)
	}
	var streamed []byte
	s := tok.Stream(false)
	for _, id := range ids {
		chunk, err := s.Next(id)
		if err != nil || !utf8.Valid(chunk) {
			t.Fatalf("Next(%d): %q, %v", id, chunk, err)
		}
		streamed = append(streamed, chunk...)
	}
	if streamed = append(streamed, s.Flush()...); string(streamed) != decoded {
		t.Fatalf("streamed %q, decoded %q", streamed, decoded)
	}
	return ids, decoded
}

// FuzzRoundTrip checks that decode(encode(s)) is s, or for invalid UTF-8 what s is read as, in
// the vocabularies that have every byte, do not normalize and put no space in front.
func FuzzRoundTrip(f *testing.F) {
	for _, s := range []string{"", " ", "Hello, world!\n", "don't 123 4567", "cafe\u0301 中文 \U0001F600", "\xff\xe4\xbd", "<|im_start|>x<|endoftext|>",
		"\u0378\x00\x1c", " \n\r\n  x", "A\u0301BC'S '\u017f", "\u1c89\ua7cb"} {
		f.Add(s)
	}
	fsys := testdata(f)
	var toks []*Tokenizer
	names := []string{"bpe_gpt2", "bpe_llama3", "bpe_digits", "bpe_falcon", "bpe_o200k", "bpe_deepseek", "fable"}
	for _, name := range names {
		toks = append(toks, goldenTokenizer(f, fsys, name))
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := lossyReference(s)
		for i, tok := range toks {
			for recognize := RecognizePlain; recognize <= RecognizeNone; recognize++ {
				if _, got := checkConsistent(t, tok, s, EncodeOptions{Recognize: recognize}); got != want {
					t.Fatalf("%s: %q -> %q", names[i], want, got)
				}
			}
		}
	})
}

// FuzzEncode checks that the tokenizers of every family are consistent with themselves.
func FuzzEncode(f *testing.F) {
	for _, s := range []string{"Hello, world!\n", " a  b ", "\u2581x\u2581\u2581", "<0x0A><s>", "\u4f60\u597d \xff", "don't \u1e69\u0301"} {
		f.Add(s)
	}
	fsys := testdata(f)
	var toks []*Tokenizer
	for _, name := range goldens {
		if name != "smollm2" {
			toks = append(toks, goldenTokenizer(f, fsys, name))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, tok := range toks {
			for recognize := RecognizePlain; recognize <= RecognizeNone; recognize++ {
				checkConsistent(t, tok, s, EncodeOptions{true, recognize})
			}
		}
	})
}
