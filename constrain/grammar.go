package constrain

import (
	"fmt"
	"sync"
)

// Bounds of what a compiler accepts and of what a matcher keeps.
const (
	MaxSourceBytes = 1 << 20  // of a schema, an expression or a grammar
	MaxSchemaDepth = 64       // of brackets and braces in a schema
	MaxGroupDepth  = 256      // of parentheses in a grammar
	MaxCacheBytes  = 32 << 20 // of a matcher's states and masks

	maxInsts    = 1 << 18 // of a program
	maxReadings = 1 << 14 // of a state
	maxWork     = 1 << 25 // readings looked at for a mask
)

// Grammar is a compiled schema, expression or grammar. It is immutable and safe for concurrent use.
type Grammar struct{ program *program }

// newGrammar finishes a program whose root has its body.
func newGrammar(kind string, b *builder, root int) (*Grammar, error) {
	err := b.err
	if err == nil {
		err = b.finish(root)
	}
	if err != nil {
		return nil, fmt.Errorf("constrain: %s: %w", kind, err)
	}
	return &Grammar{b.program}, nil
}

// checkSize refuses a source that is too long.
func checkSize(kind string, n int) error {
	if n > MaxSourceBytes {
		return fmt.Errorf("constrain: %s: %d bytes, expected at most %d; make it shorter", kind, n, MaxSourceBytes)
	}
	return nil
}

// Shortest returns the number of bytes of the grammar's shortest text.
func (g *Grammar) Shortest() int { return int(g.program.rules[g.program.root].min) }

// Match reports whether a text is one of the grammar's, and how many of its bytes can begin one.
func (g *Grammar) Match(text string) (valid int, ok bool) {
	m := newMachine(g.program)
	s := m.start
	for i := range len(text) {
		if s = m.step(s, m.classes[text[i]]); s == m.dead {
			return i, false
		}
		if m.bytes > MaxCacheBytes {
			m.reset()
		}
	}
	return len(text), s.accept
}

// Matcher is a grammar bound to a vocabulary. It is safe for concurrent use; what it keeps grows
// with the texts seen, up to [MaxCacheBytes].
type Matcher struct {
	mu sync.Mutex
	w  walker
}

// Matcher binds the grammar to a vocabulary.
func (g *Grammar) Matcher(v *Vocabulary) *Matcher {
	return &Matcher{w: walker{machine: newMachine(g.program), v: v, plain: g.program.plainClasses()}}
}

// State is a point of a text: all that matters for what may follow. It belongs to one matcher.
// States are values; the zero value is no state.
type State struct{ s *state }

// Start returns the beginning of a text.
func (m *Matcher) Start() State {
	m.mu.Lock()
	defer m.mu.Unlock()
	return State{m.w.start}
}

// Complete reports whether the text may end at s.
func (s State) Complete() bool { return s.s.accept }

// Remaining returns the fewest bytes that complete the text.
func (s State) Remaining() int { return int(s.s.dist) }

// Token returns the state after a token, and whether the token may follow.
func (m *Matcher) Token(s State, id int32) (State, bool) {
	if id < 0 || int(id) >= m.w.v.size || m.w.v.tok[id] == "" || len(m.w.v.tok[id]) > maxTokenBytes {
		return State{}, false
	}
	return m.Text(s, m.w.v.tok[id])
}

// Text returns the state after some bytes, and whether they may follow.
func (m *Matcher) Text(s State, text string) (State, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &m.w
	w.err = nil
	at := s.s
	for i := range len(text) {
		if at = w.step(at, w.classes[text[i]]); at == w.dead {
			return State{}, false
		}
	}
	if w.bytes > MaxCacheBytes {
		w.reset()
	}
	return State{at}, true
}

// Mask returns the tokens that may follow s. The error tells a grammar that is too ambiguous at
// this point.
func (m *Matcher) Mask(s State) (*Mask, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.s.mask == nil {
		k, err := m.w.mask(s.s, never)
		if err != nil {
			return nil, err
		}
		m.w.bytes += 8*len(k.bits) + 4*len(k.list) + 64
		s.s.mask = k
	}
	k := s.s.mask
	if m.w.bytes > MaxCacheBytes {
		m.w.reset()
	}
	return k, nil
}

// MaskWithin returns the tokens of [Matcher.Mask] after which at most so many bytes complete the
// text. It is computed anew each time.
func (m *Matcher) MaskWithin(s State, bytes int) (*Mask, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.w.mask(s.s, int32(min(max(bytes, -1), never-1)))
}
