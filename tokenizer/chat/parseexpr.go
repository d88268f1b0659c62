package chat

import "slices"

// literals are the names that stand for values.
var literals = map[string]value{
	"true": true, "True": true, "false": false, "False": false, "none": none{}, "None": none{},
}

// expression reads an expression, conditional ones included.
func (p *parser) expression() expr {
	p.enter()
	defer func() { p.depth-- }()
	x := p.or()
	for n := 0; p.skipName("if"); p.chain(&n) {
		c := &condExpr{cond: p.or(), then: x}
		if p.skipName("else") {
			c.otherwise = p.expression()
		}
		x = c
	}
	return x
}

// tuple reads an expression, or several with commas between them, up to a name of ends, a closing
// parenthesis or the end of the tag.
func (p *parser) tuple(one func() expr, parenthesized bool, ends ...string) expr {
	var items []expr
	isTuple := false
	for {
		t := p.peek()
		if t.kind == tokVariableEnd || t.kind == tokBlockEnd || p.isOp(")") || t.kind == tokName && slices.Contains(ends, t.text) {
			break
		}
		items = append(items, one())
		if !p.skipOp(",") {
			break
		}
		isTuple = true
	}
	if !isTuple && len(items) == 1 {
		return items[0]
	}
	if !isTuple && !parenthesized {
		p.fail(p.peek(), "expected an expression")
	}
	return &tupleExpr{items}
}

func (p *parser) or() expr {
	x := p.and()
	for n := 0; p.skipName("or"); p.chain(&n) {
		x = &orExpr{x, p.and()}
	}
	return x
}

func (p *parser) and() expr {
	x := p.not()
	for n := 0; p.skipName("and"); p.chain(&n) {
		x = &andExpr{x, p.not()}
	}
	return x
}

func (p *parser) not() expr {
	if p.skipName("not") {
		p.enter()
		defer func() { p.depth-- }()
		return &unaryExpr{'!', p.not()}
	}
	return p.compare()
}

func (p *parser) compare() expr {
	x := p.sum()
	var ops []comparison
	for n := 0; ; p.chain(&n) {
		op := ""
		switch t := p.peek(); {
		case t.kind == tokOperator && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = t.text
			p.at++
		case p.skipName("in"):
			op = "in"
		case p.isName("not") && p.after().kind == tokName && p.after().text == "in":
			op = "not in"
			p.at += 2
		default:
			if len(ops) == 0 {
				return x
			}
			return &compareExpr{x, ops}
		}
		ops = append(ops, comparison{op, p.sum()})
	}
}

// binary reads operands of one kind with operators between them, which bind to the left.
func (p *parser) binary(operand func() expr, ops ...string) expr {
	x := operand()
	for n := 0; ; p.chain(&n) {
		t := p.peek()
		if t.kind != tokOperator || !slices.Contains(ops, t.text) {
			return x
		}
		p.at++
		x = &binaryExpr{t.text, x, operand()}
	}
}

func (p *parser) sum() expr { return p.binary(p.concat, "+", "-") }

func (p *parser) concat() expr {
	parts := []expr{p.product()}
	for n := 0; p.skipOp("~"); p.chain(&n) {
		parts = append(parts, p.product())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return &concatExpr{parts}
}

func (p *parser) product() expr { return p.binary(p.power, "*", "/", "//", "%") }

func (p *parser) power() expr {
	return p.binary(func() expr { return p.unary(true) }, "**")
}

// unary reads signs, what they apply to, and the filters and tests of all that.
func (p *parser) unary(withFilters bool) expr {
	p.enter()
	defer func() { p.depth-- }()
	var x expr
	switch {
	case p.skipOp("-"):
		x = &unaryExpr{'-', p.unary(false)}
	case p.skipOp("+"):
		x = &unaryExpr{'+', p.unary(false)}
	default:
		x = p.primary()
	}
	x = p.postfix(x)
	if withFilters {
		x = p.filterOrTest(x)
	}
	return x
}

func (p *parser) primary() expr {
	t := p.next()
	switch t.kind {
	case tokName:
		if v, ok := literals[t.text]; ok {
			return &constExpr{v}
		}
		p.use(t.text)
		return &nameExpr{t.text}
	case tokString:
		s := t.value.(*str)
		for p.peek().kind == tokString {
			s = &str{s: s.s + p.next().value.(*str).s}
		}
		return &constExpr{s}
	case tokNumber:
		return &constExpr{t.value}
	case tokOperator:
		switch t.text {
		case "(":
			x := p.tuple(p.expression, true)
			p.expectOp(")")
			return x
		case "[":
			return &listExpr{p.items("]")}
		case "{":
			return p.dict()
		}
	}
	p.fail(t, "expected an expression")
	return nil
}

// use notes that a macro uses one of the names that change what it accepts.
func (p *parser) use(name string) {
	for _, m := range p.macros {
		switch name {
		case "caller":
			m.caller = true
		case "varargs":
			m.varargs = true
		case "kwargs":
			m.kwargs = true
		}
	}
}

// items reads expressions up to a closing bracket.
func (p *parser) items(end string) (items []expr) {
	for !p.skipOp(end) {
		if len(items) > 0 {
			p.expectOp(",")
			if p.skipOp(end) {
				break
			}
		}
		items = append(items, p.expression())
	}
	return items
}

func (p *parser) dict() expr {
	d := new(dictExpr)
	for !p.skipOp("}") {
		if len(d.keys) > 0 {
			p.expectOp(",")
			if p.skipOp("}") {
				break
			}
		}
		d.keys = append(d.keys, p.expression())
		p.expectOp(":")
		d.vals = append(d.vals, p.expression())
	}
	return d
}
