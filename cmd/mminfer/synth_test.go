package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSynth writes a model that bench takes, once, and nothing where it fails.
func TestSynth(t *testing.T) {
	const config = "../../models/testdata/golden/mom_fla_hybrid/config.json"
	for _, element := range []string{"bf16", "f16", "f32"} {
		dir := filepath.Join(t.TempDir(), "model")
		if code, out, errs := cli(t, "", "synth", "--config", config, "--type", element, "-o", dir); code != exitOK || !strings.Contains(out, "random weights") {
			t.Fatalf("%s: exit code %d, %q, %q", element, code, out, errs)
		}
		if code, out, errs := cli(t, "", "bench", "-m", dir, "--tests", "pp4,tg2@3", "--no-limits", "--reps", "1"); code != exitOK || !strings.Contains(out, "tg2@3") {
			t.Errorf("%s: bench: exit code %d, %q, %q", element, code, out, errs)
		}
		if code, _, errs := cli(t, "", "synth", "--config", config, "-o", dir); code != exitError || !strings.Contains(errs, "model.safetensors exists") {
			t.Errorf("%s: again: exit code %d, %q", element, code, errs)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 2 {
			t.Errorf("%s: %v, %v", element, files, err)
		}
	}
	if code, _, errs := cli(t, "", "synth", "--arch", "gla", "--size", "1t", "-o", t.TempDir()); code != exitError || !strings.Contains(errs, `unknown preset "gla-1t"`) {
		t.Errorf("exit code %d, %q", code, errs)
	}
}
