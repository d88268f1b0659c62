package main

import (
	"io"
	"os"
)

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && terminal(f)
}

// style writes in colours, or not.
type style bool

// newStyle allows colours on a terminal, unless the environment says no.
func newStyle(w io.Writer, env map[string]string) style {
	f, ok := w.(*os.File)
	return style(ok && env["NO_COLOR"] == "" && env["TERM"] != "dumb" && colours(f))
}

func (s style) paint(code, text string) string {
	if !s || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string  { return s.paint("1", text) }
func (s style) green(text string) string { return s.paint("32", text) }
func (s style) red(text string) string   { return s.paint("1;31", text) }
