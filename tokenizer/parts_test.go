package tokenizer

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// mergeReference joins symbols as the definition says, one pass over all pairs for each join.
func mergeReference(m *bpe, ids []int32) []int32 {
	ids = slices.Clone(ids)
	for {
		best, at := none, -1
		for i := 0; i+1 < len(ids); i++ {
			if p := m.merge(ids[i], ids[i+1]); p < best {
				best, at = p, i
			}
		}
		if at < 0 {
			return ids
		}
		ids[at] = int32(uint32(best))
		ids = slices.Delete(ids, at+1, at+2)
	}
}

// Random merges in random order of rank: most are not what training would give.
func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		m := randomMerges(rng)
		for range 10 {
			ids := make([]int32, rng.IntN(shortPiece+1))
			if rng.IntN(4) == 0 {
				ids = make([]int32, 200)
			}
			for i := range ids {
				ids[i] = int32(rng.IntN(3))
			}
			want := mergeReference(&m, ids)
			if len(ids) <= shortPiece {
				w := word{ids: slices.Clone(ids)}
				if m.mergeShort(&w); !slices.Equal(w.ids, want) {
					t.Fatalf("mergeShort(%v) = %v, want %v", ids, w.ids, want)
				}
			}
			w := word{ids: slices.Clone(ids)}
			m.mergeLong(&w)
			var got []int32
			for i := int32(0); int(i) < len(w.ids); i = w.next[i] {
				got = append(got, w.ids[i])
			}
			if !slices.Equal(got, want) {
				t.Fatalf("mergeLong(%v) = %v, want %v", ids, got, want)
			}
		}
	}
}

// randomMerges makes merges over three symbols.
func randomMerges(rng *rand.Rand) bpe {
	contents := []string{"a", "b", "c"}
	ids := map[string]int32{"a": 0, "b": 1, "c": 2}
	type pair struct{ left, right, joined int32 }
	var pairs []pair
	for range 1 + rng.IntN(20) {
		l, r := contents[rng.IntN(len(contents))], contents[rng.IntN(len(contents))]
		id, ok := ids[l+r]
		if !ok {
			id = int32(len(contents))
			ids[l+r], contents = id, append(contents, l+r)
		}
		pairs = append(pairs, pair{ids[l], ids[r], id})
	}
	rng.Shuffle(len(pairs), func(i, j int) { pairs[i], pairs[j] = pairs[j], pairs[i] })
	m := bpe{merges: newTable(len(pairs))}
	for rank, p := range pairs {
		m.merges.set(uint64(p.left)<<32|uint64(p.right), uint64(rank)<<32|uint64(p.joined))
	}
	return m
}

func TestTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, n := range []int{0, 1, 2, 3, 100, 5000} {
		tab, want := newTable(n), make(map[uint64]uint64)
		for range n {
			k, v := rng.Uint64N(3*uint64(n)+1)<<32, rng.Uint64()>>1
			tab.set(k, v)
			want[k] = v
		}
		for k := range 3*uint64(n) + 2 {
			w, ok := want[k<<32]
			if !ok {
				w = none
			}
			if got := tab.get(k << 32); got != w {
				t.Fatalf("n %d: get(%d) = %d, want %d", n, k, got, w)
			}
		}
	}
}

func TestAutomaton(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	random := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = "abc"[rng.IntN(3)]
		}
		return string(b)
	}
	for range 2000 {
		var set []string
		for range 1 + rng.IntN(8) {
			if s := random(1 + rng.IntN(5)); !slices.Contains(set, s) {
				set = append(set, s)
			}
		}
		text := random(rng.IntN(30))
		var want []hit
		for i := len(text) - 1; i >= 0; i-- {
			best := hit{i, -1}
			for k, s := range set {
				if strings.HasPrefix(text[i:], s) && (best.index < 0 || len(s) > len(set[best.index])) {
					best.index = int32(k)
				}
			}
			if best.index >= 0 {
				want = append(want, best)
			}
		}
		if got := newAutomaton(set).find(nil, []byte(text)); !slices.Equal(got, want) {
			t.Fatalf("%q in %q: got %v, want %v", set, text, got, want)
		}
	}
}

