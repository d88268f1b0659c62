package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind is the kind of a token.
type tokenKind uint8

const (
	tokEOF tokenKind = iota
	tokData
	tokVariableBegin
	tokVariableEnd
	tokBlockBegin
	tokBlockEnd
	tokName
	tokString
	tokNumber
	tokOperator
)

// A token is a piece of a template.
type token struct {
	kind  tokenKind
	text  string // as written; of data, what is printed
	value value  // of strings and numbers
	line  int
}

// A lexer cuts a template into tokens as they are asked for.
type lexer struct {
	src       string
	pos, line int
	lineStart bool   // a line begins at pos, where text goes on after a tag
	inTag     byte   // the first byte of what ends the tag that pos is in, 0 outside of tags
	open      []byte // the brackets to come that close those open at pos
	tokens    []token
}

func newLexer(source string) *lexer {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.ToValidUTF8(source, "\uFFFD"))
	return &lexer{src: strings.TrimSuffix(source, "\n"), line: 1, lineStart: true}
}

// token returns token number i; after the last one come those of kind tokEOF.
func (l *lexer) token(i int) token {
	for i >= len(l.tokens) {
		switch {
		case l.pos == len(l.src):
			l.emit(token{kind: tokEOF})
		case l.inTag != 0:
			l.tag(l.inTag)
		default:
			l.root()
		}
	}
	return l.tokens[i]
}

func (l *lexer) emit(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// fail ends the lexing with a syntax error at the present line.
func (l *lexer) fail(token, message string) {
	panic(&Error{Kind: Syntax, Line: l.line, Token: token, Message: message})
}

// advance moves over the source up to the byte to.
func (l *lexer) advance(to int) {
	l.line += strings.Count(l.src[l.pos:to], "\n")
	l.pos = to
}

// root reads text up to a tag, and the tag.
func (l *lexer) root() {
	at := l.nextTag()
	text := l.src[l.pos:at]
	if at == len(l.src) {
		l.data(text)
		l.advance(at)
		return
	}
	kind := l.src[at+1]
	sign, after := l.sign(at + 2)
	l.data(l.trimmed(text, sign, kind == '{'))
	l.advance(at)
	if kind == '%' {
		if end, ok := l.rawBegin(after); ok {
			l.raw(end)
			return
		}
	}
	switch kind {
	case '#':
		l.comment(after)
	case '%':
		l.emit(token{kind: tokBlockBegin, text: "{%"})
		l.advance(after)
		l.inTag = '%'
	default:
		l.emit(token{kind: tokVariableBegin, text: "{{"})
		l.advance(after)
		l.inTag = '}'
	}
}

// nextTag returns where the next tag begins, the length of the source if there is none.
func (l *lexer) nextTag() int {
	for i := l.pos; ; i++ {
		n := strings.IndexByte(l.src[i:], '{')
		if n < 0 || i+n+1 >= len(l.src) {
			return len(l.src)
		}
		i += n
		if c := l.src[i+1]; c == '{' || c == '%' || c == '#' {
			return i
		}
	}
}

// sign reads a white space sign at i, 0 if there is none.
func (l *lexer) sign(i int) (sign byte, after int) {
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		return l.src[i], i + 1
	}
	return 0, i
}

func (l *lexer) data(text string) {
	if text != "" {
		l.emit(token{kind: tokData, text: text})
	}
}

