package chat

import "slices"

const (
	maxTemplate  = 256 << 10 // bytes
	maxNesting   = 64        // of statements and expressions
	maxChain     = 500       // operators, filters or attributes one after the other
	maxIntDigits = 4300      // as Python's
)

// A parser builds the tree of a template.
type parser struct {
	lexer  *lexer
	at     int
	depth  int
	loops  int         // around the present place, inside the same macro
	macros []*macroDef // around the present place
	blocks map[string]*blockStmt
}

// parse returns the statements of a template.
func parse(source string) (body []stmt, blocks map[string]*blockStmt) {
	if len(source) > maxTemplate {
		panic(&Error{Kind: Syntax, Line: 1, Message: "the template is larger than 256 KiB"})
	}
	p := &parser{lexer: newLexer(source), blocks: make(map[string]*blockStmt)}
	body = p.statements()
	if t := p.peek(); t.kind != tokEOF {
		p.fail(t, "nothing is open that this could close, or there is no such tag")
	}
	return body, p.blocks
}

func (p *parser) peek() token { return p.lexer.token(p.at) }

// after is the token after the next.
func (p *parser) after() token { return p.lexer.token(p.at + 1) }

func (p *parser) next() token {
	t := p.peek()
	if t.kind != tokEOF {
		p.at++
	}
	return t
}

// fail ends the parsing with a syntax error at a token.
func (p *parser) fail(t token, message string) {
	panic(&Error{Kind: Syntax, Line: t.line, Token: t.text, Message: message})
}

func (p *parser) isOp(op string) bool {
	t := p.peek()
	return t.kind == tokOperator && t.text == op
}

func (p *parser) isName(name string) bool {
	t := p.peek()
	return t.kind == tokName && t.text == name
}

// skipOp moves over an operator if it is there.
func (p *parser) skipOp(op string) bool {
	ok := p.isOp(op)
	if ok {
		p.at++
	}
	return ok
}

func (p *parser) skipName(name string) bool {
	ok := p.isName(name)
	if ok {
		p.at++
	}
	return ok
}

func (p *parser) expectOp(op string) {
	if !p.skipOp(op) {
		p.fail(p.peek(), "expected '"+op+"'")
	}
}

func (p *parser) expectName() string {
	t := p.next()
	if t.kind != tokName {
		p.fail(t, "expected a name")
	}
	return t.text
}

func (p *parser) expect(kind tokenKind, what string) {
	if t := p.next(); t.kind != kind {
		p.fail(t, "expected "+what)
	}
}

// enter bounds the nesting; leave it with p.depth--.
func (p *parser) enter() {
	if p.depth++; p.depth > maxNesting {
		p.fail(p.peek(), "nested too deep")
	}
}

// chain counts the links of a chain.
func (p *parser) chain(n *int) {
	if *n++; *n > maxChain {
		p.fail(p.peek(), "too many operators in one expression")
	}
}

// statements reads statements up to a tag that none of them begins with, whose name is then next.
func (p *parser) statements() (body []stmt) {
	p.enter()
	defer func() { p.depth-- }()
	for {
		switch t := p.peek(); t.kind {
		case tokData:
			p.at++
			body = append(body, &textStmt{&str{s: t.text}})
		case tokVariableBegin:
			p.at++
			body = append(body, &printStmt{t.line, p.tuple(p.expression, false)})
			p.expect(tokVariableEnd, "'}}'")
		case tokBlockBegin:
			p.at++
			name := p.peek()
			if name.kind != tokName {
				p.fail(name, "expected the name of a tag")
			}
			parse, ok := tags[name.text]
			if !ok {
				return body
			}
			p.at++
			body = append(body, parse(p, name))
			p.expect(tokBlockEnd, "'%}'")
		default:
			return body
		}
	}
}

// body reads the statements of a tag up to one of the tags that may end it, and returns which one.
func (p *parser) body(tag token, ends ...string) (body []stmt, end string) {
	p.skipOp(":")
	p.expect(tokBlockEnd, "'%}'")
	body = p.statements()
	t := p.next()
	if t.kind == tokEOF {
		panic(&Error{Kind: Syntax, Line: tag.line, Token: tag.text, Message: "the tag is not closed: expected {% " + ends[len(ends)-1] + " %}"})
	}
	if !slices.Contains(ends, t.text) {
		p.fail(t, "no such tag here: {% "+tag.text+" %} is open and ends with {% "+ends[len(ends)-1]+" %}")
	}
	return body, t.text
}

// function reads the body of a macro or of what works like one.
func (p *parser) function(def *macroDef, tag token, end string) {
	loops := p.loops
	p.loops = 0
	p.macros = append(p.macros, def)
	def.body, _ = p.body(tag, end)
	p.macros = p.macros[:len(p.macros)-1]
	p.loops = loops
}

// target reads what is assigned to. With attrs an attribute of a namespace is one.
func (p *parser) target(attrs bool) target {
	first := p.peek()
	var list []target
	for {
		if len(list) > 0 && !p.startsTarget() {
			break
		}
		list = append(list, p.simpleTarget(attrs))
		if !p.skipOp(",") {
			if len(list) == 1 {
				return list[0]
			}
			break
		}
		if len(list) > maxChain {
			p.fail(first, "too many targets")
		}
	}
	return target{tuple: list, isTuple: true}
}

func (p *parser) startsTarget() bool {
	t := p.peek()
	return t.kind == tokName && t.text != "in" || p.isOp("(")
}

func (p *parser) simpleTarget(attrs bool) target {
	p.enter()
	defer func() { p.depth-- }()
	if p.skipOp("(") {
		t := p.target(false)
		p.expectOp(")")
		return t
	}
	t := p.peek()
	name := p.expectName()
	if _, literal := literals[name]; literal {
		p.fail(t, "this cannot be assigned to")
	}
	if attrs && p.skipOp(".") {
		return target{name: name, attr: p.expectName()}
	}
	return target{name: name}
}

// binds reports whether a target assigns to a name.
func (t *target) binds(name string) bool {
	return t.name == name && t.attr == "" || slices.ContainsFunc(t.tuple, func(t target) bool { return t.binds(name) })
}
