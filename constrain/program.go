package constrain

import (
	"fmt"
	"strings"
)

// opcode says what an instruction does.
type opcode uint8

const (
	opEnd   opcode = iota // ends the rule
	opFail                // matches nothing
	opSet                 // a byte of sets[arg], then x
	opJump                // x
	opSplit               // x or y
	opCall                // rules[arg], then x
)

type inst struct {
	op   opcode
	arg  int32
	x, y int32
}

// rule is a part of a grammar that others call.
type rule struct {
	name  string // "" of rules that no text names
	start int32
	min   int32 // bytes of its shortest text
}

// program is a compiled grammar. It is immutable once finished.
type program struct {
	insts []inst
	rules []rule
	sets  []byteSet
	root  int
	dist  []int32 // of each instruction: the fewest bytes to the end of its rule

	classes [256]uint8 // bytes that no instruction tells apart share a class
	byteOf  []byte     // a byte of each class
}

// never is the distance to an end that cannot be reached, or only by a text of that many bytes.
const never = 1 << 30

// finish checks the program for what it must not be and derives the rest of it.
func (p *program) finish(root int) error {
	p.root = root
	p.distances()
	if cycle := p.leftRecursion(); cycle != nil {
		return fmt.Errorf("left recursion: %s calls itself before it reads anything (%s); write the repetition with * or +, or recurse on the right",
			cycle[0], strings.Join(cycle, " -> "))
	}
	p.classify()
	return nil
}

// distances fills dist and the rules' min by Knuth's generalisation of Dijkstra's algorithm to
// grammars: positions are settled from the nearest to the end on.
//
// Source: Knuth 1977, A generalization of Dijkstra's algorithm.
func (p *program) distances() {
	before := p.predecessors()
	p.dist = make([]int32, len(p.insts))
	settled := make([]bool, len(p.insts))
	for i := range p.dist {
		p.dist[i] = never
	}
	q := &distQueue{}
	q.push(0, end)
	for len(*q) > 0 {
		d, at := q.pop()
		if settled[at] {
			continue
		}
		settled[at], p.dist[at] = true, d
		for _, i := range before.of(at) {
			in, sum := p.insts[i], d
			switch in.op {
			case opSet:
				sum++
			case opCall:
				start := p.rules[in.arg].start
				if !settled[in.x] || !settled[start] {
					continue
				}
				sum = p.dist[in.x] + p.dist[start]
			}
			if !settled[i] && sum < never {
				q.push(sum, i)
			}
		}
	}
	for i := range p.rules {
		p.rules[i].min = p.dist[p.rules[i].start]
	}
}

// adjacency lists, for each instruction, those that lead to it.
type adjacency struct{ from, list []int32 }

func (a *adjacency) of(i int32) []int32 { return a.list[a.from[i]:a.from[i+1]] }

func (p *program) predecessors() *adjacency {
	visit := func(f func(to, i int32)) {
		for i, in := range p.insts {
			switch in.op {
			case opSplit:
				f(in.x, int32(i))
				f(in.y, int32(i))
			case opSet, opJump:
				f(in.x, int32(i))
			case opCall:
				f(in.x, int32(i))
				f(p.rules[in.arg].start, int32(i))
			}
		}
	}
	a := &adjacency{from: make([]int32, len(p.insts)+2)}
	visit(func(to, _ int32) { a.from[to+2]++ })
	for i := range len(p.insts) {
		a.from[i+2] += a.from[i+1]
	}
	a.list = make([]int32, a.from[len(p.insts)+1])
	visit(func(to, i int32) {
		a.list[a.from[to+1]] = i
		a.from[to+1]++
	})
	return a
}

// distQueue is a heap of distances and positions, packed into one number each.
type distQueue []int64

func (q *distQueue) push(d, at int32) {
	h := append(*q, int64(d)<<32|int64(at))
	for i := len(h) - 1; i > 0 && h[i] < h[(i-1)/2]; i = (i - 1) / 2 {
		h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
	}
	*q = h
}

func (q *distQueue) pop() (d, at int32) {
	h := *q
	top := h[0]
	h[0] = h[len(h)-1]
	h = h[:len(h)-1]
	for i := 0; ; {
		c := 2*i + 1
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if c >= len(h) || h[i] <= h[c] {
			break
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
	*q = h
	return int32(top >> 32), int32(top)
}

// leftRecursion returns the names of rules that call one another in a circle without reading a
// byte in between.
func (p *program) leftRecursion() []string {
	const unseen, open, done = 0, 1, 2
	state := make([]uint8, len(p.rules))
	seen := make([]int32, len(p.insts)) // 1 + the rule that came by last
	type visit struct {
		rule  int32
		calls []int32 // still to look at
	}
	for r := range p.rules {
		if state[r] != unseen {
			continue
		}
		state[r] = open
		stack := []visit{{int32(r), p.firstCalls(int32(r), seen)}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.calls) == 0 {
				state[top.rule] = done
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.calls[0]
			top.calls = top.calls[1:]
			switch state[next] {
			case unseen:
				state[next] = open
				stack = append(stack, visit{next, p.firstCalls(next, seen)})
			case open:
				cycle := []string{p.rules[next].name}
				for i := len(stack) - 1; stack[i].rule != next; i-- {
					cycle = append(cycle, p.rules[stack[i].rule].name)
				}
				cycle = append(cycle, p.rules[next].name)
				for i, j := 0, len(cycle)-1; i < j; i, j = i+1, j-1 {
					cycle[i], cycle[j] = cycle[j], cycle[i]
				}
				return named(cycle)
			}
		}
	}
	return nil
}

// named leaves out the rules without a name between the others.
func named(cycle []string) (out []string) {
	for _, name := range cycle {
		if name != "" {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return []string{"a group"}
	}
	return out
}

// firstCalls returns the rules that a rule may call before it reads a byte.
func (p *program) firstCalls(r int32, seen []int32) (calls []int32) {
	work := []int32{p.rules[r].start}
	for len(work) > 0 {
		at := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[at] == r+1 {
			continue
		}
		seen[at] = r + 1
		switch in := p.insts[at]; in.op {
		case opJump:
			work = append(work, in.x)
		case opSplit:
			work = append(work, in.x, in.y)
		case opCall:
			calls = append(calls, in.arg)
			if p.rules[in.arg].min == 0 {
				work = append(work, in.x)
			}
		}
	}
	return calls
}

// classify divides the bytes into classes.
func (p *program) classify() {
	n := 1
	for i := range p.sets {
		split := map[[2]uint8]uint8{}
		for b := range 256 {
			key := [2]uint8{p.classes[b], 0}
			if p.sets[i].has(byte(b)) {
				key[1] = 1
			}
			if _, ok := split[key]; !ok {
				split[key] = uint8(len(split))
			}
			p.classes[b] = split[key]
		}
		if n = len(split); n == 256 {
			break
		}
	}
	p.byteOf = make([]byte, n)
	for b := 255; b >= 0; b-- {
		p.byteOf[p.classes[b]] = byte(b)
	}
}
