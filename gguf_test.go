package mminfer

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestGGUF opens a GGUF file with a vocabulary and a chat template, which testdata/gguf/gen.py wrote
// with the gguf package.
func TestGGUF(t *testing.T) {
	const dir = "testdata/gguf"
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the file is in the repository, not in a module download")
	}
	for _, path := range []string{dir, filepath.Join(dir, "small.gguf")} {
		e, err := Open(path, WithThreads(1))
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		if i := e.Info(); i.Type != "llama" || i.Layers != 2 || i.Width != 32 || i.Vocab != 261 {
			t.Errorf("%s: found %+v", path, i)
		}
		const text = "hello<|im_end|>"
		ids, err := e.Tokenize(text, true)
		if want := []int32{258, 'o', 260}; err != nil || !slices.Equal(ids, want) {
			t.Errorf("%s: found %v, %v, want %v", path, ids, err, want)
		}
		if back, err := e.Detokenize(ids); err != nil || back != "hello" {
			t.Errorf("%s: found %q, %v", path, back, err)
		}
		if eos := e.generation.EOS; !slices.Equal(eos, idList{260}) {
			t.Errorf("%s: a text ends at %v, want 260", path, eos)
		}
		ids, err = e.EncodeChat(Conversation{Messages: []Message{{Role: "user", Content: "hell"}}, AddGenerationPrompt: true})
		if err != nil || !slices.Contains(ids, 258) || ids[0] != 259 {
			t.Errorf("%s: a chat is %v, %v", path, ids, err)
		}
	}
}

// TestGGUFVocabularyRefused gives the vocabulary of a GGUF file a model that is not known.
func TestGGUFVocabularyRefused(t *testing.T) {
	data, err := os.ReadFile("testdata/gguf/small.gguf")
	if err != nil {
		t.Skip("the file is in the repository, not in a module download")
	}
	path := filepath.Join(t.TempDir(), "m.gguf")
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), "gpt2", "gpt9", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), `"gpt9"`) {
		t.Errorf("found error %v", err)
	}
}
