package models

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var updateReadme = flag.Bool("update-readme", false, "write the table of models into README.md")

// TestReadme: the README's table of models is that of the registry.
func TestReadme(t *testing.T) {
	const path, begin, end = "../README.md", "<!-- models -->\n", "<!-- end of models -->"
	var table strings.Builder
	fmt.Fprintf(&table, "\n| model_type | what |\n|---|---|\n")
	for _, kind := range Types() {
		fmt.Fprintf(&table, "| `%s` | %s |\n", kind, architectures[kind].about)
	}
	table.WriteByte('\n')
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	found, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s: expected a table between %q and %q", path, begin, end)
	}
	if found == table.String() {
		return
	}
	if !*updateReadme {
		t.Fatalf("%s: the table of models is not that of the registry; write it with go test ./models -run Readme -update-readme", path)
	}
	if err := os.WriteFile(path, []byte(before+begin+table.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
