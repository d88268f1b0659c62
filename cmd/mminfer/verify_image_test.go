package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A picture with other pixels, one that is cut short and a grid of another shape are found.
func TestVerifyPicturesFails(t *testing.T) {
	const source = "../../vision/testdata/golden/mmmamba_image"
	if _, err := os.Stat(source); err != nil {
		t.Skip("no goldens: a module download leaves them out")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	rewrite := func(name string, change func(b []byte) []byte) {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".new", change(b), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	rewrite("rgb_1x1.png", func(b []byte) []byte { return b[:60] })
	rewrite("want.safetensors", func(b []byte) []byte { b[len(b)-1] += 8; return b }) // the last tile of the last case
	rewrite("cases.json", func(b []byte) []byte {
		i := bytes.Index(b, []byte(`"grid_table"`))
		return append(b[:i], bytes.Replace(b[i:], []byte("525"), []byte("25"), 1)...)
	})
	code, out, errs := cli(t, "", "verify", dir)
	for _, want := range []string{"pictures    2 / 16   FAIL", "rgb_1x1.png.s56.m12.thumb: vision: png: the file is cut short", "grid_table  1 / 360  FAIL"} {
		if code != exitError || !strings.Contains(out, want) {
			t.Errorf("exit code %d, no %q:\n%s%s", code, want, out, errs)
		}
	}
}
