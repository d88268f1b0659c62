package chat

import "fmt"

// Kind says what went wrong.
type Kind uint8

// The kinds of errors.
const (
	Syntax    Kind = iota + 1 // the template is malformed
	Raise                     // the template called raise_exception: the conversation does not suit it
	Undefined                 // something that is not there was used
	Security                  // an attribute or method that is out of bounds was used
	Runtime                   // an operation failed
	Limit                     // too much work: see Limits
)

// String names the kind.
func (k Kind) String() string {
	return [...]string{"", "syntax", "raise", "undefined", "security", "runtime", "limit"}[k]
}

// An Error is a template's error.
type Error struct {
	Kind    Kind
	File    string // the template's name
	Line    int
	Token   string // of a syntax error: what was found, "" at the end of the template
	Message string // of the kind Raise, the template's own text
}

// Error returns the place and the message.
func (e *Error) Error() string {
	at := fmt.Sprintf("chat: %s: line %d: ", e.File, e.Line)
	if e.Kind == Syntax && e.Token != "" {
		return at + fmt.Sprintf("at %q: ", e.Token) + e.Message
	}
	return at + e.Message
}

// fail ends parsing or rendering; the line is filled in where it is caught.
func fail(kind Kind, format string, args ...any) {
	panic(&Error{Kind: kind, Message: fmt.Sprintf(format, args...)})
}

// caught, deferred, turns a failure into an error at the line under way; other panics go on.
func caught(err *error, file string, line *int) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		p.File = file
		if p.Line == 0 {
			p.Line = *line
		}
		*err = p
	default:
		panic(p)
	}
}
