package chat

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// pictures are the lines that the reference's callers write for pictures, in a question.
var pictures = strings.NewReplacer("Image-1: <image>\n", "\x00", "Image-2: <image>\n", "\x00", "<image>\n", "\x00")

// message returns a user's message of a question of the reference, with pictures of so many tiles.
func message(question string, tiles []int) map[string]any {
	question = strings.TrimLeft(pictures.Replace(question), "\x00")
	if len(tiles) == 0 {
		return map[string]any{"role": "user", "content": question}
	}
	var parts []any
	for _, n := range tiles {
		parts = append(parts, map[string]any{"type": "image", "rows": 4 * n})
	}
	return map[string]any{"role": "user", "content": append(parts, map[string]any{"type": "text", "text": question})}
}

// render renders messages with a prompt for the next one.
func render(t *testing.T, messages []any, tokens map[string]string) (string, error) {
	t.Helper()
	source, ok := Builtin("internlm2-chat")
	if !ok {
		t.Fatal("there is no such template")
	}
	tmpl, err := Parse("internlm2-chat", source)
	if err != nil {
		t.Fatal(err)
	}
	vars, err := json.Marshal(map[string]any{"messages": messages, "add_generation_prompt": true})
	if err != nil {
		t.Fatal(err)
	}
	out, err := tmpl.Render(Input{Variables: vars, Tokens: tokens})
	if err != nil {
		return "", err
	}
	return out.Text, nil
}

// TestInternLM2 renders what mmMamba's own chat function was seen to.
func TestInternLM2(t *testing.T) {
	data, err := os.ReadFile("testdata/internlm2_chat.json")
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	var want struct {
		Items []struct {
			Question string
			History  [][2]string
			Tiles    int
			Patches  []int `json:"num_patches_list"`
			Prompt   string
		}
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Items) != 8 {
		t.Fatal(err, len(want.Items))
	}
	for _, x := range want.Items {
		if x.Patches == nil && x.Tiles > 0 {
			x.Patches = []int{x.Tiles}
		}
		var messages []any
		for _, h := range x.History {
			messages = append(messages, message(h[0], x.Patches), map[string]any{"role": "assistant", "content": h[1]})
			x.Patches = nil
		}
		got, err := render(t, append(messages, message(x.Question, x.Patches)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got != "<s>"+x.Prompt {
			t.Errorf("%q:\n got %q\nwant %q", x.Question, got, x.Prompt)
		}
	}
}

func TestInternLM2System(t *testing.T) {
	user := map[string]any{"role": "user", "content": "Hi"}
	system := map[string]any{"role": "system", "content": "Be brief."}
	for _, c := range []struct {
		messages []any
		tokens   map[string]string
		want     string
	}{
		{[]any{user}, map[string]string{"system_message": "", "bos_token": "<b>"}, "<b><|im_start|>system\n<|im_end|><|im_start|>user\nHi<|im_end|><|im_start|>assistant\n"},
		{[]any{user}, map[string]string{"system_message": "Say yes."}, "<s><|im_start|>system\nSay yes.<|im_end|><|im_start|>user\nHi<|im_end|><|im_start|>assistant\n"},
		{[]any{system, user}, map[string]string{"system_message": "Say yes."}, "<s><|im_start|>system\nBe brief.<|im_end|><|im_start|>user\nHi<|im_end|><|im_start|>assistant\n"},
	} {
		if got, err := render(t, c.messages, c.tokens); err != nil || got != c.want {
			t.Errorf("got %q, %v, want %q", got, err, c.want)
		}
	}
	for _, bad := range [][]any{
		{user, system},
		{map[string]any{"role": "user", "content": []any{map[string]any{"type": "video"}}}},
	} {
		var e *Error
		if _, err := render(t, bad, nil); !errors.As(err, &e) || e.Kind != Raise {
			t.Errorf("%v: error %v, want one that the template raises", bad, err)
		}
	}
	if _, ok := Builtin("chatml"); ok {
		t.Error("a template of another name")
	}
}
