package constrain

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// What \s stands for differs: in ECMA-262 it has all of Unicode's spaces, in RE2 some of ASCII's.
// Where a space is asked for only what both call one will do, where it is excluded all are.
const (
	fewSpaces  = `\t\n\f\r `
	manySpaces = `\t-\r\x{1c}- \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	noSpaces   = `\x{0}-\x{8}\x{e}-\x{1b}!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
)

// pattern compiles an ECMA-262 expression to the automaton of the texts that it is found in.
func pattern(text string) (*dfa, error) {
	translated, err := ecma(text)
	if err != nil {
		return nil, err
	}
	re, err := parseRegexp(translated)
	if err != nil {
		return nil, err
	}
	return search(re, true)
}

// search returns the automaton of the texts that an expression is found in, or matches whole.
func search(re *syntax.Regexp, anywhere bool) (*dfa, error) {
	if err := checkAnchors(re); err != nil {
		return nil, err
	}
	if anywhere {
		rest := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
		re = &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{rest, re, rest}}
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	return determinize(prog)
}

// checkAnchors refuses what looks around.
func checkAnchors(re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpBeginLine, syntax.OpEndLine, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		_, err := regexpExpr(re, false, false)
		return err
	}
	for _, sub := range re.Sub {
		if err := checkAnchors(sub); err != nil {
			return err
		}
	}
	return nil
}

// lookAround reports whether an expression looks ahead or back.
func lookAround(text string) bool {
	for _, s := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// ecma translates an ECMA-262 expression to RE2's syntax.
func ecma(text string) (string, error) {
	var b strings.Builder
	class, negated := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			n, err := ecmaEscape(&b, text[i:], class, negated)
			if err != nil {
				return "", err
			}
			i += n - 1
		case c == '[' && !class:
			class, negated = true, strings.HasPrefix(text[i:], "[^")
			switch {
			case strings.HasPrefix(text[i:], "[]"):
				return "", fmt.Errorf("%q: an empty class, which nothing fits; remove it", clipped(text[i:]))
			case strings.HasPrefix(text[i:], "[^]"):
				b.WriteString(`(?s:.)`)
				class, negated, i = false, false, i+2
			default:
				b.WriteByte('[')
			}
		case c == '[':
			b.WriteString(`\[`)
		case c == ']' && class:
			class, negated = false, false
			b.WriteByte(c)
		case c == '.' && !class:
			b.WriteString(`[^\n\r\x{2028}\x{2029}]`)
		case c == '(' && !class && lookAround(text[i:min(i+4, len(text))]):
			return "", fmt.Errorf("%q: look-around cannot be enforced; write what is allowed instead", clipped(text[i:]))
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// ecmaEscape translates the escape at the beginning of text, n bytes.
func ecmaEscape(b *strings.Builder, text string, class, negated bool) (n int, err error) {
	if len(text) < 2 {
		return 0, fmt.Errorf("a backslash at the end; escape it by another")
	}
	switch c := text[1]; {
	case c == 's' || c == 'S':
		b.WriteString(ecmaSpace(c, class, negated))
		return 2, nil
	case strings.IndexByte("dDwWtnvfrpP", c) >= 0:
		b.WriteString(text[:2])
		return 2, nil
	case c == 'x' || c == 'u':
		r, n, ok := ecmaCode(text)
		if !ok {
			return 0, fmt.Errorf("%q: expected \\xHH, \\uHHHH or \\u{H...}", clipped(text))
		}
		fmt.Fprintf(b, `\x{%x}`, r)
		return n, nil
	case c == '0' && (len(text) == 2 || text[2] < '0' || text[2] > '9'):
		b.WriteString(`\x{0}`)
		return 2, nil
	case c == 'b' && class:
		b.WriteString(`\x{8}`)
		return 2, nil
	case c >= '0' && c <= '9' || c == 'k':
		return 0, fmt.Errorf("%q: back-references cannot be enforced; write the alternatives out", clipped(text))
	case c == 'b' || c == 'B':
		return 0, fmt.Errorf("%q: word boundaries cannot be enforced; write out what comes before and after", clipped(text))
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		return 0, fmt.Errorf("%q: unknown escape; remove the backslash", clipped(text[:2]))
	}
	r, n := utf8.DecodeRuneInString(text[1:])
	b.WriteString(`\x{` + strconv.FormatInt(int64(r), 16) + `}`)
	return 1 + n, nil
}

// ecmaSpace translates \s and \S.
func ecmaSpace(c byte, class, negated bool) string {
	switch {
	case negated && c == 's':
		return manySpaces
	case negated:
		return `\S`
	case class && c == 's':
		return fewSpaces
	case class:
		return noSpaces
	case c == 's':
		return "[" + fewSpaces + "]"
	}
	return "[" + noSpaces + "]"
}

// ecmaCode reads \xHH, \uHHHH (twice, for a pair of surrogates) or \u{H...}.
func ecmaCode(text string) (r rune, n int, ok bool) {
	hex := func(s string) (rune, bool) {
		u, err := strconv.ParseUint(s, 16, 32)
		return rune(u), err == nil && u <= utf8.MaxRune
	}
	if rest, braces := strings.CutPrefix(text, `\u{`); braces {
		digits, _, closed := strings.Cut(rest, "}")
		r, ok = hex(digits)
		return r, 4 + len(digits), ok && closed
	}
	digits := map[byte]int{'x': 2, 'u': 4}[text[1]]
	if len(text) < 2+digits {
		return 0, 0, false
	}
	r, ok = hex(text[2 : 2+digits])
	n = 2 + digits
	if ok && r >= 0xd800 && r < 0xdc00 && len(text) >= 12 && text[6:8] == `\u` {
		if low, lowOK := hex(text[8:12]); lowOK && low >= 0xdc00 && low < 0xe000 {
			return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 12, true
		}
	}
	return r, n, ok
}

// determinize builds the automaton of a program by the subset construction. Before the first
// character ^ holds; after $ no character may come.
func determinize(prog *syntax.Prog) (*dfa, error) {
	d := &subsets{prog: prog, index: map[string]int32{}}
	if _, err := d.state([]uint32{uint32(prog.Start)}, true); err != nil {
		return nil, err
	}
	for i := 0; i < len(d.out.states); i++ {
		if err := d.expand(int32(i)); err != nil {
			return nil, err
		}
	}
	return d.out.trim(), nil
}

// maxSubsetWork bounds the instructions that determinize looks at.
const maxSubsetWork = 1 << 17

// subsets is the work of determinize.
type subsets struct {
	prog  *syntax.Prog
	index map[string]int32
	pcs   [][]uint32 // of each state: the instructions that read a character
	out   dfa
	edges int
	work  int
}

// state returns the state reached at some instructions.
func (d *subsets) state(from []uint32, first bool) (int32, error) {
	seen := map[[2]uint32]bool{}
	work := [][2]uint32{} // instruction, and 1 after $
	add := func(pc, ended uint32) {
		if key := [2]uint32{pc, ended}; !seen[key] {
			seen[key] = true
			work = append(work, key)
		}
	}
	for _, pc := range from {
		add(pc, 0)
	}
	var pcs []uint32
	accept := byte(0)
	for len(work) > 0 {
		pc, ended := work[len(work)-1][0], work[len(work)-1][1]
		work = work[:len(work)-1]
		in := &d.prog.Inst[pc]
		switch in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			add(in.Out, ended)
			add(in.Arg, ended)
		case syntax.InstCapture, syntax.InstNop:
			add(in.Out, ended)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg) == syntax.EmptyEndText {
				add(in.Out, 1)
			} else if first {
				add(in.Out, ended)
			}
		case syntax.InstMatch:
			accept = 1
		case syntax.InstFail:
		default:
			if ended == 0 {
				pcs = append(pcs, pc)
			}
		}
	}
	d.work += len(seen)
	slices.Sort(pcs)
	key := []byte{accept}
	for _, pc := range pcs {
		key = binary.LittleEndian.AppendUint32(key, pc)
	}
	i, ok := d.index[string(key)]
	if !ok {
		if i = int32(len(d.pcs)); i >= maxStates || d.work > maxSubsetWork {
			return 0, errStates
		}
		d.index[string(key)] = i
		d.pcs = append(d.pcs, pcs)
		d.out.states = append(d.out.states, dfaState{accept: accept == 1})
	}
	return i, nil
}

