package chat

// postfix reads attributes, subscripts and calls.
func (p *parser) postfix(x expr) expr {
	for n := 0; ; p.chain(&n) {
		switch {
		case p.isOp("."):
			x = p.attribute(x)
		case p.isOp("["):
			x = p.subscript(x)
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
}

// filterOrTest reads filters, tests, and calls of what they give.
func (p *parser) filterOrTest(x expr) expr {
	for n := 0; ; p.chain(&n) {
		switch {
		case p.isOp("|"):
			x = p.filters(x)
		case p.isName("is"):
			x = p.test(x)
		case p.isOp("("):
			x = p.call(x)
		default:
			return x
		}
	}
}

func (p *parser) attribute(x expr) expr {
	p.expectOp(".")
	t := p.next()
	switch {
	case t.kind == tokName:
		return &attrExpr{x, t.text, &str{s: t.text}}
	case t.kind == tokNumber && !isFloat(t.value):
		return &itemExpr{x, &constExpr{t.value}}
	}
	p.fail(t, "expected a name or a whole number")
	return nil
}

func (p *parser) subscript(x expr) expr {
	p.expectOp("[")
	var keys []expr
	for !p.skipOp("]") {
		if len(keys) > 0 {
			p.expectOp(",")
		}
		keys = append(keys, p.key(x))
	}
	if len(keys) != 1 {
		for _, k := range keys {
			if _, ok := k.(*sliceExpr); ok {
				p.fail(p.peek(), "a slice cannot be one of several keys")
			}
		}
		return &itemExpr{x, &tupleExpr{keys}}
	}
	if s, ok := keys[0].(*sliceExpr); ok {
		return s
	}
	return &itemExpr{x, keys[0]}
}

// key reads an index, or a slice of x.
func (p *parser) key(x expr) expr {
	part := func() expr {
		if p.isOp(":") || p.isOp("]") || p.isOp(",") {
			return nil
		}
		return p.expression()
	}
	t := p.peek()
	from := part()
	if !p.skipOp(":") {
		if from == nil {
			p.fail(t, "expected an expression")
		}
		return from
	}
	s := &sliceExpr{x: x, from: from, to: part()}
	if p.skipOp(":") {
		s.step = part()
	}
	return s
}

func (p *parser) call(f expr) expr {
	return &callExpr{p.peek().line, f, p.arguments()}
}

// arguments reads the arguments of a call, parentheses included.
func (p *parser) arguments() (a argExprs) {
	p.expectOp("(")
	for first := true; !p.skipOp(")"); first = false {
		if !first {
			p.expectOp(",")
			if p.skipOp(")") {
				break
			}
		}
		t, ok := p.peek(), false
		switch {
		case p.skipOp("**"):
			ok = a.dict == nil
			a.dict = p.expression()
		case p.skipOp("*"):
			ok = a.list == nil && a.dict == nil
			a.list = p.expression()
		case t.kind == tokName && p.after().kind == tokOperator && p.after().text == "=":
			ok = a.dict == nil
			p.at += 2
			a.names, a.named = append(a.names, t.text), append(a.named, p.expression())
		default:
			ok = a.list == nil && a.dict == nil && len(a.named) == 0
			a.pos = append(a.pos, p.expression())
		}
		if !ok {
			p.fail(t, "an argument in the wrong place")
		}
	}
	return a
}

// filters reads the filters that follow an expression.
func (p *parser) filters(x expr) expr {
	for n := 0; p.skipOp("|"); p.chain(&n) {
		x = p.filter(x)
	}
	return x
}

// filter reads the name and arguments of a filter.
func (p *parser) filter(x expr) expr {
	t := p.peek()
	f := &filterExpr{line: t.line, x: x}
	name := p.dotted()
	if f.filter = filters[name]; f.filter == nil {
		p.fail(t, "no filter has this name")
	}
	if p.isOp("(") {
		f.args = p.arguments()
	}
	return f
}

// dotted reads a name with dots in it.
func (p *parser) dotted() string {
	name := p.expectName()
	for p.skipOp(".") {
		name += "." + p.expectName()
	}
	return name
}

func (p *parser) test(x expr) expr {
	p.next()
	negated := p.skipName("not")
	t := p.peek()
	s := &testExpr{line: t.line, x: x}
	name := p.dotted()
	if s.test = tests[name]; s.test == nil {
		p.fail(t, "no test has this name")
	}
	if p.isOp("(") {
		s.args = p.arguments()
	} else if p.startsArgument() {
		if p.isName("is") {
			p.fail(p.peek(), "tests cannot follow one another")
		}
		s.args.pos = []expr{p.postfix(p.primary())}
	}
	if negated {
		return &unaryExpr{'!', s}
	}
	return s
}

// startsArgument reports whether the argument of a test may be next.
func (p *parser) startsArgument() bool {
	switch t := p.peek(); t.kind {
	case tokName:
		return t.text != "else" && t.text != "or" && t.text != "and"
	case tokString, tokNumber:
		return true
	case tokOperator:
		return t.text == "[" || t.text == "{"
	}
	return false
}
