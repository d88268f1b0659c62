package tokenizer

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// alphabet holds the characters on whose class a pattern may decide, with their likes.
var alphabet = []rune(" \n\r\t'sSſtTrReEvVmMlLdD'  \n\u00a0\u2028\u3000\u0085\x00\x1c\u200b" +
	"aAzZéÉǅʰªא中一龥龦ぁーヿ㐀가\u0301\u0323\u20dd\u0903²Ⅷ٣1290-/!$^`~_{@«€😀\u200d\ufe0f\u0378\ue000\ufffd")

func randomText(rng *rand.Rand, runes int) string {
	var b strings.Builder
	for range runes {
		b.WriteRune(alphabet[rng.IntN(len(alphabet))])
	}
	return b.String()
}

// A referencePattern finds matches with the regexp package, one place at a time. The package has
// no look-ahead, so that \s+(?!\S)|\s+, the end of most patterns, is done by hand.
type referencePattern struct {
	re     *regexp.Regexp
	spaces bool
}

func newReferencePattern(re string) referencePattern {
	body, spaces := strings.CutSuffix(re, `|\s+(?!\S)|\s+`)
	const white = `\t-\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}`
	body = strings.ReplaceAll(body, `[^\s`, `[^`+white)
	body = strings.ReplaceAll(body, `\s`, `[`+white+`]`)
	return referencePattern{regexp.MustCompile(`^(?:` + body + `)`), spaces}
}

func (p referencePattern) match(s string) int {
	if loc := p.re.FindStringIndex(s); loc != nil {
		return loc[1]
	}
	rest := strings.TrimLeftFunc(s, unicode.IsSpace)
	run := s[:len(s)-len(rest)]
	if !p.spaces || run == "" {
		return 0
	}
	if _, last := utf8.DecodeLastRuneInString(run); rest != "" && last < len(run) {
		return len(run) - last
	}
	return len(run)
}

// find is a finder.
func (p referencePattern) find(s string, i int) (start, end int) {
	for i < len(s) {
		if n := p.match(s[i:]); n > 0 {
			return i, i + n
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i, i
}

func TestScanners(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	c := loadClasses()
	for _, p := range patterns {
		if strings.Contains(p.re, "?+") {
			continue // not known to the regexp package; see TestForeignRegex
		}
		ref := newReferencePattern(p.re)
		for range 3000 {
			s := randomText(rng, 1+rng.IntN(12))
			for i := 0; i < len(s); {
				start, end := p.find(c, []byte(s), i)
				wantStart, wantEnd := ref.find(s, i)
				if start != wantStart || end != wantEnd {
					t.Fatalf("%s: %q from %d: got [%d, %d), want [%d, %d)", p.name, s, i, start, end, wantStart, wantEnd)
				}
				if p.cover && start != i {
					t.Fatalf("%s: %q from %d: a gap before %d", p.name, s, i, start)
				}
				i = end
			}
		}
	}
}

func TestFindPunctAndLiteral(t *testing.T) {
	c := loadClasses()
	s := []byte("a$b«中，ab")
	for _, x := range []struct {
		find       finder
		from       int
		start, end int
	}{
		{findPunct, 0, 1, 2}, {findPunct, 2, 3, 5}, {findPunct, 5, 8, 11}, {findPunct, 11, 13, 13},
		{findLiteral([]byte("ab")), 0, 11, 13}, {findLiteral([]byte("ab")), 12, 13, 13},
	} {
		if start, end := x.find(c, s, x.from); start != x.start || end != x.end {
			t.Errorf("from %d: got [%d, %d), want [%d, %d)", x.from, start, end, x.start, x.end)
		}
	}
}

// pieces cuts a text with one stage.
func pieces(st stage, text string) []string {
	c := cursor{classes: loadClasses(), st: &st, s: []byte(text)}
	var list []string
	for c.at < len(text) {
		if start, end, keep := c.piece(); keep {
			list = append(list, text[start:end])
		}
	}
	return list
}

// The example of the library's documentation of its behaviors, and edges.
func TestBehaviors(t *testing.T) {
	dash := findLiteral([]byte("-"))
	for _, c := range []struct {
		behavior behavior
		invert   bool
		text     string
		want     string
	}{
		{removed, false, "the-final--countdown", "the|final|countdown"},
		{isolated, false, "the-final--countdown", "the|-|final|-|-|countdown"},
		{mergedWithPrevious, false, "the-final--countdown", "the-|final-|-|countdown"},
		{mergedWithNext, false, "the-final--countdown", "the|-final|-|-countdown"},
		{contiguous, false, "the-final--countdown", "the|-|final|--|countdown"},
		{removed, true, "the-final--countdown", "-|-|-"},
		{isolated, true, "the-final--countdown", "the|-|final|-|-|countdown"},
		{mergedWithPrevious, true, "the-final--countdown", "the|-final|-|-countdown"},
		{mergedWithNext, true, "the-final--countdown", "the-|final-|-|countdown"},
		{mergedWithPrevious, false, "--a", "-|-|a"},
		{mergedWithNext, false, "a--", "a|-|-"},
		{removed, false, "-", ""},
	} {
		if got := strings.Join(pieces(stage{matcher: matcher{find: dash}, behavior: c.behavior, invert: c.invert}, c.text), "|"); got != c.want {
			t.Errorf("behavior %d, invert %v: %q -> %q, want %q", c.behavior, c.invert, c.text, got, c.want)
		}
	}
}

// The class table agrees with the unicode package on everything that Unicode 15 assigns.
func TestClasses(t *testing.T) {
	c := loadClasses()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !unicode.In(r, unicode.L, unicode.N, unicode.M, unicode.P, unicode.S, unicode.White_Space) {
			continue
		}
		for _, x := range []struct {
			bit   uint8
			table *unicode.RangeTable
		}{
			{letter, unicode.L}, {number, unicode.N}, {mark, unicode.M}, {punct, unicode.P}, {symbol, unicode.S},
			{space, unicode.White_Space}, {lower, unicode.Ll},
		} {
			if got, want := c.of(r)&x.bit != 0, unicode.Is(x.table, r); got != want {
				t.Fatalf("U+%04X: bit %d is %v", r, x.bit, got)
			}
		}
		if got, want := c.of(r)&upper != 0, unicode.In(r, unicode.Lu, unicode.Lt); got != want {
			t.Fatalf("U+%04X: upper is %v", r, got)
		}
		if got, want := isWord(r), c.of(r)&(letter|mark) != 0; want && !got {
			t.Fatalf("U+%04X: no word character", r)
		}
	}
	for _, r := range []rune{'_', '9', 'ⅷ', 'ⓐ', '\u200d', 0x105C0, 0x1E5FA} {
		if !isWord(r) {
			t.Errorf("U+%04X: no word character", r)
		}
	}
	for _, r := range []rune{' ', '-', '²', '€', 0x1E5FF, 0x1CC00, 0x378} {
		if isWord(r) {
			t.Errorf("U+%04X: a word character", r)
		}
	}
}

func TestToLower(t *testing.T) {
	for from, to := range map[rune]rune{'A': 'a', 'ẞ': 'ß', 'Σ': 'σ', 'ǅ': 'ǆ', 'z': 'z', 0x1C89: 0x1C8A, 0xA7CB: 0x264, 0xA7DC: 0x19B, 0x10D65: 0x10D85, 0x16EA0: 0x16EBB, 'ᲊ': 'ᲊ'} {
		if got := toLower(from); got != to {
			t.Errorf("toLower(U+%04X) = U+%04X, want U+%04X", from, got, to)
		}
	}
}
