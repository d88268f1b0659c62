package tokenizer

import (
	"slices"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normStep is one normalizer.
type normStep uint8

const (
	stepNFC normStep = iota
	stepNFD
	stepNFKC
	stepNFKD
	stepLower
)

var normSteps = map[string]normStep{
	"NFC": stepNFC, "NFD": stepNFD, "NFKC": stepNFKC, "NFKD": stepNFKD, "Lowercase": stepLower,
}

// A normalized character: it stands for the next source characters of the text it came from. One
// that stands for none has the extent of the byte before.
type normRune struct {
	r      rune
	ccc    uint8 // canonical combining class
	source int32
}

// A normScratch holds the buffers of a normalization.
type normScratch struct {
	buf   [2][]byte // results of alternate steps
	which int
	runes []normRune
}

// normalize applies the steps to s; al is as in encoder.split. The results are valid until the
// next call.
func (n *normScratch) normalize(steps []normStep, s []byte, al []extent) ([]byte, []extent) {
	for _, step := range steps {
		done := n.unchanged(step, s)
		if done == len(s) {
			continue
		}
		n.runes = n.runes[:0]
		if step == stepLower {
			n.lower(s[done:])
		} else {
			n.decompose(s[done:], step == stepNFKC || step == stepNFKD)
			if step == stepNFC || step == stepNFKC {
				n.compose()
			}
		}
		s, al = n.write(s, al, done)
	}
	return s, al
}

// unchanged returns the length of a prefix of s that a step leaves alone and that does not
// influence what follows.
func (n *normScratch) unchanged(step normStep, s []byte) int {
	ascii := 0
	for ascii < len(s) && s[ascii] < utf8.RuneSelf && (step != stepLower || s[ascii] < 'A' || 'Z' < s[ascii]) {
		ascii++
	}
	if step == stepLower || ascii == len(s) {
		return ascii
	}
	return [...]norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD}[step].QuickSpan(s)
}

// lower appends the characters of s in lower case, one by one: a final sigma has no rule.
func (n *normScratch) lower(s []byte) {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		s = s[size:]
		if r == 'İ' {
			n.runes = append(n.runes, normRune{'i', 0, 1}, normRune{'\u0307', 0, 0})
			continue
		}
		n.runes = append(n.runes, normRune{toLower(r), 0, 1})
	}
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

// write returns s with everything from byte done replaced by the normalized characters.
func (n *normScratch) write(s []byte, al []extent, done int) ([]byte, []extent) {
	out := append(n.buf[n.which][:0], s[:done]...)
	var outAl []extent
	if al != nil {
		outAl = append(outAl, al[:done]...)
	}
	at := done
	for _, x := range n.runes {
		size := len(out)
		out = utf8.AppendRune(out, x.r)
		if al == nil {
			continue
		}
		ext := extent{al[0].start, al[0].start}
		if x.source > 0 {
			ext = al[at]
		} else if at > 0 {
			ext = al[at-1]
		}
		for range len(out) - size {
			outAl = append(outAl, ext)
		}
		for range x.source {
			_, size := utf8.DecodeRune(s[at:])
			at += size
		}
	}
	n.buf[n.which] = out
	n.which ^= 1
	return out, outAl
}
