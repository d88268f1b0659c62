package constrain

import (
	"errors"
	"slices"
)

// dfa is a deterministic automaton over characters. It begins in state 0; where no edge leads on,
// the text is not in its language.
type dfa struct{ states []dfaState }

type dfaState struct {
	accept bool
	edges  []dfaEdge // by character, disjoint
}

type dfaEdge struct {
	runeRange
	to int32
}

const (
	maxStates = 1 << 14 // of an automaton
	maxEdges  = 1 << 18
)

var errStates = errors.New("needs too large an automaton; make the expression or the bounds smaller")

// target is a state and the characters that lead to it.
type target struct {
	to     int32
	ranges []runeRange
}

// byTarget groups the edges.
func (s *dfaState) byTarget() (list []target) {
	index := map[int32]int{}
	for _, e := range s.edges {
		i, ok := index[e.to]
		if !ok {
			i = len(list)
			index[e.to] = i
			list = append(list, target{to: e.to})
		}
		list[i].ranges = append(list[i].ranges, e.runeRange)
	}
	for i := range list {
		list[i].ranges = normal(list[i].ranges)
	}
	return list
}

// next returns the state after a character, -1 if there is none.
func (s *dfaState) next(r rune) int32 {
	i, ok := slices.BinarySearchFunc(s.edges, r, func(e dfaEdge, r rune) int {
		switch {
		case e.hi < r:
			return -1
		case e.lo > r:
			return 1
		}
		return 0
	})
	if !ok {
		return -1
	}
	return s.edges[i].to
}

// accepts reports whether a text is in the language.
func (d *dfa) accepts(text string) bool {
	at := int32(0)
	for _, r := range text {
		if at = d.states[at].next(r); at < 0 {
			return false
		}
	}
	return d.states[at].accept
}

// empty reports whether the language of a trimmed automaton is empty.
func (d *dfa) empty() bool { return len(d.states[0].edges) == 0 && !d.states[0].accept }

// anyText is the automaton of all texts.
func anyText() *dfa {
	return &dfa{[]dfaState{{accept: true, edges: []dfaEdge{{anyRune, 0}}}}}
}

// words is the automaton of some texts.
func words(list []string) *dfa {
	d := &dfa{make([]dfaState, 1)}
	for _, w := range list {
		at := int32(0)
		for _, r := range w {
			to := d.states[at].next(r)
			if to < 0 {
				to = int32(len(d.states))
				d.states = append(d.states, dfaState{})
				s := &d.states[at]
				i, _ := slices.BinarySearchFunc(s.edges, r, func(e dfaEdge, r rune) int { return int(e.lo - r) })
				s.edges = slices.Insert(s.edges, i, dfaEdge{runeRange{r, r}, to})
			}
			at = to
		}
		d.states[at].accept = true
	}
	return d
}

// operation says which pairs of states a product of automata visits and accepts.
type operation uint8

const (
	both operation = iota
	either
	minus
)

func (op operation) visits(a, b int32) bool {
	return a >= 0 && b >= 0 || op == either && (a >= 0 || b >= 0) || op == minus && a >= 0
}

func (op operation) accepts(a, b bool) bool {
	switch op {
	case both:
		return a && b
	case either:
		return a || b
	}
	return a && !b
}

// combine returns the automaton of texts in both languages, in either, or in the first only.
func combine(x, y *dfa, op operation) (*dfa, error) {
	d := &dfa{}
	index := map[[2]int32]int32{}
	var pairs [][2]int32
	state := func(a, b int32) int32 {
		key := [2]int32{a, b}
		i, ok := index[key]
		if !ok {
			i = int32(len(pairs))
			index[key] = i
			pairs = append(pairs, key)
		}
		return i
	}
	state(0, 0)
	edges := 0
	for i := 0; i < len(pairs); i++ {
		a, b := x.state(pairs[i][0]), y.state(pairs[i][1])
		s := dfaState{accept: op.accepts(a.accept, b.accept)}
		visited := 0
		for lo := rune(0); lo <= anyRune.hi; {
			ta, ha := a.from(lo)
			tb, hb := b.from(lo)
			hi := min(ha, hb)
			if op.visits(ta, tb) {
				s.add(runeRange{lo, hi}, state(ta, tb))
			}
			lo = hi + 1
			visited++
		}
		if edges += visited; edges > maxEdges || len(pairs) > maxStates {
			return nil, errStates
		}
		d.states = append(d.states, s)
	}
	return d.trim(), nil
}

// state returns a state; -1 is one without a way to accept.
func (d *dfa) state(i int32) *dfaState {
	if i < 0 {
		return &dfaState{}
	}
	return &d.states[i]
}

// from returns where character lo leads and the last character up to which all lead there.
func (s *dfaState) from(lo rune) (to int32, hi rune) {
	i, _ := slices.BinarySearchFunc(s.edges, lo, func(e dfaEdge, lo rune) int { return int(e.hi - lo) })
	switch {
	case i == len(s.edges):
		return -1, anyRune.hi
	case s.edges[i].lo > lo:
		return -1, s.edges[i].lo - 1
	}
	return s.edges[i].to, s.edges[i].hi
}

// add appends an edge, joined to the last where it can be.
func (s *dfaState) add(r runeRange, to int32) {
	if n := len(s.edges); n > 0 && s.edges[n-1].to == to && s.edges[n-1].hi+1 == r.lo {
		s.edges[n-1].hi = r.hi
		return
	}
	s.edges = append(s.edges, dfaEdge{r, to})
}

// trim removes the states from which no text is accepted, except the first.
func (d *dfa) trim() *dfa {
	into := make([][]int32, len(d.states))
	var work []int32
	alive := make([]bool, len(d.states))
	for i, s := range d.states {
		for _, e := range s.edges {
			into[e.to] = append(into[e.to], int32(i))
		}
		if s.accept {
			alive[i] = true
			work = append(work, int32(i))
		}
	}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		for _, i := range into[at] {
			if !alive[i] {
				alive[i] = true
				work = append(work, i)
			}
		}
	}
	index, n := make([]int32, len(d.states)), int32(0)
	for i := range d.states {
		if alive[i] || i == 0 {
			index[i] = n
			n++
		}
	}
	out := &dfa{make([]dfaState, 0, n)}
	for i, s := range d.states {
		if !alive[i] && i != 0 {
			continue
		}
		t := dfaState{accept: s.accept}
		for _, e := range s.edges {
			if alive[e.to] {
				t.add(e.runeRange, index[e.to])
			}
		}
		out.states = append(out.states, t)
	}
	return out
}

// lengths is the automaton of texts of lo to hi characters.
func lengths(lo, hi int) *dfa {
	n := hi
	if hi < 0 {
		n = lo
	}
	d := &dfa{make([]dfaState, n+1)}
	for i := range d.states {
		d.states[i].accept = i >= lo
		if i < n {
			d.states[i].edges = []dfaEdge{{anyRune, int32(i + 1)}}
		}
	}
	if hi < 0 {
		d.states[n].edges = []dfaEdge{{anyRune, int32(n)}}
	}
	return d
}
