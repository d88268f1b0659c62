package tokenizer

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strings"
	"testing"
)

// readGGUFVocab reads the metadata of a good GGUF file of version 3.
func readGGUFVocab(t testing.TB, fsys fs.FS, name string) GGUFVocab {
	t.Helper()
	b := readFile(t, fsys, name)
	le := binary.LittleEndian
	u32 := func() uint32 { v := le.Uint32(b); b = b[4:]; return v }
	u64 := func() uint64 { v := le.Uint64(b); b = b[8:]; return v }
	text := func() string { n := u64(); s := string(b[:n]); b = b[n:]; return s }
	u32()
	u32()
	u64()
	var v GGUFVocab
	var one func(kind uint32) any
	one = func(kind uint32) any {
		switch kind {
		case 4, 5:
			return int64(int32(u32()))
		case 6:
			return float64(math.Float32frombits(u32()))
		case 0, 1, 7:
			x := b[0]
			b = b[1:]
			if kind < 2 {
				return int64(x)
			}
			return x != 0
		case 8:
			return text()
		case 9:
			kind, n := u32(), u64()
			list := make([]any, n)
			for i := range list {
				list[i] = one(kind)
			}
			return list
		}
		t.Fatalf("%s: type %d", name, kind)
		return nil
	}
	for range u64() {
		key := text()
		value := one(u32())
		key, ok := strings.CutPrefix(key, "tokenizer.ggml.")
		if !ok {
			continue
		}
		list, _ := value.([]any)
		number, _ := value.(int64)
		flag, _ := value.(bool)
		switch key {
		case "model":
			v.Model = value.(string)
		case "pre":
			v.Pre = value.(string)
		case "tokens":
			v.Tokens = every[string](list)
		case "merges":
			v.Merges = every[string](list)
		case "scores":
			v.Scores = every[float64](list)
		case "token_type":
			v.Types = every[int64](list)
		case "bos_token_id":
			v.BOS = &number
		case "eos_token_id":
			v.EOS = &number
		case "unknown_token_id":
			v.Unknown = &number
		case "seperator_token_id":
			v.Separator = &number
		case "add_bos_token":
			v.AddBOS = &flag
		case "add_eos_token":
			v.AddEOS = &flag
		case "add_space_prefix":
			v.AddSpacePrefix = &flag
		case "remove_extra_whitespaces":
			v.RemoveExtraWhitespaces = &flag
		case "precompiled_charsmap":
			for _, x := range every[int64](list) {
				v.Charsmap = append(v.Charsmap, byte(x))
			}
		}
	}
	return v
}

func every[T any](list []any) (out []T) {
	for _, x := range list {
		out = append(out, x.(T))
	}
	return out
}

func TestGoldenGGUF(t *testing.T) {
	fsys := testdata(t)
	for _, name := range []string{"bpe_gpt2", "bpe_qwen2", "bpe_qwen35", "bpe_llama3", "bpe_digits", "bpe_neox", "bpe_falcon", "bpe_o200k",
		"bpe_deepseek", "sp_bpe_legacy", "sp_bpe_gemma", "sp_bpe_internlm2", "sp_unigram_t5", "wordpiece", "rwkv_world"} {
		t.Run(name, func(t *testing.T) {
			v := readGGUFVocab(t, fsys, "golden/"+name+"/vocab.gguf")
			v.NFC = name == "bpe_neox"
			tok, err := ParseGGUF(v)
			if err != nil {
				t.Fatal(err)
			}
			n := checkFolder(t, fsys, name, tok, func(cases []goldenCase) {
				for i := range cases {
					cases[i].Offsets = nil // whether they leave white space out is not in the file
				}
			})
			if tok.VocabSize() != len(v.Tokens) {
				t.Errorf("%d ids, want %d", tok.VocabSize(), len(v.Tokens))
			}
			t.Logf("%d cases", n)
		})
	}
}

// A recorder is a model that keeps the pieces it is given.
type recorder struct {
	model
	list []string
}

func (r *recorder) encode(w *word, dst []int32, piece []byte) []int32 {
	r.list = append(r.list, string(piece))
	return r.model.encode(w, dst, piece)
}

