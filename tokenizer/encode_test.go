package tokenizer

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/cputime"
)

func TestEncodeAppends(t *testing.T) {
	tok, err := Parse(encodeJSON(t, tinyJSON()))
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Encode([]int32{7}, "the", EncodeOptions{}); !slices.Equal(got, []int32{7, 257}) {
		t.Errorf("got %v", got)
	}
	if got := tok.Encode(nil, "", EncodeOptions{}); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}

// White space that two added tokens claim: the ids and offsets are the library's, except for the
// last text, on which it panics.
func TestAddedTokensShareSpace(t *testing.T) {
	j := tinyJSON()
	flags := func(tok map[string]any, flag string) any { tok[flag] = true; return tok }
	j["added_tokens"] = []any{flags(tinyAdded(259, "<r>", false), "rstrip"), flags(tinyAdded(260, " ", false), "lstrip"),
		tinyAdded(261, "\n\n", false), tinyAdded(262, "<s>", true), tinyAdded(262, "<s>", false)}
	tok, err := Parse(encodeJSON(t, j))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text  string
		ids   []int32
		spans []Span
	}{
		{"<r> e", []int32{259, 'e'}, []Span{{0, 4}, {4, 5}}},
		{"<r>\n\n\te", []int32{259, 261, '\t', 'e'}, []Span{{0, 6}, {3, 5}, {5, 6}, {6, 7}}},
		{"<r>\n\n  e", []int32{259, 261, 260, 260, 'e'}, []Span{{0, 7}, {3, 5}, {5, 6}, {6, 7}, {7, 8}}},
		{"a  b", []int32{'a', 260, 260, 'b'}, []Span{{0, 1}, {1, 2}, {2, 3}, {3, 4}}},
		{"<r>  e", []int32{259, 'e'}, []Span{{0, 5}, {5, 6}}},
	} {
		ids, spans := tok.EncodeOffsets(c.text, EncodeOptions{Recognize: RecognizeAll})
		if !slices.Equal(ids, c.ids) || !slices.Equal(spans, c.spans) {
			t.Errorf("%q: got %v %v, want %v %v", c.text, ids, spans, c.ids, c.spans)
		}
	}
	// A token that the file lists again without the flag stays special.
	if got := tok.Encode(nil, "<s>", EncodeOptions{}); len(got) != 3 || !tok.IsSpecial(262) {
		t.Errorf("<s>: got %v, special %v", got, tok.IsSpecial(262))
	}
}

