package tokenizer

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
)

// A partsCase is a golden tokenizer with some parts replaced, and what the library makes of texts.
type partsCase struct {
	Base         string
	Patch, Model map[string]any
	Cases        []struct {
		Text        string
		IDs, Full   []int32
		Offsets     []int
		Decoded     *string
		DecodedSkip *string `json:"decoded_skip"`
	}
}

// Random combinations of normalizers, pre-tokenizers, options of models, added tokens and decoders
// against the tokenizers library 0.23.3.
func TestGoldenParts(t *testing.T) {
	fsys := testdata(t)
	texts := 0
	for line, x := range readLines[partsCase](t, fsys, "golden/parts/cases.jsonl") {
		var j map[string]any
		if err := json.Unmarshal(goldenJSON(t, fsys, x.Base), &j); err != nil {
			t.Fatal(err)
		}
		maps.Copy(j, x.Patch)
		maps.Copy(at(j, "model"), x.Model)
		tok, err := Parse(encodeJSON(t, j))
		if err != nil {
			t.Errorf("line %d: %v", line+1, err)
			continue
		}
		for _, c := range x.Cases {
			texts++
			if c.Full == nil {
				c.Full = c.IDs
			}
			decoded := or(c.Decoded, c.Text)
			checkCase(t, tok, line+1, goldenCase{Tag: x.Base, Text: c.Text, IDs: c.Full, IDsNoSpecial: slices.Clip(c.IDs), Offsets: c.Offsets, Decoded: &decoded, partial: true})
			checkDecode(t, tok, line+1, c.IDs, true, or(c.DecodedSkip, decoded))
			checkConsistent(t, tok, c.Text, EncodeOptions{true, RecognizeAll})
		}
	}
	if texts < 1000 {
		t.Errorf("only %d texts", texts)
	}
}