// TestGGUFPres checks every name of a pre-tokenizer: those of one line give the same ids, those of
// different lines different ones.
func TestGGUFPres(t *testing.T) {
	v := readGGUFVocab(t, testdata(t), "golden/bpe_gpt2/vocab.gguf")
	v.AddBOS = nil
	const text = "It's \u00b2\u00b2 1234 e\u0301tudes'LL, don'T\r\n\r\n  x=\u0e01\u0e31(\u0663\u0664) !!\n\n a__b HTTPServer\u4e2d\u6587 123456 $5+5 a\u0300b"
	seen := make(map[string]string)
	for _, line := range []string{
		",default", "gpt-2,phi-2,mpt,olmo,jais,trillion,exaone4,modern-bert", "llama-bpe,llama3,llama-v3,falcon3,falcon-h1,pixtral,lfm2",
		"dbrx,smaug-bpe,glm4,chatglm-bpe", "qwen2", "deepseek-r1-qwen,stablelm2,hunyuan,megrez,solar-open,grok-2", "qwen35",
		"smollm,starcoder,refact,command-r,codeshell,exaone,minerva-7b", "falcon", "deepseek-v3,hunyuan-dense", "gpt-4o,llama4,minimax-m2", "tekken",
	} {
		key := ""
		for _, v.Pre = range strings.Split(line, ",") {
			tok, err := ParseGGUF(v)
			if err != nil {
				t.Fatal(err)
			}
			ids := tok.Encode(nil, text, EncodeOptions{AddSpecial: true})
			pieces := &recorder{model: tok.model}
			tok.model = pieces
			tok.EncodeOffsets(text, EncodeOptions{})
			tok.model = pieces.model
			if k := fmt.Sprint(len(tok.before), pieces.list); key == "" {
				key = k
			} else if k != key {
				t.Errorf("%s: %v, want %v", v.Pre, k, key)
			}
			if s, err := tok.Decode(ids, true); err != nil || s != text && v.Pre != "qwen2" && v.Pre != "qwen35" {
				t.Errorf("%s: %q, %v", v.Pre, s, err)
			}
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s gives the ids of %s", line, other)
		}
		seen[key] = line
	}
}

// tinyGGUF is a vocabulary of the model llama.
func tinyGGUF() GGUFVocab {
	v := GGUFVocab{Model: "llama"}
	add := func(s string, score float64, kind int64) {
		v.Tokens, v.Scores, v.Types = append(v.Tokens, s), append(v.Scores, score), append(v.Types, kind)
	}
	add("<unk>", 0, 2)
	add("<s>", 0, 3)
	add("</s>", 0, 3)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 0, 6)
	}
	for i, s := range []string{"\u2581a", "\u2581", "a", "b", "<x>"} {
		add(s, float64(-i), 1)
	}
	v.Types[len(v.Types)-1] = 4
	one, two := int64(1), int64(2)
	v.BOS, v.EOS = &one, &two
	return v
}

func TestGGUFOptions(t *testing.T) {
	yes, no := true, false
	for _, test := range []struct {
		edit func(v *GGUFVocab)
		text string
		want []int32
	}{
		{func(v *GGUFVocab) {}, "a<x>b", []int32{1, 259, 263, 260, 262}},
		{func(v *GGUFVocab) { v.AddBOS, v.AddEOS = &no, &yes }, "a", []int32{259, 2}},
		{func(v *GGUFVocab) { v.AddSpacePrefix = &no }, "a<x>b</s>", []int32{1, 261, 263, 262, 2}},
		{func(v *GGUFVocab) { v.Types = nil }, "\u00e9", []int32{1, 260, 198, 172}},
		{func(v *GGUFVocab) { v.Tokens[263] = "a" }, "ba", []int32{1, 260, 262, 261}},
		{func(v *GGUFVocab) { v.Tokens[263] = "" }, "<x>", []int32{1, 260, 63, 123, 65}},
		{func(v *GGUFVocab) { v.Types[2] = 2 }, "<unk></s>", []int32{1, 0, 2}},
		{func(v *GGUFVocab) { v.Types[0] = 0; v.Unknown = new(int64) }, "<unk>", []int32{1, 0}},
	} {
		v := tinyGGUF()
		test.edit(&v)
		tok, err := ParseGGUF(v)
		if err != nil {
			t.Error(err)
			continue
		}
		if ids := tok.Encode(nil, test.text, EncodeOptions{true, RecognizeAll}); !slices.Equal(ids, test.want) {
			t.Errorf("%q: %v, want %v", test.text, ids, test.want)
		}
	}
}

