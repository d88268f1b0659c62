package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// What is expected is of what can be called, and eight sessions share a product: eight products of one token
// would take eight times the instructions of one.
func TestExpected(t *testing.T) {
	text, err := os.ReadFile("expected.txt")
	if err != nil {
		t.Fatal(err)
	}
	count, listed := map[string]int{}, []string{}
	for line := range strings.Lines(string(text)) {
		var name string
		var n int
		if _, err := fmt.Sscan(line, &name, &n); err != nil {
			t.Fatal(err)
		}
		count[name], listed = n, append(listed, name)
	}
	if want, _ := names(); !slices.Equal(listed, want) {
		t.Errorf("found %v, expected %v: renew it by .ci/instructions -update", listed, want)
	}
	for _, shape := range shapes {
		one, eight := count["decode/"+shape+"/sessions=1"], count["decode/"+shape+"/sessions=8"]
		if !(eight < 7*one) {
			t.Errorf("%s: %d instructions for a session, %d for eight", shape, one, eight)
		}
	}
}

// Everything can be called.
func TestCalls(t *testing.T) {
	dir := t.TempDir()
	if err := write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	names, ready := names()
	for _, name := range names {
		call, err := ready[name](dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		call()
		call()
	}
	if run([]string{"call", dir, "no such kernel", "1"}) == nil {
		t.Error("an unknown kernel is called")
	}
}
