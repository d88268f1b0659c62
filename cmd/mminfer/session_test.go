package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
)

// saved runs generate with --save and returns the file and the text.
func saved(t *testing.T) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "story")
	return file, must(t, "", "generate", "Once upon a time", "-n", "10", "--seed", "3", "--save", file)
}

// A text that was saved and loaded halfway is the text made at once, generator included.
func TestSaveAndLoad(t *testing.T) {
	whole := must(t, "", "generate", "Once upon a time", "-n", "20", "--seed", "3")
	file, first := saved(t)
	second := must(t, "", "generate", "--load", file, "-n", "10", "--save", file)
	if got := strings.TrimSuffix(first, "\n") + second; got != whole {
		t.Errorf("in two parts %q, at once %q", got, whole)
	}
	again := must(t, " The end", "generate", "--load", file, "-n", "3", "--seed", "1")
	if !strings.HasPrefix(again, " The end") || strings.Contains(again, "Once") {
		t.Errorf("a text added to a session gave %q", again)
	}
	if chatted := must(t, "\n", "chat", "--load", file, "-n", "3", "--seed", "1"); chatted == "" {
		t.Error("chat does not go on from a session")
	}
	alone(t, file)
}

// alone fails the test if anything but the file is in its directory.
func alone(t *testing.T, file string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the session lie %v (%v)", entries, err)
	}
}

// A session file that was cut, changed or belongs to something else is refused and left alone.
func TestDamagedSession(t *testing.T) {
	file, _ := saved(t)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{"empty": {}, "longer": append(bytes.Clone(good), 0), "a text": []byte("Once upon a time")}
	for _, at := range []int{0, 7, 8, 39, 40, 47, 60, 100, 150, 200, 1000, len(good) / 2, len(good) - 1} {
		flipped := bytes.Clone(good)
		flipped[at] ^= 0x10
		damaged["flipped at "+grouped(int64(at))] = flipped
		damaged["cut at "+grouped(int64(at))] = good[:at]
	}
	e, err := mminfer.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for name, data := range damaged {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSession(e, file); err == nil || !strings.HasPrefix(err.Error(), file+": ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	code, out, errs := cli(t, "", "generate", "--load", file, "-n", "1", "--save", file)
	if code != exitError || out != "" || !strings.Contains(errs, file+": ") {
		t.Errorf("exit code %d, output %q, message %q", code, out, errs)
	}
	if now, err := os.ReadFile(file); err != nil || bytes.Equal(now, good) || len(now) > len(good)+1 {
		t.Errorf("the file was changed (%v)", err)
	}
	alone(t, file)
}

// A session does not fit the same model in a lossy format.
func TestForeignSession(t *testing.T) {
	file, _ := saved(t)
	code, _, errs := cli(t, "", "generate", "--load", file, "--quant", "q8")
	if code != exitError || !strings.Contains(errs, "belongs to another model") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	must(t, "", "generate", "--load", file, "--quant", "f32", "-n", "1") // loses nothing of bfloat16
}

// What fails to be written leaves the old file and nothing else.
func TestReplaceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	a := newApp(nil, io.Discard, io.Discard, nil)
	write := func(text string, err error) error {
		return a.replaceFile(file, func(w io.Writer) error {
			_, e := io.WriteString(w, text)
			return errors.Join(e, err)
		})
	}
	if err := write("old", nil); err != nil {
		t.Fatal(err)
	}
	if err := write("new", errors.New("out of ink")); err == nil || err.Error() != "out of ink" {
		t.Errorf("found %v", err)
	}
	if b, err := os.ReadFile(file); string(b) != "old" {
		t.Errorf("the file holds %q (%v)", b, err)
	}
	alone(t, file)
}
