package constrain

import (
	"fmt"
	"math/big"
	"regexp/syntax"
	"strconv"
	"strings"
)

// Digits of the numbers that are generated.
const (
	wholeDigits    = 40
	fractionDigits = 20
)

// maxModulus bounds the states of an automaton of multiples.
const maxModulus = 1 << 12

// limit is a bound of a number.
type limit struct {
	at        *big.Rat
	exclusive bool
}

// numbers is a set of numbers.
type numbers struct {
	whole     bool
	lo, hi    *limit // nil: none
	multiples []*big.Rat
}

// parseNumber reads a JSON number whose size is within reason.
func parseNumber(text string) (*big.Rat, error) {
	const most = 400
	mantissa, exponent, ok := strings.Cut(strings.ToLower(text), "e")
	e, err := 0, error(nil)
	if ok {
		e, err = strconv.Atoi(exponent)
	}
	if r, valid := new(big.Rat), err == nil && e >= -most && e <= most && len(mantissa) <= most; valid {
		if _, ok := r.SetString(text); ok {
			return r, nil
		}
	}
	return nil, fmt.Errorf("the number %s is out of range; use at most %d digits and exponents up to %d", clipped(text), most, most)
}

// intersect returns the numbers in both sets.
func (n *numbers) intersect(o *numbers) *numbers {
	out := &numbers{whole: n.whole || o.whole, lo: tighter(n.lo, o.lo, 1), hi: tighter(n.hi, o.hi, -1)}
	out.multiples = append(append(out.multiples, n.multiples...), o.multiples...)
	return out
}

// tighter returns the stronger of two bounds: the larger one for sign 1, the smaller for -1.
func tighter(a, b *limit, sign int) *limit {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	if c := sign * a.at.Cmp(b.at); c > 0 || c == 0 && a.exclusive {
		return a
	}
	return b
}

// has reports whether a number is in the set.
func (n *numbers) has(x *big.Rat) bool {
	if n.whole && !x.IsInt() {
		return false
	}
	if n.lo != nil && (x.Cmp(n.lo.at) < 0 || n.lo.exclusive && x.Cmp(n.lo.at) == 0) {
		return false
	}
	if n.hi != nil && (x.Cmp(n.hi.at) > 0 || n.hi.exclusive && x.Cmp(n.hi.at) == 0) {
		return false
	}
	for _, m := range n.multiples {
		if !new(big.Rat).Quo(x, m).IsInt() {
			return false
		}
	}
	return true
}

// free reports whether the set has no bounds.
func (n *numbers) free() bool { return n.lo == nil && n.hi == nil && len(n.multiples) == 0 }

// automaton returns the decimal texts of a set with bounds, without exponents and without -0.
func (n *numbers) automaton() (*dfa, error) {
	fraction := fmt.Sprintf(`(\.[0-9]{1,%d})?`, fractionDigits)
	if n.whole {
		fraction = ""
	}
	all := must(fmt.Sprintf(`(0|[1-9][0-9]{0,%d})%s`, wholeDigits-1, fraction))
	zero := &limit{new(big.Rat), true}
	plus, err := between(all, n.lo, n.hi)
	if err != nil {
		return nil, err
	}
	positive, err := between(all, zero, nil)
	if err != nil {
		return nil, err
	}
	minusPart, err := between(positive, n.hi.negated(), n.lo.negated())
	if err != nil {
		return nil, err
	}
	d, err := combine(plus, minusPart.signed(), either)
	for _, m := range n.multiples {
		if err != nil {
			return nil, err
		}
		var multiples *dfa
		if multiples, err = multiplesOf(m, n.whole); err == nil {
			d, err = combine(d, multiples, both)
		}
	}
	return d, err
}

// negated mirrors a bound.
func (l *limit) negated() *limit {
	if l == nil {
		return nil
	}
	return &limit{new(big.Rat).Neg(l.at), l.exclusive}
}

// between returns the texts of all, which are not negative, within bounds.
func between(all *dfa, lo, hi *limit) (*dfa, error) {
	var err error
	if lo != nil && (lo.at.Sign() > 0 || lo.at.Sign() == 0 && lo.exclusive) {
		if all, err = combine(all, above(lo.at, lo.exclusive), both); err != nil {
			return nil, err
		}
	}
	switch {
	case hi == nil:
		return all, nil
	case hi.at.Sign() < 0:
		return words(nil), nil
	}
	return combine(all, above(hi.at, !hi.exclusive), minus)
}

