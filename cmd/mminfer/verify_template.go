package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	jinja "github.com/mminfer/mminfer/tokenizer/chat"
)

// templateCase is a template, by name or in itself, with what it renders or fails with.
type templateCase struct {
	Template     string
	Conversation string
	Want         *string
	Error        string
	Message      string   // of the error kind raise
	Generation   [][2]int `json:"generation_spans"`
}

// conversations is the contents of conversations.json: each conversation is an object of variables.
type conversations struct {
	Defaults      map[string]string
	Now           string
	Conversations []json.RawMessage
}

// templates checks a directory of chat templates: those of templates/ over the conversations in
// cases.jsonl, and single features in features.jsonl.
func (v *verify) templates(dir string) ([]counts, error) {
	inputs, now, err := readConversations(filepath.Join(dir, "conversations.json"))
	if err != nil {
		return nil, err
	}
	features, err := os.ReadFile(filepath.Join(dir, "features_vars.json"))
	if err != nil {
		return nil, err
	}
	cases, err := templateCases(dir, "cases.jsonl", func(c templateCase) (string, jinja.Input, error) {
		source, err := os.ReadFile(filepath.Join(dir, "templates", filepath.Base(c.Template)+".jinja"))
		return string(source), inputs[c.Conversation], err
	})
	if err != nil {
		return nil, err
	}
	single, err := templateCases(dir, "features.jsonl", func(c templateCase) (string, jinja.Input, error) {
		return c.Template, jinja.Input{Variables: features, Now: now}, nil
	})
	return []counts{cases, single}, err
}

// readConversations returns the inputs by their names, and the clock.
func readConversations(file string) (map[string]jinja.Input, func() time.Time, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	var all conversations
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	at, err := time.Parse("2006-01-02T15:04:05", all.Now)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	now := func() time.Time { return at }
	inputs := make(map[string]jinja.Input)
	for _, vars := range all.Conversations {
		var c struct{ Name string }
		if err := json.Unmarshal(vars, &c); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file, err)
		}
		inputs[c.Name] = jinja.Input{Variables: vars, Tokens: all.Defaults, Now: now}
	}
	return inputs, now, nil
}

// templateCases counts the cases of a file.
func templateCases(dir, name string, open func(c templateCase) (source string, in jinja.Input, err error)) (result counts, err error) {
	result.file = name
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return result, err
	}
	for line := range bytes.Lines(data) {
		var c templateCase
		if err := json.Unmarshal(line, &c); err != nil {
			return result, fmt.Errorf("%s: %w", name, err)
		}
		source, in, err := open(c)
		if err != nil {
			return result, fmt.Errorf("%s: %w", name, err)
		}
		result.check(c.wrong(source, in))
	}
	return result, nil
}

// wrong says what differs from the case, nil if nothing does.
func (c *templateCase) wrong(source string, in jinja.Input) error {
	t, err := jinja.Parse("template", source)
	var out *jinja.Output
	if err == nil {
		out, err = t.Render(in)
	}
	what := fmt.Sprintf("%.60q %s", c.Template, c.Conversation)
	if err != nil {
		var e *jinja.Error
		if !errors.As(err, &e) || e.Kind.String() != c.Error || c.Error == "raise" && e.Message != c.Message {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	if c.Want == nil || out.Text != *c.Want {
		return fmt.Errorf("%s: found %q", what, out.Text)
	}
	if c.Generation != nil && !slices.EqualFunc(c.Generation, out.Generation, func(a [2]int, b jinja.Span) bool { return a == [2]int{b.Start, b.End} }) {
		return fmt.Errorf("%s: generation %v", what, out.Generation)
	}
	return nil
}