func TestMalformedGGUF(t *testing.T) {
	bad, far := int64(-1), int64(264)
	for _, test := range []struct {
		name string
		edit func(v *GGUFVocab)
		want string
	}{
		{"no tokens", func(v *GGUFVocab) { v.Tokens = nil }, "tokens: found 0"},
		{"no model", func(v *GGUFVocab) { v.Model = "" }, `model: found ""`},
		{"another model", func(v *GGUFVocab) { v.Model = "gemma4" }, `model: found "gemma4", expected gpt2`},
		{"too few types", func(v *GGUFVocab) { v.Types = v.Types[1:] }, "token_type: found 263, expected 264"},
		{"too many scores", func(v *GGUFVocab) { v.Scores = append(v.Scores, 1) }, "scores: found 265, expected 264"},
		{"no scores", func(v *GGUFVocab) { v.Scores = nil }, "scores: found none"},
		{"score is no number", func(v *GGUFVocab) { v.Scores[259] = math.NaN() }, "piece 259: found score NaN"},
		{"type 7", func(v *GGUFVocab) { v.Types[259] = 7 }, "piece 259: found type 7"},
		{"type 2^40", func(v *GGUFVocab) { v.Types[259] = 1<<40 + 1 }, "piece 259: found type 7"},
		{"type -1", func(v *GGUFVocab) { v.Types[259] = -1 }, "piece 259: found type -1"},
		{"broken UTF-8", func(v *GGUFVocab) { v.Tokens[259] = "\xff" }, "tokens: found invalid UTF-8"},
		{"byte token <0x-1>", func(v *GGUFVocab) { v.Tokens[3] = "<0x-1>" }, `piece 3: found byte piece "<0x-1>"`},
		{"a byte is missing", func(v *GGUFVocab) { v.Types[68] = 1 }, "found no byte piece for 0x41"},
		{"bos of -1", func(v *GGUFVocab) { v.BOS = &bad }, "bos_token_id: found -1, expected 0 to 263"},
		{"eos beyond the tokens", func(v *GGUFVocab) { v.EOS = &far }, "eos_token_id: found 264"},
		{"unknown beyond the tokens", func(v *GGUFVocab) { v.Unknown = &far }, "unknown_token_id: found 264"},
		{"separator beyond the tokens", func(v *GGUFVocab) { v.Separator = &far }, "seperator_token_id: found 264"},
		{"charsmap", func(v *GGUFVocab) { v.Charsmap = []byte{1, 2, 3} }, "charsmap"},
		{"pre is unknown", func(v *GGUFVocab) { v.Model, v.Pre = "gpt2", "gpt-9" }, `pre: found "gpt-9"`},
		{"merge of one token", func(v *GGUFVocab) { v.Model, v.Merges = "gpt2", []string{"ab"} }, `merges: found "ab"`},
		{"merge of a token that is not there", func(v *GGUFVocab) { v.Model, v.Merges = "gpt2", []string{"a z"} }, `"z" is not in the vocabulary`},
		{"rwkv without bytes", func(v *GGUFVocab) { v.Model = "rwkv" }, "found no token for byte"},
		{"rwkv escape", func(v *GGUFVocab) { v.Model, v.Tokens[259] = "rwkv", `\q` }, "tokens: token 259: found escape"},
		{"bert without unknown", func(v *GGUFVocab) { v.Model = "bert" }, "[UNK]"},
	} {
		v := tinyGGUF()
		test.edit(&v)
		_, err := ParseGGUF(v)
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: gguf vocabulary: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}
