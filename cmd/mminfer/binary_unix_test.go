//go:build unix

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/cobra"
)

var built struct {
	sync.Once
	dir string
	err error
}

// program builds the program once and returns the directory that holds it.
func program(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "mminfer-test"); built.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(built.dir, "mminfer"), ".").CombinedOutput()
		if err != nil {
			built.err = errors.New(string(out))
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.dir
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// shell runs a line in a new directory that has links to the repository's demo and models.
func shell(t *testing.T, bin, line string) (code int, out string) {
	t.Helper()
	c := exec.Command("sh", "-c", line)
	c.Dir = workplace(t)
	c.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	b, err := c.CombinedOutput()
	if err != nil && c.ProcessState == nil {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), string(b)
}

var place string

// workplace is one directory for all lines of a test: later examples use what earlier ones made.
func workplace(t *testing.T) string {
	t.Helper()
	if place == "" {
		place = filepath.Join(built.dir, "work")
		root, err := filepath.Abs("../..")
		err = errors.Join(err, os.Mkdir(place, 0o755), os.Symlink(filepath.Join(root, "demo"), filepath.Join(place, "demo")),
			os.Symlink(filepath.Join(root, "models"), filepath.Join(place, "models")))
		if err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]string{"sign.png": "demo/reader/pictures/word_river.png", "config.json": "demo/fable/config.json"} {
			data, err := os.ReadFile(filepath.Join(root, from))
			if err := errors.Join(err, os.WriteFile(filepath.Join(place, name), data, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range exampleFiles {
			if err := os.WriteFile(filepath.Join(place, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return place
}

// exampleFiles are files that examples read.
var exampleFiles = map[string]string{
	"chat.jinja":       chatML,
	"messages.json":    `[{"role": "user", "content": "Hi"}]`,
	"king.schema.json": `{"type": "object", "properties": {"name": {"type": "string", "maxLength": 8}}, "required": ["name"], "additionalProperties": false}`,
	"answer.gbnf":      `root ::= "the king" | "the queen"`,
}

// The examples of every command's help are read by a shell and do what they promise. Those of
// generate come first: others load the session that they save.
func TestExamples(t *testing.T) {
	dir := program(t)
	root := newApp(nil, nil, nil, nil).root()
	generate, _, _ := root.Find([]string{"generate"})
	for _, c := range append([]*cobra.Command{generate, root}, root.Commands()...) {
		if c.Example == "" {
			t.Errorf("%s has no example", c.Name())
		}
		for line := range strings.Lines(c.Example) {
			line = strings.TrimSpace(line)
			switch { // the slow ones do less
			case strings.Contains(line, "mminfer synth --arch"):
				continue // a gigabyte of files, which --config makes as well as these
			case slices.ContainsFunc([]string{"-m sd15", "models/", "face.png", "quantize model", "pack model"}, func(own string) bool { return strings.Contains(line, own) }):
				continue // on files of the reader's own; their commands have tests of their own
			case strings.Contains(line, "--sweep"):
				continue // a thousand steps, which TestImageMeasures cuts short
			case strings.Contains(line, "mminfer image") && !strings.Contains(line, "--redo"):
				line = strings.Replace(line, "-n 64", "-n 16", 1) + " --steps 2"
			case strings.Contains(line, "mminfer bench"):
				line += " --tests pp2,tg2@3 --reps 1 --no-limits"
			case strings.Contains(line, "mminfer perplexity"), strings.Contains(line, "mminfer kld"):
				line += " -n 100"
			case strings.Contains(line, "mminfer doctor"):
				line += " --quick"
			}
			if code, out := shell(t, dir, line); code != 0 || out == "" && !strings.HasPrefix(line, "mminfer chat") {
				t.Errorf("%s: exit code %d\n%s", line, code, out)
			}
		}
	}
}

// Interrupted as a terminal does it, the program ends with code 130; the text so far has come out
// and so has its line end.
func TestInterruptSignal(t *testing.T) {
	c := exec.Command(filepath.Join(program(t), "mminfer"), "generate", "Once upon a time", "-n", "0", "--seed", "1", "--logit-bias", "0=-inf")
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(stdout)
	head := make([]byte, 200)
	if _, err := io.ReadFull(r, head); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Wait()
	if code := c.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d (%v)", code, err)
	}
	text := string(head) + string(rest)
	all := must(t, "", "generate", "Once upon a time", "-n", "150", "--seed", "1", "--logit-bias", "0=-inf")
	if body, ok := strings.CutSuffix(text, "\n"); !ok || !strings.HasPrefix(all, body) && !strings.HasPrefix(body, strings.TrimSuffix(all, "\n")) {
		t.Errorf("found %q, expected the beginning of %q", text, all)
	}
}

// A reader that goes away ends the program without a word.
func TestClosedPipe(t *testing.T) {
	code, out := shell(t, program(t), "{ mminfer generate 'Once upon a time' -n 2000 --seed 1 --logit-bias 0=-inf; echo code $? >&2; } | head -c 10")
	if code != 0 || out != "Once upon code 141\n" {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

// The program with its model stays small enough to hand around.
func TestBinarySize(t *testing.T) {
	info, err := os.Stat(filepath.Join(program(t), "mminfer"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() >= 40e6 {
		t.Errorf("the program has %d bytes, expected less than 40 MB", info.Size())
	}
}
