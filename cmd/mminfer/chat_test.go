package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
)

// talk types lines into a chat as a person does and returns both outputs.
func talk(t *testing.T, lines string, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(lines), &out, &errs, nil)
	a.interactive = true
	if code := a.run(t.Context(), append([]string{"chat", "-n", "6", "--greedy"}, args...)); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return out.String(), errs.String()
}

func TestChatTellsWhatItDoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "story")
	out, errs := talk(t, strings.Join([]string{
		"", "/undo", "/back", "/nonsense", "/save", "/undo now", "Once upon a time", "/fork", "there", "/back", "/save " + file, "/reset", "/load " + file, "/help", "/quit", "never read",
	}, "\n"))
	if want := "> > > > > > > , there was a little girl\n> fork 1> . She was very excited and\nfork 1> > > > > > "; out != want {
		t.Errorf("found %q, expected %q", out, want)
	}
	for _, want := range []string{
		"fable continues plain text", "the text is empty", "there is no turn to take back", "there is no branch to leave", "unknown command /nonsense",
		"/save needs the name of a file", "/undo takes nothing after it", "in a branch now", "back before the fork, at 10 tokens", "saved 10 tokens in " + file,
		"a new text begins", "a text of 10 tokens", "/fork        try something",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is missing in %q", want, errs)
		}
	}
}

// A turn taken back leaves no trace: the text goes on as if it had not been.
func TestChatUndo(t *testing.T) {
	plain := must(t, "Once upon a time\nand then\n", "chat", "-n", "8", "--seed", "2")
	undone := must(t, "Once upon a time\nThe dragon\n/undo\nand then\n", "chat", "-n", "8", "--seed", "2")
	first, rest, _ := strings.Cut(undone, "\n")
	_, last, _ := strings.Cut(rest, "\n")
	if first+"\n"+last != plain {
		t.Errorf("with a turn taken back %q, without %q", first+"\n"+last, plain)
	}
}

// A line is set off by a space where neither the text so far nor the line has one.
func TestChatSeparator(t *testing.T) {
	e, err := mminfer.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct{ text, line, want string }{
		{"", "Once", ""}, {"Once", "upon", " "}, {"Once", " upon", ""}, {"Once", ", upon", ""}, {"Once", "", ""}, {"Once\n", "upon", ""},
		{"Once ", "upon", ""}, {"Once<|endoftext|>", "upon", ""},
	} {
		h := &chat{engine: e, branch: branch{s: e.NewSession()}}
		if err := h.s.FeedText(t.Context(), c.text); err != nil {
			t.Fatal(err)
		}
		if got := h.separator(c.line); got != c.want {
			t.Errorf("between %q and %q: found %q, expected %q", c.text, c.line, got, c.want)
		}
	}
}

// /undo reaches back a bounded number of turns.
func TestChatMarks(t *testing.T) {
	e, err := mminfer.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	h := &chat{app: newApp(nil, nil, nil, nil), engine: e, branch: branch{s: e.NewSession()}, sampling: newSamplingFlags(&cobra.Command{})}
	for range maxMarks + 3 {
		h.mark()
	}
	for range maxMarks {
		if err := h.undo(); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.undo(); err == nil {
		t.Error("more turns are remembered than are allowed")
	}
}
