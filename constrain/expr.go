package constrain

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) add(lo, hi byte) {
	for b := int(lo); b <= int(hi); b++ {
		s[b>>6] |= 1 << (b & 63)
	}
}

func (s *byteSet) has(b byte) bool { return s[b>>6]>>(b&63)&1 != 0 }

// exprKind says what an expr is.
type exprKind uint8

const (
	exEmpty  exprKind = iota // the empty text
	exNever                  // no text
	exSet                    // one byte of set
	exCat                    // subs, one after the other
	exAlt                    // one of subs
	exRepeat                 // subs[0], min to max times
	exRule                   // a call
	exDFA                    // the texts of dfa, as the inside of a JSON string if quoted
)

// expr is the right-hand side of a rule.
type expr struct {
	kind     exprKind
	set      byteSet
	subs     []*expr
	min, max int // max < 0: without end
	rule     int
	dfa      *dfa
	quoted   bool
}

func seq(subs ...*expr) *expr {
	switch len(subs) {
	case 0:
		return &expr{kind: exEmpty}
	case 1:
		return subs[0]
	}
	return &expr{kind: exCat, subs: subs}
}

func alt(subs ...*expr) *expr {
	switch len(subs) {
	case 0:
		return &expr{kind: exNever}
	case 1:
		return subs[0]
	}
	return &expr{kind: exAlt, subs: subs}
}

func repeat(e *expr, lo, hi int) *expr {
	return &expr{kind: exRepeat, subs: []*expr{e}, min: lo, max: hi}
}

func opt(e *expr) *expr { return repeat(e, 0, 1) }

func call(rule int) *expr { return &expr{kind: exRule, rule: rule} }

// lit is a text of bytes.
func lit(s string) *expr {
	subs := make([]*expr, len(s))
	for i := range len(s) {
		subs[i] = bytesOf(s[i], s[i])
	}
	return seq(subs...)
}

// bytesOf is a byte from pairs of bounds.
func bytesOf(bounds ...byte) *expr {
	e := &expr{kind: exSet}
	for i := 0; i < len(bounds); i += 2 {
		e.set.add(bounds[i], bounds[i+1])
	}
	return e
}
