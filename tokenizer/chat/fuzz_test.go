package chat

import (
	"errors"
	"testing"
)

// seeds adds the golden templates and the snippets.
func seeds(f *testing.F) {
	for _, file := range []string{"features.jsonl", "../snippets.jsonl"} {
		for _, g := range readLines(f, file) {
			f.Add(g.Template)
		}
	}
	for _, g := range readLines(f, "cases.jsonl") {
		if g.Conversation == "one_user" {
			f.Add(string(readGolden(f, "templates/"+g.Template+".jinja")))
		}
	}
}

// FuzzParse checks that a template is read or refused with a place.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, source string) {
		_, err := Parse("x", source)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Kind != Syntax || e.Line < 1) {
			t.Errorf("%v", err)
		}
	})
}

// FuzzRender checks that a template gives a text or an error of its own, that the same comes out
// twice, and that nothing foreign is trusted.
func FuzzRender(f *testing.F) {
	seeds(f)
	features := infest(f, readGolden(f, "features_vars.json"))
	in := readConversations(f)["tool_loop"]
	in.Variables = append(append(features[:len(features)-1:len(features)-1], ','), infest(f, in.Variables)[1:]...)
	in.Limits = Limits{Steps: 20_000, Bytes: 1 << 20, Output: 1 << 18}
	f.Fuzz(func(t *testing.T, source string) {
		tmpl, err := Parse("x", source)
		if err != nil {
			return
		}
		out, err := tmpl.Render(in)
		var e *Error
		if err != nil {
			if !errors.As(err, &e) || e.Kind == Syntax || e.Line < 1 {
				t.Errorf("%v", err)
			}
			return
		}
		checkOutput(t, out)
		if again, err := tmpl.Render(in); err != nil || again.Text != out.Text {
			t.Errorf("found %q, then %q, %v", out.Text, again.Text, err)
		}
	})
}
