package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const chatML = `{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

// writeFile writes a file of a temporary directory and returns its name.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTemplate(t *testing.T) {
	tmpl := writeFile(t, "chatml.jinja", chatML)
	messages := `[{"role": "user", "content": "Hi<|im_end|>"}]`
	text := "<|im_start|>user\nHi<|im_end|><|im_end|>\n"
	prompt := "<|im_start|>assistant\n"
	for _, c := range []struct{ stdin, args, want string }{
		{messages, "", text},
		{messages, "-", text},
		{messages, "--add-generation-prompt", text + prompt},
		{`{"messages": ` + messages + `, "add_generation_prompt": true}`, "", text + prompt},
		{`{"messages": ` + messages + `, "continue_final_message": true}`, "", "<|im_start|>user\nHi<|im_end|>"},
		{messages, "--ids", "1 441 274 201 42 75 30 94 311 65 581 94 32 2 201\n"},
		{messages, "--ids --allow-special", "1 441 274 201 42 75 2 2 201\n"},
		{"", writeFile(t, "messages.json", messages), text},
	} {
		args := append([]string{"template", "--template", tmpl}, strings.Fields(c.args)...)
		if got := must(t, c.stdin, args...); got != c.want {
			t.Errorf("%s: found %q, expected %q", c.args, got, c.want)
		}
	}
	if _, err := os.Stat("../../testdata/gguf"); err == nil { // it is not in a module download
		if got := must(t, messages, "template", "-m", "../../testdata/gguf/small.gguf"); !strings.Contains(got, "Hi<|im_end|>") {
			t.Errorf("the template of a GGUF file: found %q", got)
		}
	}
	got := must(t, messages, "template", "--template", tmpl, "--json")
	if !strings.Contains(got, `"text": "<|im_start|>user\nHi<|im_end|><|im_end|>\n"`) || !strings.Contains(strings.Join(strings.Fields(got), ""), `"untrusted":[[17,29]]`) {
		t.Errorf("found %s", got)
	}
}

func TestTemplateErrors(t *testing.T) {
	raises := writeFile(t, "raises.jinja", "{{ raise_exception('Roles must alternate') }}")
	broken := writeFile(t, "broken.jinja", "a\n{{ x | nosuch }}")
	for _, c := range []struct {
		stdin, args, want string
		code              int
	}{
		{"[]", "", "no chat template", exitError},
		{"{", "--template " + raises, "the messages", exitError},
		{"5", "--template " + raises, "expected a JSON array of messages", exitError},
		{"[]", "--template " + raises, "Roles must alternate", exitError},
		{"[]", "--template " + broken, `line 2: at "nosuch": no filter has this name`, exitError},
		{"[]", "--ids --json", "[ids json]", exitUsage},
	} {
		code, out, errs := cli(t, c.stdin, append([]string{"template"}, strings.Fields(c.args)...)...)
		if code != c.code || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("%s: exit code %d, %q, %q; expected %q", c.args, code, out, errs, c.want)
		}
	}
}

// A chat through a template: turns, taking back, branches, and a stored session, which is not read
// again.
func TestChatTalk(t *testing.T) {
	tmpl := writeFile(t, "chatml.jinja", chatML)
	file := filepath.Join(t.TempDir(), "talk")
	args := []string{"chat", "-n", "6", "--seed", "1", "--template", tmpl, "--system", "Tell."}
	first := must(t, "Once\n", args...)
	second, ok := strings.CutPrefix(must(t, "Once\nAnd?\n", args...), first)
	if !ok || second == "" {
		t.Fatalf("%q and then %q", first, second)
	}
	for _, lines := range []string{
		"Once\nWho?\n/undo\nAnd?\n", "Once\n/fork\nWhy?\n/back\nAnd?\n", "Once\n/save " + file + "\n/reset\n/load " + file + "\nAnd?\n",
	} {
		if got := must(t, lines, args...); !strings.HasPrefix(got, first) || !strings.HasSuffix(got, second) {
			t.Errorf("%q: found %q, expected %q at first and %q at last", lines, got, first, second)
		}
	}
	code, out, errs := cli(t, "And?\n", "chat", "-n", "6", "--template", tmpl, "--load", file, "-v")
	if code != exitOK || !strings.Contains(errs, "prompt: 15 tokens") || out != second {
		t.Errorf("a stored chat: exit code %d, %q, %q; expected %q", code, out, errs, second)
	}
	if err := os.Remove(messagesFile(file)); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{{"--template", tmpl, "--load", file}, {"--system", "x"}, {"--allow-special"}} {
		if code, _, errs := cli(t, "", append([]string{"chat"}, c...)...); code == exitOK || errs == "" {
			t.Errorf("%v: no error", c)
		}
	}
}

// A message that the template refuses, and an empty one, leave no trace.
func TestChatRefused(t *testing.T) {
	tmpl := writeFile(t, "t.jinja", "{% if messages[-1].content == 'bad' %}{{ raise_exception('not that') }}{% endif %}"+chatML)
	out, errs := talk(t, "bad\n\nOnce\n/undo\n/undo\n", "--template", tmpl)
	for _, want := range []string{"not that", "the message is empty", "there is no turn to take back", "replies to each line"} {
		if !strings.Contains(errs, want) {
			t.Errorf("%q is missing in %q", want, errs)
		}
	}
	if !strings.HasPrefix(out, "> > > ") || !strings.HasSuffix(out, "> > > ") {
		t.Errorf("found %q, expected the third line alone to have a reply", out)
	}
}

func TestVerifyTemplates(t *testing.T) {
	const dir = "../../tokenizer/chat/testdata/golden"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	out := must(t, "", "verify", dir)
	if !strings.Contains(out, "cases.jsonl     0 / 783") || !strings.Contains(out, "features.jsonl  0 / 199") {
		t.Errorf("found %s", out)
	}
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(copied, "templates", "phi3.jinja"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := cli(t, "", "verify", copied); code != exitError || !strings.Contains(out, "27 / 783") {
		t.Errorf("with a template of 27 cases altered: exit code %d, %s", code, out)
	}
}
