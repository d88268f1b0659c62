package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Decoders, whole and streamed; the texts are the library's except for ill-formed bytes, see the
// package comment.
func TestDecoders(t *testing.T) {
	tokens := []string{"\u2581a", "b</w>", " ", "<0xE4>", "<0xBD>", "<0xA0>", "##c", ".", "n't", "\u2581", "Ġd"}
	str := func(s string) any { return map[string]any{"String": s} }
	strip := func(start, stop int) any {
		return part("Strip", "content", " ", "start", start, "stop", stop)
	}
	join := func(parts ...any) any { return part("Sequence", "decoders", parts) }
	spaces := part("Replace", "pattern", str("\u2581"), "content", " ")
	for i, c := range []struct {
		decoder any
		ids     []int32
		want    string
	}{
		{nil, []int32{0, 1, 6}, "\u2581a b</w> ##c"},
		{part("Fuse"), []int32{0, 1, 6}, "\u2581ab</w>##c"},
		{part("BPEDecoder", "suffix", "</w>"), []int32{1, 0, 1, 1}, "b \u2581ab b"},
		{part("BPEDecoder", "suffix", "</w>"), []int32{1}, "b"},
		{part("BPEDecoder", "suffix", "</w>"), nil, ""},
		{part("WordPiece", "prefix", "##", "cleanup", true), []int32{6, 6, 7, 0, 8, 7}, "##cc. \u2581an't."},
		{part("WordPiece", "prefix", "##", "cleanup", false), []int32{7, 6, 7, 8}, ".c . n't"},
		{part("Metaspace", "replacement", "\u2581", "prepend_scheme", "first"), []int32{9, 0, 9, 0}, " a  a"},
		{part("Metaspace", "replacement", "\u2581", "prepend_scheme", "never"), []int32{9, 0}, "  a"},
		{join(spaces, part("ByteFallback"), part("Fuse"), strip(1, 0)), []int32{9, 0, 3, 4, 5, 0}, " a你 a"},
		{join(spaces, part("ByteFallback"), part("Fuse"), strip(1, 0)), []int32{3, 4, 0, 3, 3, 4, 5, 4}, "\uFFFD\uFFFD a\uFFFD你\uFFFD"},
		{join(spaces, part("Fuse"), strip(2, 2)), []int32{2, 9, 9, 0, 2, 9, 7, 2, 2, 2}, "  a  . "},
		{join(spaces, part("Fuse"), strip(2, 2)), []int32{2, 2, 2}, ""},
		{join(spaces, strip(1, 1)), []int32{9, 0, 0, 2}, "aa"},
		{join(part("Fuse"), spaces), []int32{0}, " a"},
		{join(part("ByteLevel", "add_prefix_space", true, "trim_offsets", true), strip(1, 0)), []int32{10, 10}, "d d"},
	} {
		vocab := map[string]any{}
		for id, s := range tokens {
			vocab[s] = id
		}
		tok, err := Parse(encodeJSON(t, map[string]any{"decoder": c.decoder, "model": part("BPE", "vocab", vocab, "merges", []any{})}))
		if err != nil {
			t.Fatal(err)
		}
		checkDecode(t, tok, i, c.ids, false, c.want)
		s := tok.Stream(false)
		for range 2 { // a stream that was flushed is as new
			var got []byte
			for _, id := range c.ids {
				chunk, err := s.Next(id)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, chunk...)
			}
			if got = append(got, s.Flush()...); string(got) != c.want {
				t.Errorf("row %d: streamed %q, want %q", i, got, c.want)
			}
		}
	}
}

// The bytes of a token are what it adds in the middle of a text.
func TestTokenBytes(t *testing.T) {
	fsys := testdata(t)
	for name, tokens := range map[string]map[string]string{
		"sp_bpe_legacy":    {"\u2581the": " the", "<0x0A>": "\n", "</s>": "</s>", "\u2581": " "},
		"sp_unigram_bytes": {"\u2581the": " the", "<0xFF>": "\xff"},
		"wordpiece":        {"the": " the", "##s": "s"},
		"clip":             {"the</w>": "the</w>"},
		"bpe_gpt2":         {"Ġthe": " the", "Ģ": "\x80"},
	} {
		tok := goldenTokenizer(t, fsys, name)
		for content, want := range tokens {
			id, ok := tok.ID(content)
			if got, _ := tok.TokenBytes(id); !ok || got != want {
				t.Errorf("%s: %q: id %d, bytes %q, want %q", name, content, id, got, want)
			}
		}
	}
}

func TestCleanUp(t *testing.T) {
	for s, want := range map[string]string{"a . b , c ?": "a. b, c?", "do n't": "don't", "I do not": "I don't", "it 's we 're": "it's we're", "a ' b": "a'b", "a.b": "a.b"} {
		if got := CleanUp(s); got != want {
			t.Errorf("%q: got %q, want %q", s, got, want)
		}
	}
}

// In whatever pieces a text arrives, it is tidied as a whole, and little of it is held back.
func TestCleaner(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	whole := func(s string) string {
		for _, r := range tidy {
			s = strings.ReplaceAll(s, r[0], r[1])
		}
		return s
	}
	parts := []string{" ", " ", " ", "'", " '", " ' ", " n", "x", "t", "n't", " n ' t", "ve", "'re", "r", "'m", "s", "' s", ".", " ,", "? ", "! "}
	for range 20_000 {
		text := ""
		for range 1 + rng.IntN(4) {
			text += parts[rng.IntN(len(parts))]
		}
		var c cleaner
		got := ""
		for i := range len(text) {
			got += string(c.next([]byte(text[i:i+1]), false))
		}
		if got += string(c.next(nil, true)); got != whole(text) {
			t.Fatalf("%q: got %q, want %q", text, got, whole(text))
		}
	}
	var c cleaner
	got := string(c.next([]byte("He said 'no ' and went . He did n't"), false)) + "|"
	got += string(c.next([]byte(" "), false)) + "|" + string(c.next([]byte("know"), false))
	if want := "He said 'no'and went. He didn't|| know"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
