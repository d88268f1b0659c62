package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// A quantised or packed directory computes the bits of its source in the same format.
func TestQuantize(t *testing.T) {
	held := "../../demo/fable/held.txt"
	for _, c := range []struct{ name, format string }{{"q4", "q4"}, {"packed", "auto"}} {
		dir := filepath.Join(t.TempDir(), "new", c.name)
		args := []string{"quantize", "../../demo/fable", "-o", dir, "--to", c.format, "--json", "-t", "2"}
		if c.format == "auto" {
			args = []string{"pack", "../../demo/fable", "-o", dir, "--json"}
		}
		var q quantized
		if err := json.Unmarshal([]byte(must(t, "", args...)), &q); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, "model.safetensors"))
		if err != nil || info.Size() != q.Bytes || q.Format != c.format {
			t.Errorf("%+v, %v", q, err)
		}
		var d diverged
		out := must(t, "", "kld", "../../demo/fable@"+c.format, dir, "-f", held, "-n", "60", "--json")
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		if d.Max > 1e-12 || d.PPLA != d.PPLB {
			t.Errorf("%s: %+v", c.name, d)
		}
		if code, _, errs := cli(t, "", args...); code != exitError || !strings.Contains(errs, "there is something already") {
			t.Errorf("%s again: code %d, %s", c.name, code, errs)
		}
		if code, _, errs := cli(t, "", "quantize", dir, "-o", dir+"2"); code != exitError || !strings.Contains(errs, "packed already") {
			t.Errorf("%s quantised: code %d, %s", c.name, code, errs)
		}
		if left, _ := os.ReadDir(filepath.Dir(dir)); len(left) != 1 {
			t.Errorf("%v is left", left)
		}
	}
}

// Importance of columns changes what they are rounded to.
func TestQuantizeCalibrated(t *testing.T) {
	held, dir := "../../demo/fable/held.txt", t.TempDir()
	kld := func(name string, more ...string) float64 {
		out := filepath.Join(dir, name)
		must(t, "", append([]string{"quantize", "../../demo/fable", "-o", out, "--to", "q4"}, more...)...)
		var d diverged
		if err := json.Unmarshal([]byte(must(t, "", "kld", "../../demo/fable@f32", out, "-f", held, "-n", "300", "--json")), &d); err != nil {
			t.Fatal(err)
		}
		return d.Mean
	}
	plain, calibrated := kld("plain"), kld("calibrated", "--calib", held, "--calib-tokens", "1000")
	mixed := kld("mixed", "--except", "mlp=q4", "--except", "down_proj|o_proj=q8", "--except", "nothing=q6")
	t.Logf("mean divergence of q4: %.5f; with importance %.5f; with some of 8 bits %.5f", plain, calibrated, mixed)
	if calibrated == plain || !(calibrated < 1.1*plain) || !(mixed < 0.9*plain) {
		t.Errorf("mean divergence of q4: %g, with importance %g, with some of 8 bits %g", plain, calibrated, mixed)
	}
}

func TestQuantizeUsage(t *testing.T) {
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"quantize fable", exitUsage, `required flag(s) "output"`},
		{"quantize fable -o x --to q3", exitUsage, "expected auto, f32"},
		{"quantize fable -o x --except q8", exitUsage, "expected PATTERN=FORMAT"},
		{"quantize fable -o x --except (=q8", exitUsage, "missing closing )"},
		{"quantize fable -o x --except a=auto", exitUsage, "the format is none of f32"},
		{"quantize nowhere -o x", exitError, "nowhere"},
		{"pack fable -o .", exitError, "there is something already"},
	} {
		if code, _, errs := cli(t, "", strings.Fields(c.args)...); code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: code %d, %s", c.args, code, errs)
		}
	}
}

// An interrupted or failed writing leaves nothing behind.
func TestQuantizeInterrupted(t *testing.T) {
	ck, err := openCheckpoint("")
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	plan, err := models.Packing(ck, tensor.FormatQ4)
	if err != nil {
		t.Fatal(err)
	}
	w := &packedWriter{app: newApp(nil, io.Discard, io.Discard, nil), ck: ck, format: tensor.FormatQ4, plan: plan}
	if err := w.list(nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if err := w.write(ctx, "", filepath.Join(dir, "out")); err == nil {
		t.Error("an interrupted writing succeeded")
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// A cut file of weights is refused.
func TestQuantizedCut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "q8")
	must(t, "", "quantize", "fable", "-o", dir, "--to", "q8")
	name := filepath.Join(dir, "model.safetensors")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{0, 7, 100, info.Size() / 2, info.Size() - 1} {
		if err := os.Truncate(name, size); err != nil {
			t.Fatal(err)
		}
		if _, err := loader.Open(dir); err == nil {
			t.Errorf("%d of %d bytes were accepted", size, info.Size())
		}
	}
}
