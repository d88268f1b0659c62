package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A form is a Unicode normalization form.
type form norm.Form

// unchanged implements normalizer.
func (f form) unchanged(s []byte) int {
	n := 0
	for n < len(s) && s[n] < utf8.RuneSelf {
		n++
	}
	if n == len(s) {
		return n
	}
	return norm.Form(f).QuickSpan(s)
}

// growth implements normalizer. U+FDFA, three bytes, becomes 33; U+0390, two, becomes six.
func (f form) growth() int {
	if norm.Form(f) == norm.NFKC || norm.Form(f) == norm.NFKD {
		return 11
	}
	return 3
}

// normalize implements normalizer.
func (f form) normalize(n *normScratch, from int) {
	n.runes = n.runes[:0]
	n.decompose(n.src[from:], norm.Form(f) == norm.NFKC || norm.Form(f) == norm.NFKD)
	if norm.Form(f) == norm.NFC || norm.Form(f) == norm.NFKC {
		n.compose()
	}
	at := from
	for _, x := range n.runes {
		if x.source == 0 {
			n.put(x.r, at-1)
			continue
		}
		n.put(x.r, at)
		for range x.source {
			_, size := utf8.DecodeRune(n.src[at:])
			at += size
		}
	}
}

// A normRune is a normalized character: it stands for the next source characters of the text it
// came from, or, with 0, for the one before.
type normRune struct {
	r      rune
	ccc    uint8 // canonical combining class
	source int32
}

// Hangul syllables are composed by arithmetic. Source: The Unicode Standard, section 3.12.
const (
	hangulS, hangulL, hangulV, hangulT = 0xAC00, 0x1100, 0x1161, 0x11A7
	countL, countV, countT             = 19, 21, 28
)

// decompose appends the canonical or, with compat, the compatibility decomposition of s.
// Source: The Unicode Standard, definitions D65, D68, D108 and D109.
func (n *normScratch) decompose(s []byte, compat bool) {
	form := norm.NFD
	if compat {
		form = norm.NFKD
	}
	starter := 0 // index after the last character of combining class 0
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		switch {
		case r < utf8.RuneSelf:
			n.runes = append(n.runes, normRune{r, 0, 1})
		case hangulS <= r && r < hangulS+countL*countV*countT:
			n.hangul(r - hangulS)
		default:
			n.append(form.Properties(s), r)
		}
		s = s[size:]
		if first := len(n.runes) - 1; n.runes[first].ccc == 0 {
			n.sortMarks(starter, len(n.runes))
			starter = len(n.runes)
		}
	}
	n.sortMarks(starter, len(n.runes))
}

// append appends the decomposition of r.
func (n *normScratch) append(p norm.Properties, r rune) {
	d := p.Decomposition()
	if len(d) == 0 {
		n.runes = append(n.runes, normRune{r, p.CCC(), 1})
		return
	}
	for source := int32(1); len(d) > 0; source = 0 {
		r, size := utf8.DecodeRune(d)
		n.runes = append(n.runes, normRune{r, norm.NFD.Properties(d).CCC(), source})
		d = d[size:]
	}
}

// hangul appends the jamo of syllable number k.
func (n *normScratch) hangul(k rune) {
	n.runes = append(n.runes, normRune{hangulL + k/(countV*countT), 0, 1}, normRune{hangulV + k/countT%countV, 0, 0})
	if t := k % countT; t > 0 {
		n.runes = append(n.runes, normRune{hangulT + t, 0, 0})
	}
}

// sortMarks puts the runs of combining marks in runes[from:to] in canonical order.
func (n *normScratch) sortMarks(from, to int) {
	byClass := func(a, b normRune) int { return int(a.ccc) - int(b.ccc) }
	for from < to {
		end := from
		for end < to && n.runes[end].ccc != 0 {
			end++
		}
		if marks := n.runes[from:end]; len(marks) > 1 && !slices.IsSortedFunc(marks, byClass) {
			slices.SortStableFunc(marks, byClass)
		}
		from = end + 1
	}
}

// compose joins the characters of a canonically ordered decomposition.
// Source: The Unicode Standard, definitions D115 and D117.
func (n *normScratch) compose() {
	out := n.runes[:0]
	starter, last := -1, -1 // index in out of the last starter; class of the mark written after it, or -1
	for _, x := range n.runes {
		if starter >= 0 && last < int(x.ccc) {
			if r, ok := composite(out[starter].r, x.r); ok {
				out[starter].r = r
				out[starter].source += x.source
				continue
			}
		}
		last = int(x.ccc)
		if x.ccc == 0 {
			starter, last = len(out), -1
		}
		out = append(out, x)
	}
	n.runes = out
}

// composite returns the primary composite of a pair.
func composite(a, b rune) (rune, bool) {
	if l, v := a-hangulL, b-hangulV; 0 <= l && l < countL && 0 <= v && v < countV {
		return hangulS + (l*countV+v)*countT, true
	}
	if s, t := a-hangulS, b-hangulT; 0 <= s && s < countL*countV*countT && s%countT == 0 && 0 < t && t < countT {
		return a + t, true
	}
	r, ok := loadComposites()[[2]rune{a, b}]
	return r, ok
}

// loadComposites lists the primary composites, except Hangul, on first use. A composite's full
// decomposition ends in its second half, and the rest composes to its first.
var loadComposites = sync.OnceValue(func() map[[2]rune]rune {
	m := make(map[[2]rune]rune)
	for r := rune(0xC0); r < 0x20000; r++ {
		d := norm.NFD.PropertiesString(string(r)).Decomposition()
		if d == nil || !norm.NFC.IsNormalString(string(r)) {
			continue
		}
		last, size := utf8.DecodeLastRune(d)
		if first := []rune(norm.NFC.String(string(d[:len(d)-size]))); len(first) == 1 {
			m[[2]rune{first[0], last}] = r
		}
	}
	return m
})