// One tokenizer, many goroutines, each with another order of texts: the ids are those of one
// goroutine alone.
func TestConcurrentEncode(t *testing.T) {
	fsys := testdata(t)
	for _, name := range []string{"smollm2", "added_flags", "bpe_falcon", "clip", "wordpiece", "sp_bpe_legacy", "sp_unigram_bytes"} {
		tok := goldenTokenizer(t, fsys, name)
		cases := readLines[goldenCase](t, fsys, "golden/"+name+"/cases.jsonl")
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for _, i := range rand.New(rand.NewPCG(uint64(g), 0)).Perm(len(cases)) {
					if c := cases[i]; c.BytesB64 == nil {
						if got := tok.Encode(nil, c.Text, EncodeOptions{true, RecognizeAll}); !slices.Equal(got, c.IDs) {
							t.Errorf("%s: line %d: got %v, want %v", name, i+1, got, c.IDs)
						}
						if got, err := tok.Decode(c.IDs, true); err != nil {
							t.Errorf("%s: line %d: %q, %v", name, i+1, got, err)
						}
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool drop things")
	}
	fsys := testdata(t)
	for _, name := range goldens {
		tok := goldenTokenizer(t, fsys, name)
		text := strings.Repeat("The quick brown fox's 1234 jumps! cafe\u0301 中文 <|im_end|>\n", 20) + strings.Repeat("x", 1000) + "\xff"
		dst := make([]int32, 0, 2*len(text))
		if n := testing.AllocsPerRun(20, func() { dst = tok.Encode(dst[:0], text, EncodeOptions{true, RecognizeAll}) }); n > 0 {
			t.Errorf("%s: Encode: %v allocations", name, n)
		}
		s, i := tok.Stream(true), 0
		if n := testing.AllocsPerRun(5*len(dst), func() {
			if _, err := s.Next(dst[i%len(dst)]); err != nil {
				t.Fatal(err)
			}
			i++
		}); n > 0 {
			t.Errorf("%s: Next: %v allocations", name, n)
		}
	}
}

// Texts on which a quadratic step anywhere would take minutes.
func TestHostileTexts(t *testing.T) {
	fsys := testdata(t)
	size := 1 << 17
	if raceEnabled {
		size = 1 << 13
	}
	for _, name := range goldens {
		tok := goldenTokenizer(t, fsys, name)
		for _, unit := range []string{"a", " ", "\n", "1", "!", "é", "中", "\u0301", "e\u0301", "A\u0301", "\u0301A", "<|im", "<|im_start|>",
			"  <l>", "<r> \n", "\xff", "ab", "Aa", "'s", " \t", "\u0301\u0323", "\u0378", "\u2581", "a\u2581", "<unk>", "<0x0A>", "ﷺ"} {
			text := strings.Repeat(unit, size/len(unit))
			start := time.Now()
			ids := tok.Encode(nil, text, EncodeOptions{Recognize: RecognizeAll})
			if d := time.Since(start); d > 3*time.Second {
				t.Errorf("%s: %q repeated: %v", name, unit, d)
			}
			if len(ids) == 0 && name != "smollm2" && strings.HasPrefix(name, "bpe") {
				t.Errorf("%s: %q repeated: no ids", name, unit)
			}
		}
	}
}

// A megabyte of one letter takes a second of processor time at most, in the best of three tries.
func TestHostileMegabyte(t *testing.T) {
	if raceEnabled || testing.Short() {
		t.Skip("it measures time")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fsys := testdata(t)
	text := strings.Repeat("a", 1<<20)
	for _, name := range goldens {
		tok := goldenTokenizer(t, fsys, name)
		best := time.Hour
		for try := 0; try < 3 && best > time.Second; try++ {
			start := cputime.Thread()
			tok.Encode(nil, text, EncodeOptions{})
			best = min(best, cputime.Thread()-start)
		}
		if best > time.Second {
			t.Errorf("%s: %v", name, best)
		}
	}
}

// A piece longer than the word cache, or with more tokens than it holds, must not come out of it.
func TestWordCache(t *testing.T) {
	tok, err := Parse(encodeJSON(t, tinyJSON()))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 2, 7, 8, 9, 21, 22, 23, 24, 100} {
		for range 3 {
			text := strings.Repeat("x", n)
			if got := tok.Encode(nil, text, EncodeOptions{}); len(got) != n {
				t.Errorf("%d letters: %d ids", n, len(got))
			}
		}
	}
	var c wordCache
	a, b := []byte("abc"), []byte("abd")
	c.slot(a).store(a, []int32{1, 2})
	if !c.slot(a).holds(a) || c.slot(a).holds(b) || c.slot(b).holds(b) {
		t.Error("a slot holds what was not stored, or not what was")
	}
}

// Offsets cover the text in order for a tokenizer that neither normalizes nor trims.
func TestOffsetsCoverText(t *testing.T) {
	tok := goldenTokenizer(t, testdata(t), "bpe_o200k")
	rng := rand.New(rand.NewPCG(11, 12))
	for range 500 {
		text := randomText(rng, rng.IntN(30))
		ids, spans := tok.EncodeOffsets(text, EncodeOptions{Recognize: RecognizeAll})
		at := 0
		for i, s := range spans {
			if s.Start > at || s.End < at || s.Start >= s.End {
				t.Fatalf("%q: token %d (%d) at %v after %d", text, i, ids[i], s, at)
			}
			at = s.End
		}
		if at != len([]rune(text)) {
			t.Fatalf("%q: the offsets end at %d", text, at)
		}
	}
}

func ExampleTokenizer_Encode() {
	tok, err := Parse([]byte(`{
		"version": "1.0",
		"added_tokens": [{"id": 5, "content": "<eos>", "special": true, "normalized": false,
			"single_word": false, "lstrip": false, "rstrip": false}],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
		"decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
		"model": {"type": "BPE", "vocab": {"h": 0, "i": 1, "hi": 2, "Ġ": 3, "Ġhi": 4}, "merges": ["h i", "Ġ hi"]}
	}`))
	if err != nil {
		panic(err)
	}
	ids := tok.Encode(nil, "hi hi<eos>", EncodeOptions{Recognize: RecognizeAll})
	text, err := tok.Decode(ids, true)
	fmt.Println(ids, text, err)
	// Output: [2 4 5] hi hi <nil>
}
