package tokenizer

import (
	"encoding/json"
	"io/fs"
	"testing"
)

// openModel reads the tokenizer.model of a golden folder.
func openModel(t testing.TB, fsys fs.FS, name string, opts SentencePieceOptions) *Tokenizer {
	t.Helper()
	tok, err := ParseSentencePiece(readFile(t, fsys, "golden/"+name+"/tokenizer.model"), opts)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// addedOf returns the added tokens of a tokenizer.json that are not among n pieces.
func addedOf(t testing.TB, fsys fs.FS, name string, n int32) (list []AddedToken) {
	t.Helper()
	for _, tok := range goldenTokenizer(t, fsys, name).AddedTokens() {
		if tok.ID >= n {
			list = append(list, tok)
		}
	}
	return list
}

// differs puts the ids of sentencepiece in the place of those of the tokenizers library.
func differs(t *testing.T, fsys fs.FS, name string) func([]goldenCase) {
	return func(cases []goldenCase) {
		for _, d := range readLines[struct {
			Line         int
			IDsNoSpecial []int32 `json:"ids_no_special"`
		}](t, fsys, "golden/"+name+"/sentencepiece_differs.jsonl") {
			c := &cases[d.Line-1]
			before := len(c.IDs) - len(c.IDsNoSpecial)
			if c.IDsNoSpecial == nil {
				before = 0
			}
			c.IDs = append(c.IDs[:before:before], d.IDsNoSpecial...)
			c.IDsNoSpecial, c.Offsets = d.IDsNoSpecial, nil
			if len(d.IDsNoSpecial) == 0 {
				c.IDsNoSpecial = []int32{}
			}
			c.Tag = "invalid_utf8" // the decoded text is that of other ids
		}
	}
}

// differsInSpaces is differs without offsets: what is dropped of several spaces counts otherwise.
func differsInSpaces(t *testing.T, fsys fs.FS, name string) func([]goldenCase) {
	return func(cases []goldenCase) {
		differs(t, fsys, name)(cases)
		for i := range cases {
			cases[i].Offsets = nil
		}
	}
}

func TestGoldenSentencePiece(t *testing.T) {
	fsys := testdata(t)
	var internlm2 map[string]int32
	if err := json.Unmarshal(readFile(t, fsys, "golden/sp_bpe_internlm2/added_tokens.json"), &internlm2); err != nil {
		t.Fatal(err)
	}
	var added []AddedToken
	for content, id := range internlm2 {
		added = append(added, AddedToken{Content: content, ID: id, Special: true})
	}
	for _, test := range []struct {
		name  string
		opts  SentencePieceOptions
		edit  func([]goldenCase)
		cases int
	}{
		{"sp_bpe_legacy", SentencePieceOptions{}, nil, 461},
		{"sp_bpe_internlm2", SentencePieceOptions{Added: added}, nil, 559},
		{"sp_bpe_gemma", SentencePieceOptions{}, differs(t, fsys, "sp_bpe_gemma"), 506},
		{"sp_unigram_t5", SentencePieceOptions{Added: addedOf(t, fsys, "sp_unigram_t5", 880)}, nil, 479},
		{"sp_unigram_bytes", SentencePieceOptions{Added: addedOf(t, fsys, "sp_unigram_bytes", 880)}, differsInSpaces(t, fsys, "sp_unigram_bytes"), 470},
	} {
		t.Run(test.name, func(t *testing.T) {
			tok := openModel(t, fsys, test.name, test.opts)
			if n := checkFolder(t, fsys, test.name, tok, test.edit); n != test.cases {
				t.Errorf("%d cases, want %d", n, test.cases)
			}
			checkSpeed(t, tok)
		})
	}
}
