package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// write makes a file for one test.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConstrained(t *testing.T) {
	schema := write(t, "schema.json", `{"type": "object", "properties": {"name": {"type": "string"}, "old": {"type": "boolean"}}, "required": ["name", "old"], "additionalProperties": false}`)
	for _, seed := range []string{"1", "2", "3", "4"} {
		out := must(t, "", "generate", "King: ", "-n", "40", "--seed", seed, "--json-schema", schema)
		var king struct {
			Name *string
			Old  *bool
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(out, "King: ")), &king); err != nil || king.Name == nil || king.Old == nil {
			t.Errorf("seed %s: %v in %q", seed, err, out)
		}
	}
	grammar := write(t, "answer.gbnf", "root ::= \" \" [a-z]+ ending\nending ::= \".\" | \"!\" # no more\n")
	for _, flags := range [][]string{{"--grammar", grammar}, {"--regex", ` [a-z]+[.!]`}} {
		out := must(t, "", append(flags, "generate", "He", "-n", "12", "--seed", "3")...)
		if !regexp.MustCompile(`^He [a-z]+[.!]\n$`).MatchString(out) {
			t.Errorf("%q: %q", flags, out)
		}
	}
	if out := must(t, "Once\n", "chat", "--seed", "1", "-n", "12", "--regex", ` [a-z]+`); !regexp.MustCompile(`^ [a-z]+\n$`).MatchString(out) {
		t.Errorf("chat: %q", out)
	}
	if _, _, note := cli(t, "", "generate", "x", "-n", "3", "--regex", "abcdef"); !strings.Contains(note, "6 bytes") {
		t.Errorf("a text longer than -n: %q", note)
	}
}

func TestConstraintErrors(t *testing.T) {
	not := write(t, "not.json", `{"properties": {"a": {"not": {}}}}`)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--json-schema", not}, exitError, "#/properties/a: not: cannot be enforced"},
		{[]string{"--json-schema", "nowhere.json"}, exitError, "nowhere.json"},
		{[]string{"--regex", `(a)\1`}, exitError, "back-references"},
		{[]string{"--grammar", write(t, "left.gbnf", `root ::= root "a" | "b"`)}, exitError, "left recursion"},
		{[]string{"--regex", "a", "--grammar", "b"}, exitUsage, "grammar"},
	} {
		code, out, stderr := cli(t, "", append([]string{"generate", "x"}, c.args...)...)
		if code != c.code || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: exit code %d, output %q, error %q, want %q", c.args, code, out, stderr, c.want)
		}
	}
}

// The goldens of JSON Schema pass, and a text in the wrong list does not.
func TestVerifySchemas(t *testing.T) {
	const goldens = "../../constrain/testdata/json_schema"
	if _, err := os.Stat(goldens); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	if out := must(t, "", "verify", goldens); strings.Count(out, "pass") != 3 || !strings.Contains(out, "0 / 464") {
		t.Errorf("found\n%s", out)
	}
	dir := t.TempDir()
	for _, name := range []string{"cases.jsonl", "enforce_or_refuse.jsonl", "broken.jsonl"} {
		src, err := os.ReadFile(filepath.Join(goldens, name))
		if err != nil {
			t.Fatal(err)
		}
		wrong := strings.Replace(string(src), `"reject": ["True"`, `"reject": ["true"`, 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(wrong), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, out, _ := cli(t, "", "verify", dir); code != exitError || !strings.Contains(out, "1 / 464  FAIL") {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
}
