package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The goldens of diffusion samplers and pipelines pass, a step that is wrong in one place does not, and what
// is unknown is named.
func TestVerifyDiffusion(t *testing.T) {
	const source = "../../diffusion/testdata/golden"
	out := must(t, "", "verify", source)
	if strings.Count(out, "pass") != 4 || !strings.Contains(out, "0 / 145") || strings.Contains(out, "not run") {
		t.Errorf("found\n%s", out)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "mystery"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "ddpm_pipeline"), os.DirFS("../../diffusion/pipeline/testdata/golden/ddpm_pipeline")); err != nil {
		t.Fatal(err)
	}
	steps, err := os.ReadFile(filepath.Join(dir, "trajectories.json"))
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(steps), "0.862456062275", "0.862456072275", 1)
	if err := os.WriteFile(filepath.Join(dir, "trajectories.json"), []byte(wrong), 0o644); err != nil {
		t.Fatal(err)
	}
	code, out, _ := cli(t, "", "verify", dir)
	if code != exitError || !strings.Contains(out, "1 / 145  FAIL") || !strings.Contains(out, "not run, unknown: mystery/") || !regexp.MustCompile(`ddpm_pipeline +2 +picture .* pass`).MatchString(out) {
		t.Errorf("exit code %d, output\n%s", code, out)
	}
}
