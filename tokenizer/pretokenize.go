package tokenizer

import "bytes"

// maxPiece bounds the bytes that the model sees at once: a longer piece is cut here, so that
// positions inside it fit 32 bits.
const maxPiece = 1 << 30

// A behavior says what becomes of the matches of a pattern (Split's behavior).
type behavior uint8

const (
	isolated   behavior = iota // matches and gaps are pieces
	removed                    // gaps are pieces, matches are dropped
	contiguous                 // as isolated, with adjacent matches joined
	mergedWithPrevious
	mergedWithNext
)

var behaviors = map[string]behavior{
	"Isolated": isolated, "Removed": removed, "Contiguous": contiguous,
	"MergedWithPrevious": mergedWithPrevious, "MergedWithNext": mergedWithNext,
}

// A matcher finds the matches of a pattern.
type matcher struct {
	find finder
	re   *foreignRegex // instead of find
}

// all appends the matches in s[from:] to dst. It returns err, or else the error of a regular
// expression that takes too long.
func (m matcher) all(dst []extent, s []byte, from int, err error) ([]extent, error) {
	if m.re != nil {
		dst, e := m.re.all(dst, s, from)
		if err == nil {
			err = e
		}
		return dst, err
	}
	for i := from; i < len(s); {
		start, end := m.find(loadClasses(), s, i)
		if start < end {
			dst = append(dst, extent{start, end})
		}
		i = end
	}
	return dst, err
}

// A stage is one pre-tokenizer: it cuts each piece of the stage before into pieces.
type stage struct {
	matcher       // nil: the piece stays whole
	cover    bool // every character is in a match and matches are pieces
	behavior behavior
	invert   bool // matches and gaps change places

	prefix  bool       // put a space before a piece that does not begin with one
	symbols bool       // write each byte as its symbol: later stages see symbols
	meta    *metaspace // comes first
}

// A metaspace writes spaces as another character, and may put one in front.
type metaspace struct {
	mark   string
	always bool // put it before every piece that does not begin with it
	first  bool // only before one where the text begins
}

// split runs the stages from k on over s and gives the resulting pieces to the model.
// al holds the extents of the bytes of s in the text, or is nil; head is the number of bytes at the
// beginning of s that come from the first character of the text.
func (e *encoder) split(k int, s []byte, al []extent, head int) {
	if len(s) == 0 {
		return
	}
	if k == len(e.t.stages) {
		e.piece(s, al)
		return
	}
	st := &e.t.stages[k]
	base := len(e.arena)
	if st.prefix && s[0] != ' ' {
		s, al = e.prefixSpace(s, al)
		head += min(head, 1)
	}
	if st.meta != nil {
		s, al, head = e.metaspace(st.meta, s, al, head)
	}
	switch {
	case st.re != nil:
		from := len(e.matches)
		e.matches, e.err = st.all(e.matches, s, 0, e.err)
		e.cut(k, cursor{st: st, s: s, list: e.matches[from:], listed: true}, al, head)
		e.matches = e.matches[:from]
	case st.find == nil:
		e.next(k, s, al, head)
	case st.cover:
		for i := 0; i < len(s); {
			_, end := st.find(e.t.classes, s, i)
			e.next(k, s[i:end], cut(al, i, end), max(0, head-i))
			i = end
		}
	default:
		e.cut(k, cursor{classes: e.t.classes, st: st, s: s}, al, head)
	}
	e.arena = e.arena[:base]
}

// cut passes the pieces of a cursor on.
func (e *encoder) cut(k int, c cursor, al []extent, head int) {
	for c.at < len(c.s) {
		if from, to, keep := c.piece(); keep {
			e.next(k, c.s[from:to], cut(al, from, to), max(0, head-from))
		}
	}
}

// next passes a piece of stage k on.
func (e *encoder) next(k int, s []byte, al []extent, head int) {
	if !e.t.stages[k].symbols {
		e.split(k+1, s, al, head)
		return
	}
	base := len(e.arena)
	for _, b := range s {
		e.arena = append(e.arena, byteSymbols.utf8[b]...)
	}
	for _, b := range s[:min(head, len(s))] {
		head += len(byteSymbols.utf8[b]) - 1
	}
	e.split(k+1, e.arena[base:], symbolExtents(s, al), head)
	e.arena = e.arena[:base]
}

// prefixSpace returns s with a space before it; the space has the extent of the first character.
func (e *encoder) prefixSpace(s []byte, al []extent) ([]byte, []extent) {
	base := len(e.arena)
	e.arena = append(append(e.arena, ' '), s...)
	if al != nil {
		al = append([]extent{al[0]}, al...)
	}
	return e.arena[base:], al
}

// metaspace returns s with marks for spaces, and one in front where m says so; that has the extent
// of the first character.
func (e *encoder) metaspace(m *metaspace, s []byte, al []extent, head int) ([]byte, []extent, int) {
	base, marked := len(e.arena), 0 // marked: bytes of marks that come from the text's first character
	var out []extent
	mark := func(i int) {
		e.arena = append(e.arena, m.mark...)
		for range len(m.mark) {
			out = append(out, cut(al, i, i+1)...)
		}
		if i < head {
			marked += len(m.mark)
		}
	}
	if (m.always || m.first && head > 0) && s[0] != ' ' && !bytes.HasPrefix(s, []byte(m.mark)) {
		mark(0)
	}
	for i, b := range s {
		if b == ' ' {
			mark(i)
			marked -= min(1, max(0, head-i))
			continue
		}
		e.arena = append(e.arena, b)
		out = append(out, cut(al, i, i+1)...)
	}
	return e.arena[base:], out, head + marked
}

// A cursor walks over the matches and gaps of a stage's pattern in s.
type cursor struct {
	classes *classes
	st      *stage
	s       []byte
	at      int // everything before is done

	list       []extent // matches, if listed
	listed     bool
	found      bool
	start, end int // the next match, once found
}

// segment returns the end of the match or gap that begins at the cursor, and which of them it is.
func (c *cursor) segment() (end int, match bool) {
	if !c.found {
		c.found = true
		switch {
		case !c.listed:
			c.start, c.end = c.st.find(c.classes, c.s, c.at)
		case len(c.list) > 0:
			c.start, c.end, c.list = c.list[0].start, c.list[0].end, c.list[1:]
		default:
			c.start, c.end = len(c.s), len(c.s)
		}
	}
	if c.at < c.start {
		return c.start, false
	}
	return c.end, true
}

// pass moves on to the end of a segment.
func (c *cursor) pass(end int, match bool) {
	c.at = end
	c.found = c.found && !match
}

// piece returns the next piece, and whether it is kept, and moves on.
func (c *cursor) piece() (start, end int, keep bool) {
	start = c.at
	end, match := c.segment()
	c.pass(end, match)
	if c.st.behavior == isolated || c.st.behavior == removed {
		return start, end, match == c.st.invert || c.st.behavior == isolated
	}
	for c.at < len(c.s) {
		next, nextMatch := c.segment()
		join := false
		switch c.st.behavior {
		case contiguous:
			join = match == nextMatch
		case mergedWithPrevious:
			join = match == c.st.invert && nextMatch != c.st.invert
		case mergedWithNext:
			join = match != c.st.invert && nextMatch == c.st.invert
		}
		if !join {
			break
		}
		end = next
		c.pass(next, nextMatch)
		if c.st.behavior != contiguous {
			break
		}
	}
	return start, end, true
}
