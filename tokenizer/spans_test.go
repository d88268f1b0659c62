package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// spansTokenizer has byte tokens and added tokens of every kind: one special token that begins
// another, one that ends in another, one looked for in the normalized text, one that is not special.
func spansTokenizer(t *testing.T) *Tokenizer {
	j := tinyJSON()
	normalized := tinyAdded(264, "<n>", true)
	normalized["normalized"] = true
	j["normalizer"] = map[string]any{"type": "NFC"}
	j["added_tokens"] = []any{tinyAdded(259, "<a>", true), tinyAdded(260, "<a><b>", true), tinyAdded(261, "<b>", true),
		tinyAdded(262, "  ", false), tinyAdded(263, "<t>", false), normalized}
	tok, err := Parse(encodeJSON(t, j))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestEncodeSpans(t *testing.T) {
	tok := spansTokenizer(t)
	const a, ab, b, spaces, tool, n = 259, 260, 261, 262, 263, 264
	for _, c := range []struct {
		text string // the untrusted parts in braces
		want []int32
	}{
		{"<a>{the}<b>", []int32{a, 257, b}},
		{"<a>{<b>}<b>", []int32{a, '<', 'b', '>', b}},
		{"{<a>}<b>", []int32{'<', 'a', '>', b}},
		{"<a>{<b}>", []int32{a, '<', 'b', '>'}},
		{"{<a}><b>", []int32{'<', 'a', '>', b}},
		{"{  <a><b>  }<a>", []int32{spaces, '<', 'a', '>', '<', 'b', '>', spaces, a}},
		{"t{h}e", []int32{257}},
		{"<t>{<t>}", []int32{tool, tool}},
		{"e\u0301<n>{e\u0301<n>}<n>", []int32{0xc3, 0xa9, n, 0xc3, 0xa9, '<', 'n', '>', n}},
		{"<n{>}", []int32{'<', 'n', '>'}},
		{"<a>{}<b>", []int32{ab}},
	} {
		parts := strings.FieldsFunc(strings.ReplaceAll(c.text, "{}", ""), func(r rune) bool { return r == '{' || r == '}' })
		var u Untrusted
		text, untrusted := "", strings.HasPrefix(c.text, "{")
		for _, p := range parts {
			if untrusted {
				u.Spans = append(u.Spans, ByteSpan{len(text), len(text) + len(p)})
			}
			text, untrusted = text+p, !untrusted
		}
		var want []int32
		for _, id := range c.want {
			if id < 256 {
				id, _ = tok.ID(string(byteSymbols.utf8[id]))
			}
			want = append(want, id)
		}
		if got := tok.EncodeSpans(nil, text, u, EncodeOptions{Recognize: RecognizeAll}); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", c.text, got, want)
		}
	}
	u := Untrusted{Spans: []ByteSpan{{0, 3}}, Also: map[int32]bool{tool: true}}
	if got := tok.EncodeSpans(nil, "<t><t>", u, EncodeOptions{Recognize: RecognizeAll}); len(got) != 4 || got[3] != tool {
		t.Errorf("a token refused beside the special ones: got %v", got)
	}
	u.Spans = []ByteSpan{{0, 1}}
	if got := tok.EncodeSpans(nil, "x\xff<a>", u, EncodeOptions{Recognize: RecognizeAll}); slices.Contains(got, a) {
		t.Errorf("a special token in invalid UTF-8: got %v", got)
	}
}

// Without untrusted parts, and with parts that hold no control token, the ids are those of the
// whole text; with all of it untrusted there is no special token.
func TestEncodeSpansWhole(t *testing.T) {
	tok := spansTokenizer(t)
	rng := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"<a>", "<b>", "the", " ", "  ", "e\u0301", "<n>", "<", "\n", "<t>"}
	opts := EncodeOptions{Recognize: RecognizeAll}
	for range 2000 {
		text, harmless := "", Untrusted{}
		for range rng.IntN(12) {
			p := pieces[rng.IntN(len(pieces))]
			if !strings.Contains(p, "<") && rng.IntN(2) == 0 {
				harmless.Spans = append(harmless.Spans, ByteSpan{len(text), len(text) + len(p)})
			}
			text += p
		}
		want := tok.Encode(nil, text, opts)
		if got := tok.EncodeSpans(nil, text, harmless, opts); !slices.Equal(got, want) {
			t.Fatalf("%q with %v: got %v, want %v", text, harmless, got, want)
		}
		got := tok.EncodeSpans(nil, text, Untrusted{Spans: []ByteSpan{{0, len(text)}}}, opts)
		if slices.ContainsFunc(got, tok.IsSpecial) {
			t.Fatalf("%q, untrusted: a special token in %v", text, got)
		}
	}
}