// Against x/text on texts with few marks in a row, for which it has no limit of its own.
func TestNormalize(t *testing.T) {
	pool := []rune("aeq  é\u00c5\u212b\u1e69\u0301\u0323\u0307\u0344\u0345\u0f71\u0f72\u0f73\u0f81\u0958\u093c\u0915\u1100\u1161\u11a8\u11a7가각\ufb01²ªﷺ\u1fbe\u2126\u09c7\u09be\u09d7\u0334\u3099\u304b")
	rng := rand.New(rand.NewPCG(9, 10))
	forms := []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD}
	var n normScratch
	for range 20000 {
		var b strings.Builder
		for range rng.IntN(12) {
			b.WriteRune(pool[rng.IntN(len(pool))])
		}
		s := b.String()
		for _, f := range forms {
			got, al, _ := n.normalize([]normalizer{form(f)}, []byte(s), textExtents([]byte(s)), 0)
			if string(got) != f.String(s) {
				t.Fatalf("form %d: %+q -> %+q, want %+q", f, s, got, f.String(s))
			}
			if len(al) != len(got) {
				t.Fatalf("form %d: %+q: %d extents for %d bytes", f, s, len(al), len(got))
			}
		}
	}
	stride := rune(1)
	if raceEnabled {
		stride = 17
	}
	for r := rune(0); r < 0x30000; r += stride {
		if !utf8.ValidRune(r) {
			continue
		}
		s := "a" + string(r) + "\u0323b"
		for _, f := range forms {
			if got, _, _ := n.normalize([]normalizer{form(f)}, []byte(s), nil, 0); string(got) != f.String(s) {
				t.Fatalf("form %d: %+q -> %+q, want %+q", f, s, got, f.String(s))
			}
		}
	}
}

// More than 30 marks in a row: no joiner is put in, and the order is right.
func TestNormalizeManyMarks(t *testing.T) {
	var n normScratch
	s := "e" + strings.Repeat("\u0301\u0323", 100)
	want := "\u1eb9" + strings.Repeat("\u0323", 99) + strings.Repeat("\u0301", 100)
	if got, _, _ := n.normalize([]normalizer{form(norm.NFC)}, []byte(s), nil, 0); string(got) != want {
		t.Errorf("got %+q", got)
	}
	if got, _, _ := n.normalize([]normalizer{lowercase{}, form(norm.NFC)}, []byte("AİΣ"), nil, 0); string(got) != "ai\u0307σ" {
		t.Errorf("lower case: got %+q", got)
	}
}

// maximalSubpart returns the length of the sequence at s[0] by the definition: the longest prefix
// that can begin a character, or one byte.
func maximalSubpart(s string) (n int, ok bool) {
	if r, size := utf8.DecodeRuneInString(s); r != utf8.RuneError || size > 1 {
		return size, true
	}
	for n = min(3, len(s)); n > 1; n-- {
		if !utf8.FullRuneInString(s[:n]) {
			return n, false
		}
	}
	return 1, false
}

func lossyReference(s string) string {
	var b strings.Builder
	for s != "" {
		n, ok := maximalSubpart(s)
		if ok {
			b.WriteString(s[:n])
		} else {
			b.WriteRune(utf8.RuneError)
		}
		s = s[n:]
	}
	return b.String()
}

// Every sequence of up to four interesting bytes, whole and in two parts.
func TestLossy(t *testing.T) {
	interesting := []byte("a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xed\xef\xf0\xf1\xf4\xf5\xff")
	var check func(s []byte)
	check = func(s []byte) {
		want := lossyReference(string(s))
		if got, rest := appendLossy(nil, s, true, false); string(got) != want || len(rest) > 0 {
			t.Fatalf("%x: got %+q, want %+q", s, got, want)
		}
		for i := range s {
			first, rest := appendLossy(nil, s[:i], false, false)
			if len(rest) > 3 || !utf8.Valid(first) {
				t.Fatalf("%x: first %d bytes: %q, held back %x", s, i, first, rest)
			}
			if got, _ := appendLossy(first, slices.Concat(rest, s[i:]), true, false); string(got) != want {
				t.Fatalf("%x in two parts at %d: got %+q, want %+q", s, i, got, want)
			}
		}
		if len(s) < 4 {
			for _, b := range interesting {
				check(append(bytes.Clone(s), b))
			}
		}
	}
	check(nil)
	for text, want := range map[string]string{"\xE4\xBDa": "\uFFFDa", "\xED\xA0\x80": "\uFFFD\uFFFD\uFFFD"} {
		if got, _ := appendLossy(nil, text, true, false); string(got) != want {
			t.Errorf("%x: got %+q, want %+q", text, got, want)
		}
	}
}
