package constrain

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// runeRange is the code points lo to hi.
type runeRange struct{ lo, hi rune }

// anyRune is every code point.
var anyRune = runeRange{0, utf8.MaxRune}

// normal sorts and joins ranges, in place.
func normal(ranges []runeRange) []runeRange {
	slices.SortFunc(ranges, func(a, b runeRange) int { return int(a.lo - b.lo) })
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && r.lo <= out[n-1].hi+1 {
			out[n-1].hi = max(out[n-1].hi, r.hi)
		} else if r.lo <= r.hi {
			out = append(out, r)
		}
	}
	return out
}

// clip returns the parts of normal ranges within lo to hi, less base.
func clip(ranges []runeRange, lo, hi, base rune) (out []runeRange) {
	i, _ := slices.BinarySearchFunc(ranges, lo, func(r runeRange, lo rune) int { return int(r.hi - lo) })
	for ; i < len(ranges) && ranges[i].lo <= hi; i++ {
		out = append(out, runeRange{max(ranges[i].lo, lo) - base, min(ranges[i].hi, hi) - base})
	}
	return out
}

// invert returns the code points outside normal ranges.
func invert(ranges []runeRange) (out []runeRange) {
	at := rune(0)
	for _, r := range ranges {
		if at < r.lo {
			out = append(out, runeRange{at, r.lo - 1})
		}
		at = r.hi + 1
	}
	if at <= utf8.MaxRune {
		out = append(out, runeRange{at, utf8.MaxRune})
	}
	return out
}

// encoded lists the code points that UTF-8 writes in 2, 3 and 4 bytes, without surrogates.
var encoded = []struct {
	lo, hi rune
	bytes  int
	lead   byte // of code point 0
}{
	{0x80, 0x7ff, 2, 0xc0}, {0x800, 0xd7ff, 3, 0xe0}, {0xe000, 0xffff, 3, 0xe0}, {0x10000, utf8.MaxRune, 4, 0xf0},
}

// charClass is the UTF-8 of one code point of a set; surrogates have none. Its alternatives differ
// in their first byte.
func charClass(ranges []runeRange) *expr {
	ranges = normal(slices.Clone(ranges))
	var alts []*expr
	ascii := bytesOf()
	for _, r := range clip(ranges, 0, 0x7f, 0) {
		ascii.set.add(byte(r.lo), byte(r.hi))
	}
	if ascii.set != (byteSet{}) {
		alts = append(alts, ascii)
	}
	for _, e := range encoded {
		if rest := clip(ranges, e.lo, e.hi, 0); len(rest) > 0 {
			alts = append(alts, leads(rest, e.bytes-1, e.lead))
		}
	}
	return alt(alts...)
}

// leads is a byte from first on and n more, which number the code points of ranges. Bytes that go
// on alike share what follows.
func leads(ranges []runeRange, n int, first byte) *expr {
	span := rune(1) << (6 * n)
	var alts []*expr
	known := map[string]*expr{}
	for c := ranges[0].lo / span; c <= ranges[len(ranges)-1].hi/span; c++ {
		rest := clip(ranges, c*span, (c+1)*span-1, c*span)
		if len(rest) == 0 {
			continue
		}
		key := fmt.Sprint(rest)
		e := known[key]
		if e == nil {
			e = seq(bytesOf(), seq())
			if n > 0 {
				e.subs[1] = leads(rest, n-1, 0x80)
			}
			known[key] = e
			alts = append(alts, e)
		}
		e.subs[0].set.add(first+byte(c), first+byte(c))
	}
	return alt(alts...)
}
