package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The goldens of sampling pass, and a probability that is wrong in one place does not.
func TestVerifySampling(t *testing.T) {
	dir := t.TempDir()
	var cases string
	for _, name := range []string{"logprobs.json", "cases.jsonl"} {
		source := "../../testdata/" + strings.Replace(name, "cases.jsonl", "sampling.jsonl", 1) + ".gz"
		f, err := os.Open(source)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		cases = string(data)
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := must(t, "", "verify", dir)
	if strings.Count(out, "pass") != 6 || !strings.Contains(out, "0 / 495") {
		t.Errorf("found\n%s", out)
	}
	wrong := strings.Replace(cases, "0.1455812780550482", "0.1455812790550482", 1)
	if err := os.WriteFile(filepath.Join(dir, "cases.jsonl"), []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := cli(t, "", "verify", dir); code != exitError || !strings.Contains(out, "1 / 495  FAIL") {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
}
