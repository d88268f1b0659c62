package constrain

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode"
)

// Regexp compiles a regular expression in the syntax of Go's package regexp. The whole text must
// match; ^ and $ at the ends are redundant.
func Regexp(pattern string) (*Grammar, error) {
	const kind = "regular expression"
	if err := checkSize(kind, len(pattern)); err != nil {
		return nil, err
	}
	re, err := parseRegexp(pattern)
	if err != nil {
		return nil, fmt.Errorf("constrain: %s: %w", kind, err)
	}
	b := newBuilder()
	root := b.define("root")
	e, err := regexpExpr(re, true, true)
	if err != nil {
		return nil, fmt.Errorf("constrain: %s: %w", kind, err)
	}
	b.body(root, e)
	g, err := newGrammar(kind, b, root)
	if err == nil && g.Shortest() >= never {
		return nil, fmt.Errorf("constrain: %s: no text matches; remove the class or anchor that nothing fits", kind)
	}
	return g, err
}

// parseRegexp parses an expression and says what to do about what RE2 does not know.
func parseRegexp(pattern string) (*syntax.Regexp, error) {
	if nesting(pattern) > MaxGroupDepth {
		return nil, fmt.Errorf("more than %d groups within one another; use fewer parentheses", MaxGroupDepth)
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	var e *syntax.Error
	if !errors.As(err, &e) {
		return re, err
	}
	next := "correct it; the syntax is that of RE2"
	switch {
	case e.Code == syntax.ErrInvalidEscape && len(e.Expr) == 2 && e.Expr[1] >= '1' && e.Expr[1] <= '9':
		next = "back-references cannot be enforced; write the alternatives out"
	case lookAround(e.Expr):
		next = "look-around cannot be enforced; write what is allowed instead"
	case e.Code == syntax.ErrInvalidRepeatSize, e.Code == syntax.ErrLarge:
		next = "repeat at most 1000 times in all"
	}
	return nil, fmt.Errorf("%s: %q; %s", e.Code, clipped(e.Expr), next)
}

// nesting returns how many parentheses are open at most; in classes and escaped they count too.
func nesting(pattern string) (most int) {
	depth := 0
	for i := range len(pattern) {
		switch pattern[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		most = max(most, depth)
	}
	return most
}

// clipped is the beginning of a text, for messages.
func clipped(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// regexpExpr converts an expression that stands at the beginning or end of the text, or not.
func regexpExpr(re *syntax.Regexp, first, last bool) (*expr, error) {
	switch re.Op {
	case syntax.OpNoMatch:
		return alt(), nil
	case syntax.OpEmptyMatch:
		return seq(), nil
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return regexpChars(re), nil
	case syntax.OpBeginText, syntax.OpEndText:
		if re.Op == syntax.OpBeginText && first || re.Op == syntax.OpEndText && last {
			return seq(), nil
		}
		return nil, fmt.Errorf("%q: an anchor within; the whole text must match anyway, so remove it", re)
	case syntax.OpBeginLine, syntax.OpEndLine:
		return nil, fmt.Errorf("%q: anchors of lines cannot be enforced; write the line feeds out", re)
	case syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return nil, fmt.Errorf("%q: word boundaries cannot be enforced; write out what comes before and after", re)
	case syntax.OpCapture:
		return regexpExpr(re.Sub[0], first, last)
	case syntax.OpAlternate:
		subs, err := regexpAll(re.Sub, func(int) (bool, bool) { return first, last })
		return alt(subs...), err
	case syntax.OpConcat:
		subs, err := regexpAll(re.Sub, func(i int) (bool, bool) {
			return first && !slices.ContainsFunc(re.Sub[:i], wide), last && !slices.ContainsFunc(re.Sub[i+1:], wide)
		})
		return seq(subs...), err
	}
	lo, hi := repetition(re)
	once := hi == 1
	e, err := regexpExpr(re.Sub[0], first && once, last && once)
	if err != nil {
		return nil, err
	}
	return repeat(e, lo, hi), nil
}

func regexpAll(list []*syntax.Regexp, ends func(i int) (bool, bool)) (subs []*expr, err error) {
	for i, re := range list {
		first, last := ends(i)
		e, err := regexpExpr(re, first, last)
		if err != nil {
			return nil, err
		}
		subs = append(subs, e)
	}
	return subs, nil
}

// repetition returns the bounds of a repeated expression.
func repetition(re *syntax.Regexp) (lo, hi int) {
	switch re.Op {
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		return 1, -1
	case syntax.OpQuest:
		return 0, 1
	}
	return re.Min, re.Max
}

// wide reports whether an expression can match a character.
func wide(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText:
		return false
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return true
	}
	return slices.ContainsFunc(re.Sub, wide)
}

// regexpChars converts what stands for characters.
func regexpChars(re *syntax.Regexp) *expr {
	switch re.Op {
	case syntax.OpAnyChar:
		return charClass([]runeRange{anyRune})
	case syntax.OpAnyCharNotNL:
		return charClass([]runeRange{{0, '\n' - 1}, {'\n' + 1, anyRune.hi}})
	case syntax.OpCharClass:
		return charClass(pairs(re.Rune))
	}
	var subs []*expr
	for _, r := range re.Rune {
		class := []runeRange{{r, r}}
		if re.Flags&syntax.FoldCase != 0 {
			class = folded(r)
		}
		subs = append(subs, charClass(class))
	}
	return seq(subs...)
}

// folded is a character in all its cases.
func folded(r rune) []runeRange {
	class := []runeRange{{r, r}}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		class = append(class, runeRange{f, f})
	}
	return class
}

// pairs reads bounds in pairs.
func pairs(bounds []rune) (out []runeRange) {
	for i := 0; i+1 < len(bounds); i += 2 {
		out = append(out, runeRange{bounds[i], bounds[i+1]})
	}
	return out
}
