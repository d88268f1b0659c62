package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/demo"
)

// filesOf is a directory in memory.
type filesOf map[string]string

func (f filesOf) read(name string) ([]byte, error) {
	if s, ok := f[name]; ok {
		if s == "fault" {
			return nil, errors.New("fault")
		}
		return []byte(s), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func TestOpen(t *testing.T) {
	fsys := testdata(t)
	file := func(name string) string { return string(readFile(t, fsys, "golden/"+name)) }
	model := controlPieces + pbPiece("\u2581", -9, 1) + pbPiece("a", -8, 1) + bpeTrainer() + pbText(3, pbInt(4, 0))
	for _, test := range []struct {
		name  string
		files filesOf
		text  string
		want  []int32
	}{
		{"tokenizer.json wins", filesOf{"tokenizer.json": file("bpe_gpt2/tokenizer.json"), "tokenizer.model": "x", "rwkv_vocab.txt": "x"}, "a", nil},
		{"tokenizer.model wins over RWKV", filesOf{"tokenizer.model": model, "rwkv_vocab.txt": "x"}, "a", []int32{1, 3, 4}},
		{"spiece.model", filesOf{"spiece.model": model}, "a", []int32{1, 3, 4}},
		{"RWKV", filesOf{"rwkv_vocab_v20230424.txt": bytesVocab("257 'ab' 2")}, "ab", []int32{257}},
		{"RWKV under the short name", filesOf{"rwkv_vocab.txt": bytesVocab()}, "ab", []int32{98, 99}},
		{"added tokens", filesOf{"tokenizer.model": model, "added_tokens.json": `{"<x>": 5}`}, "a<x>a", []int32{1, 3, 4, 5, 3, 4}},
		{"legacy is false", filesOf{"tokenizer.model": model, "added_tokens.json": `{"<x>": 5}`, "tokenizer_config.json": `{"legacy": false}`}, "a<x>a", []int32{1, 3, 4, 5, 4}},
		{"legacy is null", filesOf{"tokenizer.model": model, "tokenizer_config.json": `{"legacy": null, "chat_template": "{}"}`}, "a</s>a", []int32{1, 3, 4, 2, 3, 4}},
		{"no beginning, but an end", filesOf{"tokenizer.model": model, "tokenizer_config.json": `{"add_bos_token": false, "add_eos_token": true}`}, "a", []int32{3, 4, 2}},
		{"flags of added tokens", filesOf{"tokenizer.model": model, "added_tokens.json": `{"<x>": 5}`,
			"tokenizer_config.json": `{"added_tokens_decoder": {"5": {"content": "<x>", "lstrip": true, "special": false}, "0": {"content": "<unk>", "special": true}}}`}, "a  <x>a", []int32{1, 3, 4, 5, 3, 4}},
	} {
		tok, err := Open(test.files.read)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if ids := tok.Encode(nil, test.text, EncodeOptions{true, RecognizeAll}); test.want != nil && !slices.Equal(ids, test.want) {
			t.Errorf("%s: %v, want %v", test.name, ids, test.want)
		}
	}
	for _, test := range []struct {
		name  string
		files filesOf
		want  string
	}{
		{"nothing", filesOf{"vocab.txt": "x"}, "expected tokenizer.json, tokenizer.model"},
		{"tokenizer.json is malformed", filesOf{"tokenizer.json": "{", "tokenizer.model": model}, "tokenizer.json"},
		{"tokenizer.json cannot be read", filesOf{"tokenizer.json": "fault", "tokenizer.model": model}, "fault"},
		{"tokenizer.model is malformed", filesOf{"tokenizer.model": "x"}, "sentencepiece model"},
		{"RWKV is malformed", filesOf{"rwkv_vocab.txt": "x"}, "rwkv vocabulary"},
		{"added tokens are malformed", filesOf{"tokenizer.model": model, "added_tokens.json": `[]`}, "tokenizer: added_tokens.json: "},
		{"added tokens cannot be read", filesOf{"tokenizer.model": model, "added_tokens.json": "fault"}, "tokenizer: added_tokens.json: fault"},
		{"id is no number", filesOf{"tokenizer.model": model, "tokenizer_config.json": `{"added_tokens_decoder": {"x": {"content": "<x>"}}}`}, `found id "x"`},
		{"id is large", filesOf{"tokenizer.model": model, "tokenizer_config.json": `{"added_tokens_decoder": {"4294967296": {"content": "<x>"}}}`}, `found id "4294967296"`},
		{"content of another id", filesOf{"tokenizer.model": model, "added_tokens.json": `{"a": 9}`}, `added token "a": found id 9, expected 4`},
	} {
		_, err := Open(test.files.read)
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, fs.ErrNotExist) != (test.name == "nothing") {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// TestOpenInternLM2 opens a directory as the model is released.
func TestOpenInternLM2(t *testing.T) {
	fsys := testdata(t)
	tok, err := Open(func(name string) ([]byte, error) { return fs.ReadFile(fsys, "golden/sp_bpe_internlm2/"+name) })
	if err != nil {
		t.Fatal(err)
	}
	checkFolder(t, fsys, "sp_bpe_internlm2", tok, nil)
}

// TestOpenReader opens a directory whose added tokens replace reserved pieces, as in released models.
func TestOpenReader(t *testing.T) {
	tok, err := Open(func(name string) ([]byte, error) { return demo.FS.ReadFile(demo.Reader + "/" + name) })
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("../demo/reader/pictures/answers.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Prompts  map[string][]int32 `json:"prompt_ids"`
		Pictures []struct {
			Answer string
			IDs    []int32
		}
	}
	if err := json.Unmarshal(data, &want); err != nil || len(want.Prompts) != 5 || len(want.Pictures) != 12 {
		t.Fatal(err, len(want.Prompts), len(want.Pictures))
	}
	for question, ids := range want.Prompts {
		text := "<|im_start|>system\n<|im_end|><|im_start|>user\n<img>" + strings.Repeat("<IMG_CONTEXT>", 16) + "</img>\n" + question + "<|im_end|><|im_start|>assistant\n"
		if got := tok.Encode(nil, text, EncodeOptions{true, RecognizeAll}); !slices.Equal(got, ids) {
			t.Errorf("%s\n got %v\nwant %v", question, got, ids)
		}
	}
	for _, p := range want.Pictures {
		if got, err := tok.Decode(p.IDs, true); err != nil || got != p.Answer {
			t.Errorf("%v: %q, %v, want %q", p.IDs, got, err, p.Answer)
		}
	}
	// Nobody writes a control token by its reserved name.
	for _, opts := range []EncodeOptions{{}, {true, RecognizeAll}} {
		ids := tok.Encode(nil, "[UNUSED_TOKEN_146]", opts)
		if text, err := tok.Decode(ids, true); slices.Contains(ids, 511) || err != nil || text != "[UNUSED_TOKEN_146]" {
			t.Errorf("a reserved name: %v, %q, %v", ids, text, err)
		}
	}
	ids := tok.Encode(nil, "It is n't here . Or ' is it ' ?", EncodeOptions{})
	if got, err := tok.Decode(ids, true); err != nil || got != "It isn't here. Or'is it '?" {
		t.Errorf("%q, %v", got, err)
	}
	stream, text := tok.Stream(true), ""
	stream.Verbatim()
	for _, id := range ids {
		chunk, err := stream.Next(id)
		if text += string(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if text += string(stream.Flush()); text != "It is n't here . Or ' is it ' ?" {
		t.Errorf("verbatim: %q", text)
	}
}
