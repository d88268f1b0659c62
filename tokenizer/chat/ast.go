package chat

// A stmt is a statement; run executes it.
type stmt interface {
	run(m *machine) flow
}

// An expr is an expression.
type expr interface {
	eval(m *machine) value
}

// flow says how execution goes on after a statement.
type flow uint8

const (
	flowNext flow = iota
	flowBreak
	flowContinue
)

// The statements. Every one has the line that it begins on.
type (
	textStmt struct{ text *str }

	printStmt struct {
		line int
		x    expr
	}

	ifStmt struct {
		line int
		cond expr
		body []stmt
		rest []stmt // else, or the elif as an ifStmt
	}

	forStmt struct {
		line      int
		target    target
		in, cond  expr // cond is nil if nothing is left out
		body      []stmt
		otherwise []stmt
		recursive bool
	}

	setStmt struct {
		line   int
		target target
		x      expr
	}

	setBlockStmt struct {
		line   int
		target target
		body   []stmt
		filter expr // of captured; nil: none
	}

	macroStmt struct {
		line int
		m    *macroDef
	}

	callStmt struct {
		line   int
		call   *callExpr
		caller *macroDef
	}

	filterStmt struct {
		line   int
		filter expr // of captured
		body   []stmt
	}

	withStmt struct {
		line    int
		targets []target
		values  []expr
		body    []stmt
	}

	blockStmt struct {
		line int
		body []stmt
	}

	autoescapeStmt struct {
		line int
		on   expr
		body []stmt
	}

	generationStmt struct {
		line int
		body []stmt
	}

	loadStmt struct { // include, import, from, extends
		line int
		tag  string
	}

	flowStmt struct{ flow flow }
)

// A macroDef is the definition of a macro, or the body of a call block.
type macroDef struct {
	name     string
	params   []string
	defaults []expr // of the last parameters
	body     []stmt

	caller, varargs, kwargs bool // the body uses the name
}

// A target is what is assigned to: a name, an attribute of a namespace, or several targets.
type target struct {
	name, attr string
	tuple      []target
	isTuple    bool
}

// The expressions.
type (
	constExpr struct{ v value }
	nameExpr  struct{ name string }
	// captured is the text of a block that filters are applied to.
	captured struct{}

	listExpr  struct{ items []expr }
	tupleExpr struct{ items []expr }
	dictExpr  struct{ keys, vals []expr }

	attrExpr struct {
		x    expr
		name string
		key  *str
	}
	itemExpr  struct{ x, key expr }
	sliceExpr struct{ x, from, to, step expr } // nil: left out

	callExpr struct {
		line int
		f    expr
		args argExprs
	}
	filterExpr struct {
		line   int
		x      expr
		filter *builtin
		args   argExprs
	}
	testExpr struct {
		line int
		x    expr
		test *builtin
		args argExprs
	}

	unaryExpr struct {
		op byte // + - !
		x  expr
	}
	binaryExpr struct {
		op   string
		a, b expr
	}
	andExpr     struct{ a, b expr }
	orExpr      struct{ a, b expr }
	concatExpr  struct{ parts []expr }
	compareExpr struct {
		x   expr
		ops []comparison
	}
	condExpr struct{ cond, then, otherwise expr }
)

type comparison struct {
	op string
	x  expr
}

// argExprs are the arguments of a call.
type argExprs struct {
	pos        []expr
	names      []string
	named      []expr
	list, dict expr // *list, **dict; nil: none
}
