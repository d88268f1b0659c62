package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
)

// goldens are the folders of testdata/golden: ids from the tokenizers library 0.23.3.
var goldens = []string{
	"bpe_gpt2", "bpe_qwen2", "bpe_qwen35", "bpe_llama3", "bpe_digits", "bpe_neox", "bpe_falcon", "bpe_o200k",
	"bpe_deepseek", "added_flags", "smollm2", "clip", "wordpiece", "sp_bpe_gemma", "sp_bpe_legacy", "sp_bpe_nonlegacy",
	"sp_unigram_bytes", "sp_unigram_t5",
}

// testdata opens the test data, which a module download leaves out.
func testdata(t testing.TB) fs.FS {
	t.Helper()
	root := os.DirFS("testdata")
	if _, err := fs.Stat(root, "golden"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("testdata/golden is not here: a module download leaves it out; clone the repository")
	}
	return root
}

func readFile(t testing.TB, fsys fs.FS, name string) []byte {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readLines decodes a file of one JSON object a line.
func readLines[T any](t testing.TB, fsys fs.FS, name string) []T {
	t.Helper()
	var list []T
	for dec := json.NewDecoder(bytes.NewReader(readFile(t, fsys, name))); dec.More(); {
		var x T
		if err := dec.Decode(&x); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	return list
}

// goldenJSON returns the tokenizer.json of a golden folder.
func goldenJSON(t testing.TB, fsys fs.FS, name string) []byte {
	t.Helper()
	if name == "fable" {
		return readFile(t, fsys, "fable/tokenizer.json")
	}
	if name == "smollm2" {
		return smollm2JSON(t, fsys)
	}
	return readFile(t, fsys, "golden/"+name+"/tokenizer.json")
}

// smollm2JSON puts the merges into tokenizer_base.json: token 252+i is the two halves of line i.
func smollm2JSON(t testing.TB, fsys fs.FS) []byte {
	var base map[string]any
	if err := json.Unmarshal(readFile(t, fsys, "golden/smollm2/tokenizer_base.json"), &base); err != nil {
		t.Fatal(err)
	}
	model := base["model"].(map[string]any)
	vocab := model["vocab"].(map[string]any)
	zr, err := gzip.NewReader(bytes.NewReader(readFile(t, fsys, "golden/smollm2/merges.txt.gz")))
	if err != nil {
		t.Fatal(err)
	}
	var merges []string
	for lines := bufio.NewScanner(zr); lines.Scan(); {
		vocab[strings.Replace(lines.Text(), " ", "", 1)] = 252 + len(merges)
		merges = append(merges, lines.Text())
	}
	if len(vocab) != 49152 {
		t.Fatalf("smollm2: %d tokens, want 49152", len(vocab))
	}
	model["merges"] = merges
	data, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func goldenTokenizer(t testing.TB, fsys fs.FS, name string) *Tokenizer {
	t.Helper()
	tok, err := Parse(goldenJSON(t, fsys, name))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

type goldenCase struct {
	Tag          string
	Text         string
	BytesB64     *string `json:"bytes_b64"`
	IDs          []int32
	IDsNoSpecial []int32 `json:"ids_no_special"`
	Decoded      *string
	DecodedSkip  *string `json:"decoded_skip"`
	Offsets      []int

	partial bool // what the ids without special tokens decode to is all that is known
}

// libraryT5 makes the cases of sp_unigram_t5, which are sentencepiece's, those of the tokenizers
// library: all decoded texts, and the ids of texts with a mark, before which sentencepiece puts
// another. In the table of replacements this package follows sentencepiece.
func libraryT5(t *testing.T, fsys fs.FS, cases []goldenCase) {
	for _, x := range readLines[struct {
		Line         int
		IDsNoSpecial []int32 `json:"ids_no_special"`
	}](t, fsys, "golden/sp_unigram_t5/tokenizers_lib_differs.jsonl") {
		if c := &cases[x.Line-1]; strings.HasPrefix(c.Text, wordMark) {
			c.IDsNoSpecial, c.IDs = x.IDsNoSpecial, append(slices.Clip(x.IDsNoSpecial), 1)
		}
	}
	for _, x := range readLines[struct {
		Line        int
		Decoded     *string
		DecodedSkip *string `json:"decoded_skip"`
	}](t, fsys, "golden/sp_unigram_t5/tokenizers_decoded.jsonl") {
		cases[x.Line-1].Decoded, cases[x.Line-1].DecodedSkip = x.Decoded, x.DecodedSkip
	}
}

// or returns *s, or def if s is nil.
func or(s *string, def string) string {
	if s == nil {
		return def
	}
	return *s
}

func TestGoldenCases(t *testing.T) {
	fsys := testdata(t)
	for _, name := range goldens {
		t.Run(name, func(t *testing.T) {
			tok := goldenTokenizer(t, fsys, name)
			cases := readLines[goldenCase](t, fsys, "golden/"+name+"/cases.jsonl")
			if len(cases) < 400 {
				t.Fatalf("only %d cases", len(cases))
			}
			if name == "sp_unigram_t5" {
				libraryT5(t, fsys, cases)
			}
			for i, c := range cases {
				checkCase(t, tok, i+1, c)
			}
		})
	}
}

func checkCase(t *testing.T, tok *Tokenizer, line int, c goldenCase) {
	t.Helper()
	text := c.Text
	if c.BytesB64 != nil {
		raw, err := base64.StdEncoding.DecodeString(*c.BytesB64)
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	if c.IDsNoSpecial == nil {
		c.IDsNoSpecial = c.IDs
	}
	for _, x := range []struct {
		want []int32
		opts EncodeOptions
	}{{c.IDs, EncodeOptions{true, RecognizeAll}}, {c.IDsNoSpecial, EncodeOptions{false, RecognizeAll}}} {
		if got := tok.Encode(nil, text, x.opts); !slices.Equal(got, x.want) {
			t.Errorf("line %d (%s): Encode(%q, %+v)\n got %v\nwant %v", line, c.Tag, text, x.opts, got, x.want)
		}
	}
	ids, spans := tok.EncodeOffsets(text, EncodeOptions{false, RecognizeAll})
	if !slices.Equal(ids, c.IDsNoSpecial) {
		t.Errorf("line %d (%s): EncodeOffsets(%q)\n got %v\nwant %v", line, c.Tag, text, ids, c.IDsNoSpecial)
	}
	if c.Offsets != nil {
		var got []int
		for _, s := range spans {
			got = append(got, s.Start, s.End)
		}
		if !slices.Equal(got, c.Offsets) {
			t.Errorf("line %d (%s): EncodeOffsets(%q)\n got %v\nwant %v", line, c.Tag, text, got, c.Offsets)
		}
	}
	if c.Tag == "invalid_utf8" || c.Tag == "unicode_version" {
		return
	}
	decoded := or(c.Decoded, text)
	checkDecode(t, tok, line, c.IDsNoSpecial, false, decoded)
	if !c.partial {
		checkDecode(t, tok, line, c.IDs, true, or(c.DecodedSkip, decoded))
	}
}

func checkDecode(t *testing.T, tok *Tokenizer, line int, ids []int32, skip bool, want string) {
	t.Helper()
	got, err := tok.Decode(ids, skip)
	if err != nil || got != want {
		t.Errorf("line %d: Decode(%v, %v)\n got %q, %v\nwant %q", line, ids, skip, got, err, want)
	}
}

func TestGoldenLong(t *testing.T) {
	fsys := testdata(t)
	for _, name := range goldens {
		t.Run(name, func(t *testing.T) { checkLong(t, fsys, name, goldenTokenizer(t, fsys, name), nil) })
	}
}

func TestGoldenStream(t *testing.T) {
	fsys := testdata(t)
	for _, name := range goldens {
		if name == "clip" || name == "wordpiece" || name == "sp_unigram_t5" {
			continue // FuzzEncode compares their streams with their decoded texts
		}
		t.Run(name, func(t *testing.T) { checkStream(t, fsys, name, goldenTokenizer(t, fsys, name)) })
	}
}

func TestFable(t *testing.T) {
	fsys := testdata(t)
	tok := goldenTokenizer(t, fsys, "fable")
	var cases struct {
		Cases []struct {
			Prompt string
			IDs    []int32
		}
	}
	if err := json.Unmarshal(readFile(t, fsys, "fable/cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range cases.Cases {
		checkCase(t, tok, i, goldenCase{Text: c.Prompt, IDs: c.IDs})
	}
	if tok.VocabSize() != 4096 {
		t.Errorf("VocabSize() = %d, want 4096", tok.VocabSize())
	}
}
