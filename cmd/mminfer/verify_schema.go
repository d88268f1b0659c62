package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mminfer/mminfer/constrain"
)

// schemaCase is a JSON Schema with texts that must and must not be generated.
type schemaCase struct {
	Name           string          `json:"name"`
	Schema         json.RawMessage `json:"schema"`
	Accept         []string        `json:"accept"`
	Reject         []string        `json:"reject"`
	DeadPrefix     []string        `json:"dead_prefix"`
	InvalidExample *string         `json:"invalid_example"`
}

// schemas checks a directory of JSON Schemas: each text of cases.jsonl is a case, and so is each
// schema of enforce_or_refuse.jsonl, to be enforced or refused, and of broken.jsonl, to be refused.
func (v *verify) schemas(dir string) (results []counts, err error) {
	for _, f := range []struct {
		name  string
		check func(*counts, schemaCase)
	}{
		{"cases.jsonl", checkSchemaTexts},
		{"enforce_or_refuse.jsonl", checkSchemaEnforced},
		{"broken.jsonl", checkSchemaRefused},
	} {
		src, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			return nil, err
		}
		result := counts{file: f.name}
		for line := range bytes.Lines(src) {
			var c schemaCase
			if err := json.Unmarshal(line, &c); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			f.check(&result, c)
		}
		results = append(results, result)
	}
	return results, nil
}

// checkSchemaTexts counts the texts of a schema.
func checkSchemaTexts(r *counts, c schemaCase) {
	g, err := constrain.JSONSchema(c.Schema)
	match := func(text string, wrong func(n int, ok bool) bool, what string) {
		if err != nil {
			r.check(fmt.Errorf("%s: %w", c.Name, err))
		} else if n, ok := g.Match(text); wrong(n, ok) {
			r.check(fmt.Errorf("%s: %q is %s (%d bytes can begin a text)", c.Name, text, what, n))
		} else {
			r.check(nil)
		}
	}
	for _, text := range c.Accept {
		match(text, func(_ int, ok bool) bool { return !ok }, "refused")
	}
	for _, text := range c.Reject {
		match(text, func(_ int, ok bool) bool { return ok }, "accepted")
	}
	for _, text := range c.DeadPrefix {
		match(text, func(n int, _ bool) bool { return n == len(text) }, "not masked")
	}
}

// checkSchemaEnforced counts a schema that may be refused, but not ignored.
func checkSchemaEnforced(r *counts, c schemaCase) {
	if g, err := constrain.JSONSchema(c.Schema); err == nil && c.InvalidExample != nil {
		if _, ok := g.Match(*c.InvalidExample); ok {
			r.check(fmt.Errorf("%s: %s is accepted", c.Name, *c.InvalidExample))
			return
		}
	}
	r.check(nil)
}

// checkSchemaRefused counts a schema that must be refused.
func checkSchemaRefused(r *counts, c schemaCase) {
	if _, err := constrain.JSONSchema(c.Schema); err != nil {
		r.check(nil)
		return
	}
	r.check(fmt.Errorf("%s: compiled", c.Name))
}
