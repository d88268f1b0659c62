package tokenizer

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// randomPieces returns distinct pieces over a small alphabet, the first of them unknown.
func randomPieces(rng *rand.Rand) []string {
	pieces := []string{"<unk>"}
	for range 1 + rng.IntN(12) {
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			b.WriteRune([]rune("abé中")[rng.IntN(4)])
		}
		if !slices.Contains(pieces, b.String()) {
			pieces = append(pieces, b.String())
		}
	}
	return pieces
}

// bestScore tries all ways to write s.
func bestScore(u *unigram, pieces []string, s string) float64 {
	if s == "" {
		return 0
	}
	best := math.Inf(-1)
	_, size := utf8.DecodeRuneInString(s)
	known := false
	for id, p := range pieces[1:] {
		if strings.HasPrefix(s, p) {
			best = max(best, u.scores[id+1]+bestScore(u, pieces, s[len(p):]))
			known = known || len(p) == size
		}
	}
	if !known {
		best = max(best, u.unkScore+bestScore(u, pieces, s[size:]))
	}
	return best
}

// The score of the path is the best of all, and the spans are the text cut in order. Scores are small
// integers, so that sums are exact.
func TestUnigram(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for range 400 {
		pieces := randomPieces(rng)
		x := unigramModel{pieces: slices.Clone(pieces), scores: make([]float64, len(pieces))}
		x.pieces[0] = ""
		for i := range x.scores {
			x.scores[i] = -float64(rng.IntN(12))
		}
		x.unkScore = slices.Min(x.scores) - unkPenalty
		u := newUnigram(x)
		for range 10 {
			var text strings.Builder
			for range 1 + rng.IntN(9) {
				text.WriteRune([]rune("abé中x")[rng.IntN(5)])
			}
			s := text.String()
			w := word{tracked: true}
			ids := u.encode(&w, nil, []byte(s))
			score, at := 0.0, 0
			for i, id := range ids {
				span := w.spans[i]
				if span.start != at || id != 0 && s[span.start:span.end] != pieces[id] {
					t.Fatalf("%q with %q: token %d at %v", s, pieces, id, span)
				}
				if at = span.end; id == 0 {
					score += u.unkScore * float64(utf8.RuneCountInString(s[span.start:span.end]))
				} else {
					score += u.scores[id]
				}
				if id == 0 && i > 0 && ids[i-1] == 0 {
					t.Fatalf("%q with %q: two unknown tokens in a row in %v", s, pieces, ids)
				}
			}
			if want := bestScore(u, pieces, s); at != len(s) || score != want {
				t.Fatalf("%q with %q %v: %v scores %v, want %v", s, pieces, u.scores, ids, score, want)
			}
		}
	}
}

// scoredReference joins as the definition says, pair by pair over contents.
func scoredReference(pieces []string, scores []float32, s string) []string {
	list := strings.Split(s, "")
	for {
		best, at := float32(math.Inf(-1)), -1
		for i := 0; i+1 < len(list); i++ {
			if id := slices.Index(pieces, list[i]+list[i+1]); id > 0 && scores[id] > best {
				best, at = scores[id], i
			}
		}
		if at < 0 {
			return list
		}
		list[at] += list[at+1]
		list = slices.Delete(list, at+1, at+2)
	}
}

func TestScoredBPE(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 600 {
		pieces := randomPieces(rng)
		scores := make([]float32, len(pieces))
		for i := range scores {
			scores[i] = -float32(rng.IntN(6)) // with ties
		}
		m := newScoredBPE(scoredBPE{pieces: append([]string{""}, pieces[1:]...), scores: scores})
		for range 8 {
			var text strings.Builder
			for range 1 + rng.IntN(100) {
				text.WriteRune([]rune("abé中x")[rng.IntN(5)])
			}
			s := text.String()
			var want []int32
			for _, p := range scoredReference(pieces, scores, s) {
				id := int32(max(0, slices.Index(pieces, p)))
				if id > 0 || len(want) == 0 || want[len(want)-1] != 0 {
					want = append(want, id)
				}
			}
			for _, tracked := range []bool{false, true} {
				w := word{tracked: tracked}
				if got := m.encode(&w, nil, []byte(s)); !slices.Equal(got, want) || tracked && w.spans[len(got)-1].end != len(s) {
					t.Fatalf("%q with %q %v: got %v, want %v", s, pieces, scores, got, want)
				}
			}
		}
	}
}

// Cuts before marks change no token of a model.
func TestCuts(t *testing.T) {
	fsys := testdata(t)
	for _, name := range []string{"sp_bpe_gemma", "sp_bpe_legacy", "sp_bpe_nonlegacy"} {
		tok, whole := goldenTokenizer(t, fsys, name), goldenTokenizer(t, fsys, name)
		whole.cuts.allowed = false
		if !tok.cuts.allowed {
			t.Errorf("%s: no cuts", name)
		}
		opts := EncodeOptions{Recognize: RecognizeAll}
		for _, c := range readLines[goldenCase](t, fsys, "golden/"+name+"/cases.jsonl") {
			text := c.Text + " \u2581" + c.Text
			if got, want := tok.Encode(nil, text, opts), whole.Encode(nil, text, opts); !slices.Equal(got, want) {
				t.Fatalf("%s: %q: got %v, want %v", name, text, got, want)
			}
		}
	}
	c := cuts{true, joinedBefore(slices.Values([]string{"a\u2581", "\u2581", "\u2581b"}))}
	for text, want := range map[string]int{"x": 1, "\u2581": 3, "b\u2581": 1, "a\u2581b": 5, "a\u2581b\u2581": 5, "\u2581\u2581": 3, "": 0} {
		if got := c.next([]byte(text)); got != want {
			t.Errorf("%q: cut at %d, want %d", text, got, want)
		}
	}
}