// trimmed is the text before a tag: without white space at its end if the tag has a minus sign,
// else without white space that the tag's line begins with, unless it prints or has a plus sign.
func (l *lexer) trimmed(text string, sign byte, prints bool) string {
	if sign == '-' {
		return strings.TrimRightFunc(text, isSpace)
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if sign == 0 && !prints && (line > 0 || l.lineStart) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// tagEnd reads the end of a tag, such as -%}, at i: after a minus sign all white space that
// follows goes with it, and without a sign a line end if newline says so.
func (l *lexer) tagEnd(i int, c byte, plus, newline bool) (end int, ok bool) {
	sign, at := l.sign(i)
	if !strings.HasPrefix(l.src[at:], string(c)+"}") || sign == '+' && !plus {
		return 0, false
	}
	at += 2
	switch {
	case sign == '-':
		at = l.skipSpace(at)
	case sign == 0 && newline && at < len(l.src) && l.src[at] == '\n':
		at++
	}
	return at, true
}

func (l *lexer) skipSpace(i int) int {
	return len(l.src) - len(strings.TrimLeftFunc(l.src[i:], isSpace))
}

// leave ends a tag at the byte end.
func (l *lexer) leave(end int) {
	l.lineStart = l.src[end-1] == '\n'
	l.advance(end)
}

func (l *lexer) comment(from int) {
	n := strings.Index(l.src[from:], "#}")
	if n < 0 {
		l.fail("{#", "the comment has no end")
	}
	at := from + n
	if n > 0 && (l.src[at-1] == '-' || l.src[at-1] == '+') {
		at--
	}
	end, _ := l.tagEnd(at, '#', true, true)
	l.leave(end)
}

// rawBegin reads the rest of {% raw %}.
func (l *lexer) rawBegin(i int) (end int, ok bool) {
	rest, ok := strings.CutPrefix(l.src[l.skipSpace(i):], "raw")
	if !ok {
		return 0, false
	}
	return l.tagEnd(l.skipSpace(len(l.src)-len(rest)), '%', false, false)
}

// raw reads text up to {% endraw %}.
func (l *lexer) raw(from int) {
	l.leave(from)
	for i := from; ; i += 2 {
		n := strings.Index(l.src[i:], "{%")
		if n < 0 {
			l.fail("{% raw", "the raw block has no end")
		}
		i += n
		sign, after := l.sign(i + 2)
		rest, ok := strings.CutPrefix(l.src[l.skipSpace(after):], "endraw")
		if !ok {
			continue
		}
		end, ok := l.tagEnd(l.skipSpace(len(l.src)-len(rest)), '%', true, true)
		if !ok {
			continue
		}
		l.data(l.trimmed(l.src[from:i], sign, false))
		l.leave(end)
		return
	}
}

// tag reads a token inside a tag that ends with c and a brace, or white space.
func (l *lexer) tag(c byte) {
	if len(l.open) == 0 {
		if end, ok := l.tagEnd(l.pos, c, c == '%', c == '%'); ok {
			kind := tokVariableEnd
			if c == '%' {
				kind = tokBlockEnd
			}
			l.emit(token{kind: kind, text: string(c) + "}"})
			l.leave(end)
			l.inTag = 0
			return
		}
	}
	if end := l.skipSpace(l.pos); end > l.pos {
		l.advance(end)
		return
	}
	l.expressionToken()
}

func (l *lexer) expressionToken() {
	switch r, _ := utf8.DecodeRuneInString(l.src[l.pos:]); {
	case r >= '0' && r <= '9':
		l.number()
	case isWord(r) && !unicode.IsDigit(r):
		end := l.pos + len(l.src[l.pos:]) - len(strings.TrimLeftFunc(l.src[l.pos:], isWord))
		l.emit(token{kind: tokName, text: l.src[l.pos:end]})
		l.advance(end)
	case r == '\'' || r == '"':
		l.quoted(byte(r))
	default:
		l.operator()
	}
}

// operators are those of two bytes; every byte of singleOperators is one, too.
var operators = [...]string{"//", "**", "==", "!=", ">=", "<="}

const singleOperators = "+-/*%~[](){}><=.:|,;"

func (l *lexer) operator() {
	op := ""
	for _, o := range operators {
		if strings.HasPrefix(l.src[l.pos:], o) {
			op = o
		}
	}
	if op == "" {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		op = l.src[l.pos : l.pos+size]
		if !strings.ContainsRune(singleOperators, r) {
			l.fail(op, "unexpected character")
		}
	}
	switch op {
	case "(", "[", "{":
		l.open = append(l.open, closing(op[0]))
	case ")", "]", "}":
		last := len(l.open) - 1
		if last < 0 {
			l.fail(op, "nothing is open that this could close")
		}
		if l.open[last] != op[0] {
			l.fail(op, "expected '"+string(l.open[last])+"' first")
		}
		l.open = l.open[:last]
	}
	l.emit(token{kind: tokOperator, text: op})
	l.pos += len(op)
}

func closing(open byte) byte {
	switch open {
	case '(':
		return ')'
	case '[':
		return ']'
	}
	return '}'
}
