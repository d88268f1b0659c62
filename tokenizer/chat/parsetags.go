package chat

import (
	"slices"
	"strings"
)

// tags are the tags that begin a statement; the name has been read.
var tags map[string]func(p *parser, tag token) stmt

func init() {
	tags = map[string]func(p *parser, tag token) stmt{
		"for": (*parser).forTag, "if": (*parser).ifTag, "set": (*parser).setTag, "macro": (*parser).macroTag,
		"call": (*parser).callTag, "filter": (*parser).filterTag, "with": (*parser).withTag, "block": (*parser).blockTag,
		"autoescape": (*parser).autoescapeTag, "generation": (*parser).generationTag, "print": (*parser).printTag,
		"break": (*parser).flowTag, "continue": (*parser).flowTag,
		"include": (*parser).loadTag, "import": (*parser).loadTag, "from": (*parser).loadTag, "extends": (*parser).loadTag,
	}
}

func (p *parser) forTag(tag token) stmt {
	s := &forStmt{line: tag.line, target: p.target(false)}
	if s.target.binds("loop") {
		p.fail(tag, "loop cannot be the variable of a loop")
	}
	if !p.skipName("in") {
		p.fail(p.peek(), "expected 'in'")
	}
	s.in = p.tuple(p.or, false, "recursive")
	if p.skipName("if") {
		s.cond = p.expression()
	}
	s.recursive = p.skipName("recursive")
	var end string
	p.loops++
	s.body, end = p.body(tag, "else", "endfor")
	p.loops--
	if end == "else" {
		s.otherwise, _ = p.body(tag, "endfor")
	}
	return s
}

func (p *parser) ifTag(tag token) stmt {
	first := &ifStmt{line: tag.line}
	s := first
	for n := 0; ; p.chain(&n) {
		s.cond = p.tuple(p.or, false)
		var end string
		s.body, end = p.body(tag, "elif", "else", "endif")
		switch end {
		case "elif":
			next := &ifStmt{line: p.peek().line}
			s.rest = []stmt{next}
			s = next
			continue
		case "else":
			s.rest, _ = p.body(tag, "endif")
		}
		return first
	}
}

func (p *parser) setTag(tag token) stmt {
	t := p.target(true)
	if p.skipOp("=") {
		return &setStmt{tag.line, t, p.tuple(p.expression, false)}
	}
	s := &setBlockStmt{line: tag.line, target: t}
	if p.isOp("|") {
		s.filter = p.filters(captured{})
	}
	s.body, _ = p.body(tag, "endset")
	return s
}

func (p *parser) macroTag(tag token) stmt {
	def := &macroDef{name: p.expectName()}
	p.signature(def)
	p.function(def, tag, "endmacro")
	return &macroStmt{tag.line, def}
}

// signature reads the parameters of a macro.
func (p *parser) signature(def *macroDef) {
	p.macros = append(p.macros, def) // defaults may use the special names
	p.expectOp("(")
	for !p.skipOp(")") {
		if len(def.params) > 0 {
			p.expectOp(",")
		}
		t := p.peek()
		if slices.Contains(def.params, t.text) {
			p.fail(t, "two parameters of one name")
		}
		def.params = append(def.params, p.expectName())
		if p.skipOp("=") {
			def.defaults = append(def.defaults, p.expression())
		} else if len(def.defaults) > 0 {
			p.fail(t, "a parameter without a default follows one that has one")
		}
	}
	p.macros = p.macros[:len(p.macros)-1]
}

func (p *parser) callTag(tag token) stmt {
	s := &callStmt{line: tag.line, caller: &macroDef{name: "caller"}}
	if p.isOp("(") {
		p.signature(s.caller)
	}
	t := p.peek()
	call, ok := p.expression().(*callExpr)
	if !ok {
		p.fail(t, "expected a call")
	}
	s.call = call
	p.function(s.caller, tag, "endcall")
	return s
}

func (p *parser) filterTag(tag token) stmt {
	s := &filterStmt{line: tag.line}
	s.filter = p.filters(p.filter(captured{}))
	s.body, _ = p.body(tag, "endfilter")
	return s
}

func (p *parser) withTag(tag token) stmt {
	s := &withStmt{line: tag.line}
	for p.peek().kind != tokBlockEnd {
		if len(s.targets) > 0 {
			p.expectOp(",")
		}
		s.targets = append(s.targets, p.simpleTarget(false))
		p.expectOp("=")
		s.values = append(s.values, p.expression())
	}
	s.body, _ = p.body(tag, "endwith")
	return s
}

func (p *parser) blockTag(tag token) stmt {
	t := p.peek()
	name := p.expectName()
	if _, ok := p.blocks[name]; ok {
		p.fail(t, "this block is defined twice")
	}
	s := &blockStmt{line: tag.line}
	p.blocks[name] = s
	p.skipName("scoped")
	if p.skipName("required") {
		p.fail(t, "required blocks are for templates that others extend")
	}
	def := new(macroDef)
	p.function(def, tag, "endblock")
	s.body = def.body
	p.skipName(name)
	return s
}

func (p *parser) autoescapeTag(tag token) stmt {
	s := &autoescapeStmt{line: tag.line, on: p.expression()}
	s.body, _ = p.body(tag, "endautoescape")
	return s
}

func (p *parser) generationTag(tag token) stmt {
	def := new(macroDef)
	p.function(def, tag, "endgeneration")
	return &generationStmt{tag.line, def.body}
}

func (p *parser) printTag(tag token) stmt {
	s := &blockStmt{line: tag.line}
	for p.peek().kind != tokBlockEnd {
		if len(s.body) > 0 {
			p.expectOp(",")
		}
		s.body = append(s.body, &printStmt{tag.line, p.expression()})
	}
	return &ifStmt{line: tag.line, cond: &constExpr{true}, body: s.body}
}

func (p *parser) flowTag(tag token) stmt {
	if p.loops == 0 {
		p.fail(tag, "outside of a loop")
	}
	if tag.text == "break" {
		return &flowStmt{flowBreak}
	}
	return &flowStmt{flowContinue}
}

// loadTag reads a tag that would load another template, which is an error when it is run.
func (p *parser) loadTag(tag token) stmt {
	p.expression()
	for t := p.peek(); t.kind == tokName || t.kind == tokOperator && strings.Contains(",", t.text); t = p.peek() {
		p.at++
	}
	return &loadStmt{tag.line, tag.text}
}