func TestWordPiece(t *testing.T) {
	m := newWordPiece(map[string]int32{"a": 1, "ab": 2, "##b": 3, "##bc": 4, "é": 5, "##é": 6}, "##", 0, 5)
	for text, want := range map[string][]int32{
		"a": {1}, "ab": {2}, "abb": {2, 3}, "abbc": {2, 4}, "aéé": {1, 6, 6}, "éb": {5, 3}, "x": {0}, "abx": {0}, "abbbb": {2, 3, 3, 3},
		"abbbbb": {0}, "##b": {3}, "b": {0},
	} {
		w := word{tracked: true}
		if got := m.encode(&w, []int32{9}, []byte(text)); !slices.Equal(got[1:], want) || len(w.spans) != len(want) || w.spans[len(want)-1].end != len(text) {
			t.Errorf("%q: got %v %v, want %v", text, got[1:], w.spans, want)
		}
	}
	m = newWordPiece(map[string]int32{"a": 1, "b": 2}, "##", 0, 5)
	if got := m.encode(&word{}, nil, []byte("ab")); !slices.Equal(got, []int32{0}) {
		t.Errorf("without tokens inside words: got %v", got)
	}
}

// Affixes of symbols: the library's results for the same vocabulary.
func TestAffixes(t *testing.T) {
	vocab := map[string]int32{"a": 0, "b": 1, "#a": 2, "#b": 3, "a$": 4, "#b$": 5, "ab$": 6, "#ab$": 7, "?": 8, "<0x23>": 9, "<0x63>": 10, "#a$": 11}
	m := newBPE(vocab, "#", "$")
	m.merges.set(0<<32|5, 6)       // a #b$
	m.merges.set(2<<32|5, 1<<32|7) // #a #b$
	m.unk = 8
	for text, want := range map[string][]int32{"a": {4}, "ab": {6}, "aab": {0, 7}, "ba": {1, 11}, "bca": {1, 8, 11}, "c": {8}} {
		if got := m.encode(&word{}, nil, []byte(text)); !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	m.bytes = newByteTokens(vocab) // # and c, but not $
	if got := m.encode(&word{}, nil, []byte("acb")); !slices.Equal(got, []int32{0, 9, 10, 5}) {
		t.Errorf("bytes of a prefixed symbol: got %v", got)
	}
	if got := m.encode(&word{}, nil, []byte("ac")); !slices.Equal(got, []int32{0, 8}) {
		t.Errorf("a symbol whose suffix has no byte: got %v", got)
	}
}

// The table of sp_unigram_t5, whose entries are compatibility characters, and a table that is not one.
func TestCharsmap(t *testing.T) {
	var j map[string]any
	if err := json.Unmarshal(goldenJSON(t, testdata(t), "sp_unigram_t5"), &j); err != nil {
		t.Fatal(err)
	}
	first := at(j, "normalizer")["normalizers"].([]any)[0].(map[string]any)
	blob, err := base64.StdEncoding.DecodeString(first["precompiled_charsmap"].(string))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCharsmap(blob)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"plain": "plain", "\uff41\uff42": "ab", "\u2167": "VIII", "a\tb": "a b", "\ufb01": "fi",
		"\uff76\uff9e": "\u30ac", "\uff76": "\u30ab", "e\u0301": "é", "e\u0301\u0301": "é\u0301", "\u200ba": "a", "\u200b": "", "": "",
	} {
		var n normScratch
		src := []byte(text)
		got, al, _ := n.normalize([]normalizer{c}, src, textExtents(src), 0)
		if string(got) != want || len(al) != len(want) {
			t.Errorf("%+q: got %+q with %d extents, want %+q", text, got, len(al), want)
		}
		if quick, _, _ := n.normalize([]normalizer{c}, src, nil, 0); string(quick) != want {
			t.Errorf("%+q without extents: got %+q", text, quick)
		}
	}
	rng := rand.New(rand.NewPCG(25, 26))
	for range 300 { // whatever the table says, nothing is read outside of it
		bad := slices.Clone(blob)
		for range 1 + rng.IntN(200) {
			bad[rng.IntN(len(bad))] = byte(rng.Uint32())
		}
		if c, err := newCharsmap(bad); err == nil {
			var n normScratch
			if got, _, _ := n.normalize([]normalizer{c}, []byte("\uff41 e\u0301\uff76\uff9e plain \u2460"), nil, 0); !utf8.Valid(got) {
				t.Fatalf("%q", got)
			}
		}
	}
}