// expand finds the edges of a state: between two cuts all characters lead to the same one.
func (d *subsets) expand(i int32) error {
	cuts := []rune{0, anyRune.hi + 1}
	sets := make([][]runeRange, len(d.pcs[i]))
	for j, pc := range d.pcs[i] {
		sets[j] = instRunes(&d.prog.Inst[pc])
		for _, r := range sets[j] {
			cuts = append(cuts, r.lo, r.hi+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	if d.edges += len(cuts); d.edges > maxEdges {
		return errStates
	}
	known := map[string]int32{}
	at := make([]int, len(sets)) // the range of each set that ends at or after the cut
	var to []uint32
	var key []byte
	for c := 0; c+1 < len(cuts); c++ {
		to, key = to[:0], key[:0]
		for j, set := range sets {
			for at[j] < len(set) && set[at[j]].hi < cuts[c] {
				at[j]++
			}
			if at[j] < len(set) && set[at[j]].lo <= cuts[c] {
				out := d.prog.Inst[d.pcs[i][j]].Out
				to, key = append(to, out), binary.LittleEndian.AppendUint32(key, out)
			}
		}
		d.work += len(sets)
		if len(to) == 0 {
			continue
		}
		next, ok := known[string(key)]
		if !ok {
			var err error
			if next, err = d.state(to, false); err != nil {
				return err
			}
			known[string(key)] = next
		}
		d.out.states[i].add(runeRange{cuts[c], cuts[c+1] - 1}, next)
	}
	return nil
}

// instRunes returns the characters that an instruction reads, normal.
func instRunes(in *syntax.Inst) []runeRange {
	switch {
	case in.Op == syntax.InstRuneAny:
		return []runeRange{anyRune}
	case in.Op == syntax.InstRuneAnyNotNL:
		return []runeRange{{0, '\n' - 1}, {'\n' + 1, anyRune.hi}}
	case len(in.Rune) == 1:
		if syntax.Flags(in.Arg)&syntax.FoldCase != 0 {
			return normal(folded(in.Rune[0]))
		}
		return []runeRange{{in.Rune[0], in.Rune[0]}}
	}
	return normal(pairs(in.Rune))
}
