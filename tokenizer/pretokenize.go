package tokenizer

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

// A stage is one pre-tokenizer: it cuts each piece of the stage before into pieces.
type stage struct {
	find     finder // nil: the piece stays whole
	cover    bool   // every character is in a match and matches are pieces
	behavior behavior
	invert   bool // matches and gaps change places

	prefix  bool // put a space before a piece that does not begin with one
	symbols bool // write each byte as its symbol: later stages see symbols
}

// split runs the stages from k on over s and gives the resulting pieces to the model.
// al holds the extents of the bytes of s in the text, or is nil.
func (e *encoder) split(k int, s []byte, al []extent) {
	if len(s) == 0 {
		return
	}
	if k == len(e.t.stages) {
		e.piece(s, al)
		return
	}
	st := &e.t.stages[k]
	if st.prefix && s[0] != ' ' {
		s, al = e.prefixSpace(s, al)
	}
	switch {
	case st.find == nil:
		e.next(k, s, al)
	case st.cover:
		for i := 0; i < len(s); {
			_, end := st.find(e.t.classes, s, i)
			e.next(k, s[i:end], cut(al, i, end))
			i = end
		}
	default:
		c := cursor{e.t.classes, st, s, 0, -1, -1}
		for c.at < len(s) {
			if start, end, keep := c.piece(); keep {
				e.next(k, s[start:end], cut(al, start, end))
			}
		}
	}
}

// next passes a piece of stage k on.
func (e *encoder) next(k int, s []byte, al []extent) {
	if e.t.stages[k].symbols {
		s, al = e.writeSymbols(s, al)
	}
	e.split(k+1, s, al)
}

// prefixSpace returns s with a space before it; the space has the extent of the first character.
func (e *encoder) prefixSpace(s []byte, al []extent) ([]byte, []extent) {
	e.prefixed = append(append(e.prefixed[:0], ' '), s...)
	if al != nil {
		al = append([]extent{al[0]}, al...)
	}
	return e.prefixed, al
}

// writeSymbols returns s in byte symbols.
func (e *encoder) writeSymbols(s []byte, al []extent) ([]byte, []extent) {
	e.symbols = e.symbols[:0]
	for _, b := range s {
		e.symbols = append(e.symbols, byteSymbols.utf8[b]...)
	}
	return e.symbols, symbolExtents(s, al)
}

// A cursor walks over the matches and gaps of a stage's pattern in s.
type cursor struct {
	classes    *classes
	st         *stage
	s          []byte
	at         int // everything before is done
	start, end int // the first match that ends after at, once found
}

// segment returns the end of the match or gap that begins at the cursor, and whether it counts
// as a match.
func (c *cursor) segment() (end int, match bool) {
	if c.end <= c.at {
		c.start, c.end = c.st.find(c.classes, c.s, c.at)
	}
	if c.at < c.start {
		return c.start, c.st.invert
	}
	return c.end, !c.st.invert
}

// piece returns the next piece, and whether it is kept, and moves on.
func (c *cursor) piece() (start, end int, keep bool) {
	start = c.at
	end, match := c.segment()
	c.at = end
	if c.st.behavior == isolated || c.st.behavior == removed {
		return start, end, !(match && c.st.behavior == removed)
	}
	for c.at < len(c.s) {
		next, nextMatch := c.segment()
		join := false
		switch c.st.behavior {
		case contiguous:
			join = match == nextMatch
		case mergedWithPrevious:
			join = !match && nextMatch
		case mergedWithNext:
			join = match && !nextMatch
		}
		if !join {
			break
		}
		end, c.at = next, next
		if c.st.behavior != contiguous {
			break
		}
	}
	return start, end, true
}