// above returns the decimal texts of numbers at or above b ≥ 0, or strictly above it: those with
// more digits, those with a larger digit after equal ones, and those that begin like b.
func above(b *big.Rat, strictly bool) *dfa {
	// No text lies between b and the next number of so many digits.
	scaled := new(big.Rat).Mul(b, new(big.Rat).SetInt(tenTo(fractionDigits)))
	if !scaled.IsInt() {
		up := new(big.Int).Quo(scaled.Num(), scaled.Denom())
		b, strictly = new(big.Rat).SetFrac(up.Add(up, big.NewInt(1)), tenTo(fractionDigits)), false
	}
	if b.Cmp(new(big.Rat).SetInt(tenTo(wholeDigits))) >= 0 {
		return words(nil)
	}
	places, _ := b.FloatPrec()
	whole, fraction, _ := strings.Cut(b.FloatString(places), ".")
	fraction = strings.TrimRight(fraction, "0")
	const rest = `(\.[0-9]*)?`
	alts := []string{fmt.Sprintf(`[1-9][0-9]{%d}[0-9]*%s`, len(whole), rest)}
	for i := range len(whole) {
		if c := whole[i]; c < '9' {
			alts = append(alts, fmt.Sprintf(`%s[%c-9][0-9]{%d}%s`, whole[:i], c+1, len(whole)-i-1, rest))
		}
	}
	for i := range len(fraction) {
		if c := fraction[i]; c < '9' {
			alts = append(alts, fmt.Sprintf(`%s\.%s[%c-9][0-9]*`, whole, fraction[:i], c+1))
		}
	}
	switch {
	case strictly:
		alts = append(alts, fmt.Sprintf(`%s\.%s[0-9]*[1-9][0-9]*`, whole, fraction))
	case fraction == "":
		alts = append(alts, whole+rest)
	default:
		alts = append(alts, fmt.Sprintf(`%s\.%s[0-9]*`, whole, fraction))
	}
	return must(strings.Join(alts, "|"))
}

// must compiles an expression of this package, which matches whole texts.
func must(text string) *dfa {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		panic("constrain.must: " + err.Error())
	}
	d, err := search(re, false)
	if err != nil {
		panic("constrain.must: " + err.Error())
	}
	return d
}

// signed puts a minus before every text.
func (d *dfa) signed() *dfa {
	out := &dfa{make([]dfaState, 1, len(d.states)+1)}
	out.states[0].edges = []dfaEdge{{runeRange{'-', '-'}, 1}}
	for _, s := range d.states {
		t := dfaState{accept: s.accept}
		for _, e := range s.edges {
			t.edges = append(t.edges, dfaEdge{e.runeRange, e.to + 1})
		}
		out.states = append(out.states, t)
	}
	return out.trim()
}

// multiplesOf returns the decimal texts of the multiples of m = c·10⁻ⁿ, with up to n digits after
// the point. Of whole numbers p/q divides those that p divides.
func multiplesOf(m *big.Rat, whole bool) (*dfa, error) {
	n, c := 0, m.Num()
	if !whole {
		n, _ = m.FloatPrec()
		c = new(big.Rat).Mul(m, new(big.Rat).SetInt(tenTo(n))).Num()
	}
	if !c.IsInt64() || c.Int64()*int64(n+1) > maxModulus {
		return nil, fmt.Errorf("multiples of %s %w", m.FloatString(n), errStates)
	}
	mod := int(c.Int64())
	// States: the beginning, after the minus, after a leading 0, the remainders before the point,
	// and those after 0 to n digits behind it.
	const before, minus, zero, remainders = 0, 1, 2, 3
	state := func(point, rem int) int32 { return int32(remainders + point*mod + rem) }
	d := &dfa{make([]dfaState, remainders+(n+2)*mod)}
	leading := []dfaEdge{{runeRange{'0', '0'}, zero}}
	for digit := 1; digit <= 9; digit++ {
		leading = append(leading, dfaEdge{digitRune(digit), state(0, digit%mod)})
	}
	d.states[minus].edges = leading
	d.states[before].edges = append([]dfaEdge{{runeRange{'-', '-'}, minus}}, leading...)
	d.states[zero].accept = true
	if n > 0 {
		d.states[zero].edges = []dfaEdge{{runeRange{'.', '.'}, state(1, 0)}}
	}
	for point := 0; point <= n+1; point++ {
		digits := max(point-1, 0) // after the point
		for rem := range mod {
			s := &d.states[state(point, rem)]
			missing := rem
			for range n - digits {
				missing = missing * 10 % mod
			}
			s.accept = missing == 0 && point != 1
			if point == 0 && n > 0 {
				s.edges = append(s.edges, dfaEdge{runeRange{'.', '.'}, state(1, rem)})
			}
			for digit := 0; digit <= 9 && point <= n; digit++ {
				to := point
				if point > 0 {
					to++
				}
				s.edges = append(s.edges, dfaEdge{digitRune(digit), state(to, (rem*10+digit)%mod)})
			}
		}
	}
	return d.trim(), nil
}

func tenTo(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func digitRune(d int) runeRange { return runeRange{'0' + rune(d), '0' + rune(d)} }
