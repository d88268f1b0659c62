package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields of protobuf messages.
func pbInt(n protowire.Number, v uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v))
}

func pbText(n protowire.Number, parts ...string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, n, protowire.BytesType), strings.Join(parts, "")))
}

func pbFloat(n protowire.Number, v float32) string {
	return string(protowire.AppendFixed32(protowire.AppendTag(nil, n, protowire.Fixed32Type), math.Float32bits(v)))
}

// pbPiece is a piece of a model.
func pbPiece(text string, score float32, kind pieceKind) string {
	return pbText(1, pbText(1, text), pbFloat(2, score), pbInt(3, uint64(kind)))
}

// control are the pieces that every model has.
var controlPieces = pbPiece("<unk>", 0, 2) + pbPiece("<s>", 0, 3) + pbPiece("</s>", 0, 3)

// bytePieces are the pieces of all bytes.
func bytePieces() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteString(pbPiece(fmt.Sprintf("<0x%02X>", i), 0, pieceByte))
	}
	return b.String()
}

// plainNorm is a normalizer that puts no space in front and drops none.
var plainNorm = pbText(3, pbInt(3, 0), pbInt(4, 0))

// bpe is a trainer of BPE models, with further fields.
func bpeTrainer(fields ...string) string { return pbText(2, append(fields, pbInt(3, 2))...) }

var malformedModels = []struct{ name, data, want string }{
	{"empty", "", "found 0 pieces, expected one of them to be unknown"},
	{"text", "{\"version\":\"1.0\"}", "field"},
	{"a tag cut", controlPieces + "\x80", "unexpected EOF"},
	{"a tag of field 0", "\x02\x00", "invalid field number"},
	{"a message cut", controlPieces[:len(controlPieces)-1], "unexpected EOF"},
	{"a length of 2^63", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "unexpected EOF"},
	{"a length of more than 64 bits", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "variable length integer overflow"},
	{"an end without a group", "\x0c", "mismatching end group"},
	{"groups within groups", strings.Repeat("\x33", 20000), "field 6"},
	{"pieces are numbers", pbInt(1, 5), "field 1: found wire type 0, expected 2"},
	{"trainer is a number", controlPieces + pbInt(2, 5), "field 2: found wire type 0"},
	{"normalizer is a number", controlPieces + pbInt(3, 5), "field 3: found wire type 0"},
	{"piece cut", pbText(1, "\x0a\x05ab"), "piece 0: byte 1: field 1: unexpected EOF"},
	{"text of a piece is a number", pbText(1, pbInt(1, 65)), "piece 0: field 1: found wire type 0"},
	{"score is an integer", pbText(1, pbText(1, "a"), pbInt(2, 1)), "piece 0: field 2: found wire type 0, expected 5"},
	{"type is a string", pbText(1, pbText(1, "a"), pbText(3, "x")), "piece 0: field 3: found wire type 2"},
	{"piece without text", controlPieces + pbText(1, pbFloat(2, 1)), "piece 3: found 0 bytes"},
	{"piece of 513 bytes", controlPieces + pbPiece(strings.Repeat("a", 513), 0, 1), "piece 3: found 513 bytes, expected 1 to 512"},
	{"piece in broken UTF-8", controlPieces + pbPiece("\xff", 0, 1), "piece 3: found invalid UTF-8"},
	{"piece of type 0", controlPieces + pbPiece("a", 0, 0), "piece 3: found type 0, expected 1 to 6"},
	{"piece of type 7", controlPieces + pbPiece("a", 0, 7), "piece 3: found type 7"},
	{"piece of type -1", controlPieces + pbText(1, pbText(1, "a"), pbInt(3, math.MaxUint64)), "piece 3: found type -1"},
	{"score is no number", controlPieces + pbPiece("a", float32(math.NaN()), 1), "piece 3: found score NaN"},
	{"score is infinite", controlPieces + pbPiece("a", float32(math.Inf(-1)), 1), "piece 3: found score -Inf"},
	{"piece twice", controlPieces + pbPiece("a", 0, 1) + pbPiece("a", 1, 1), `piece 4: found "a", which is piece 3`},
	{"piece like a control piece", controlPieces + pbPiece("<s>", 0, 1), `piece 3: found "<s>", which is piece 1`},
	{"no unknown piece", pbPiece("a", 0, 1), "found 1 pieces, expected one of them to be unknown"},
	{"two unknown pieces", controlPieces + pbPiece("<unk2>", 0, 2), "piece 3: found a second unknown piece"},
	{"byte piece without fallback", controlPieces + pbPiece("<0x41>", 0, 6), `piece 3: found byte piece "<0x41>", expected none`},
	{"byte piece <0x-1>", controlPieces + bpeTrainer(pbInt(35, 1)) + pbPiece("<0x-1>", 0, 6), `piece 3: found byte piece "<0x-1>", expected <0x00> to <0xFF>`},
	{"byte piece in small letters", controlPieces + bpeTrainer(pbInt(35, 1)) + pbPiece("<0xff>", 0, 6), `piece 3: found byte piece "<0xff>"`},
	{"fallback without bytes", controlPieces + bpeTrainer(pbInt(35, 1)), "found no byte piece for 0x00"},
	{"a byte is missing", controlPieces + strings.Replace(bytePieces(), "<0x41>", "<0x42>x"[:6], 1) + bpeTrainer(pbInt(35, 1)), `found "<0x42>", which is piece`},
	{"model of words", controlPieces + pbText(2, pbInt(3, 3)), "found model type 3"},
	{"model of characters", controlPieces + pbText(2, pbInt(3, 4)), "found model type 4"},
	{"model type is negative", controlPieces + pbText(2, pbInt(3, math.MaxUint64)), "found model type -1"},
	{"spaces as suffixes", controlPieces + pbText(2, pbInt(24, 1)), "found spaces as suffixes"},
	{"spaces stay", controlPieces + pbText(3, pbInt(5, 0)), "found spaces that stay spaces"},
	{"table for decoding", controlPieces + pbText(5, pbText(2, "\x04\x00\x00\x00\x00\x00\x00\x00")), "found a table for decoding"},
	{"table of 3 bytes", controlPieces + pbText(3, pbText(2, "abc")), "charsmap"},
	{"table beyond its end", controlPieces + pbText(3, pbText(2, "\xff\xff\xff\xff\x00\x00\x00\x00")), "charsmap"},
	{"table without an end", controlPieces + pbText(3, pbText(2, "\x04\x00\x00\x00\x00\x00\x00\x00abc")), "charsmap"},
}

func TestMalformedSentencePiece(t *testing.T) {
	for _, test := range malformedModels {
		_, err := ParseSentencePiece([]byte(test.data), SentencePieceOptions{})
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: sentencepiece model: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
	model := []byte(controlPieces + pbPiece("a", 0, 1))
	for _, test := range []struct {
		tok  AddedToken
		want string
	}{
		{AddedToken{Content: "", ID: 9}, "found 0 bytes"},
		{AddedToken{Content: "x", ID: -1}, "found id -1"},
		{AddedToken{Content: "x", ID: 1 << 20}, "found id 1048576"},
		{AddedToken{Content: "x", ID: 3}, `found id 3, which is "a"`},
		{AddedToken{Content: "a", ID: 4}, "found id 4, expected 3"},
		{AddedToken{Content: strings.Repeat("x", maxAdded+1), ID: 4}, "at most"},
	} {
		_, err := ParseSentencePiece(model, SentencePieceOptions{Added: []AddedToken{test.tok}})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("added %d: error %v, want %q", test.tok.ID, err, test.want)
		}
	}
	_, err := ParseSentencePiece(model, SentencePieceOptions{Added: []AddedToken{{Content: "x", ID: 9}, {Content: "y", ID: 9}}})
	if err == nil || !strings.Contains(err.Error(), `found id 9, which is "x"`) {
		t.Errorf("an id twice: %v", err)
	}
}

// TestSentencePieceRules holds what the goldens do not reach.
func TestSentencePieceRules(t *testing.T) {
	yes, no := true, false
	chars := pbPiece("\u2581", -9, 1) + pbPiece("a", -8, 1) + pbPiece("b", -7, 1) // 3 4 5
	for _, test := range []struct {
		name, model string
		opts        SentencePieceOptions
		text        string
		want        []int32
	}{
		{"highest score first", controlPieces + chars + pbPiece("ab", -2, 1) + pbPiece("ba", -1, 1) + bpeTrainer() + plainNorm, SentencePieceOptions{}, "aba", []int32{1, 4, 7}},
		{"leftmost on ties", controlPieces + chars + pbPiece("aa", -1, 1) + bpeTrainer() + plainNorm, SentencePieceOptions{}, "aaa", []int32{1, 6, 4}},
		{"merge of characters that are no pieces", controlPieces + pbPiece("xy", -1, 1) + bpeTrainer() + plainNorm, SentencePieceOptions{}, "xyx", []int32{1, 3, 0}},
		{"unknown run", controlPieces + chars + bpeTrainer() + plainNorm, SentencePieceOptions{}, "axya", []int32{1, 4, 0, 4}},
		{"user-defined piece stays whole", controlPieces + chars + pbPiece("aa", -1, 1) + pbPiece("ab", 0, 4) + bpeTrainer() + plainNorm, SentencePieceOptions{}, "aab", []int32{1, 4, 7}},
		{"unused piece", controlPieces + chars + pbPiece("ab", -1, 5) + bpeTrainer() + plainNorm, SentencePieceOptions{}, "ab", []int32{1, 4, 5}},
		{"control piece in the text", controlPieces + chars + bpeTrainer() + plainNorm, SentencePieceOptions{AddBOS: &no}, "a<s>b", []int32{4, 1, 5}},
		{"first gap only", controlPieces + chars + bpeTrainer() + pbText(3, pbInt(4, 0)), SentencePieceOptions{PrefixFirst: true}, "a<s>b", []int32{1, 3, 4, 1, 5}},
		{"every gap", controlPieces + chars + bpeTrainer() + pbText(3, pbInt(4, 0)), SentencePieceOptions{}, "a<s>b", []int32{1, 3, 4, 1, 3, 5}},
		{"first gap with a space", controlPieces + chars + bpeTrainer() + pbText(3, pbInt(4, 0)), SentencePieceOptions{PrefixFirst: true, AddBOS: &no}, " a", []int32{3, 4}},
		{"spaces dropped", controlPieces + chars + bpeTrainer() + pbText(3), SentencePieceOptions{AddBOS: &no}, "  a   b  ", []int32{3, 4, 3, 5}},
		{"only spaces", controlPieces + chars + bpeTrainer() + pbText(3), SentencePieceOptions{AddEOS: &yes}, "   ", []int32{1, 2}},
		{"unigram", controlPieces + chars + pbPiece("ab", -14, 1) + plainNorm, SentencePieceOptions{}, "ab", []int32{6}},
		{"unigram, first on ties", controlPieces + chars + pbPiece("ab", -15, 1) + plainNorm, SentencePieceOptions{}, "ab", []int32{6}},
		{"unigram, unknown below all pieces", controlPieces + chars + pbPiece("ax", -20, 1) + plainNorm, SentencePieceOptions{}, "ax", []int32{6}},
		{"unigram, two unknown characters before their piece", controlPieces + pbPiece("xy", 30, 1) + plainNorm, SentencePieceOptions{}, "xy", []int32{0}},
		{"unigram, user-defined", controlPieces + chars + pbPiece("ab", -99, 4) + plainNorm, SentencePieceOptions{}, "ab", []int32{6}},
		{"unigram, unknown run", controlPieces + chars + plainNorm, SentencePieceOptions{}, "axxb", []int32{4, 0, 5}},
		{"unigram without a beginning ends", pbPiece("<unk>", 0, 2) + pbPiece("</s>", 0, 3) + chars + pbText(2, pbInt(41, math.MaxUint64)) + plainNorm, SentencePieceOptions{}, "a", []int32{3, 1}},
		{"fields of later versions", controlPieces + chars + bpeTrainer(pbText(99, "x")) + plainNorm + pbInt(77, 1) + "\x33\x34", SentencePieceOptions{}, "a", []int32{1, 4}},
	} {
		tok, err := ParseSentencePiece([]byte(test.model), test.opts)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if ids := tok.Encode(nil, test.text, EncodeOptions{true, RecognizeAll}); !slices.Equal(ids, test.want) {
			t.Errorf("%s: %v, want %v", test.name, ids, test.want)
		}
	}
}

// TestSentencePieceNonLegacy compares the rule of the first gap with the tokenizer.json of such a
// model that has the same pieces.
func TestSentencePieceNonLegacy(t *testing.T) {
	fsys := testdata(t)
	want := goldenTokenizer(t, fsys, "sp_bpe_nonlegacy")
	tok := openModel(t, fsys, "sp_bpe_legacy", SentencePieceOptions{PrefixFirst: true, Added: addedOf(t, fsys, "sp_bpe_nonlegacy", 880)})
	same := 0
	for _, c := range readLines[goldenCase](t, fsys, "golden/sp_bpe_nonlegacy/cases.jsonl") {
		a, b := tok.Encode(nil, c.Text, EncodeOptions{true, RecognizeAll}), want.Encode(nil, c.Text, EncodeOptions{true, RecognizeAll})
		first := func(t *Tokenizer, ids []int32) string {
			if len(ids) < 2 {
				return ""
			}
			s, _ := t.TokenBytes(ids[1])
			return s[:min(len(s), 1)]
		}
		if first(tok, a) != first(want, b) {
			t.Errorf("%q begins with %q, want %q", c.Text, first(tok, a), first(want, b))
		}
		x, _ := tok.Decode(a, true)
		if y, _ := want.Decode(b, true); x == y {
			same++
		} else if !strings.ContainsRune(c.Text, 0) {
			t.Errorf("%q decodes to %q, want %q", c.Text, x, y)
		}
	}
	t.Logf("%d texts", same)
}

// FuzzSentencePiece checks that no model makes the tokenizer panic, and that an accepted one is
// consistent with itself.
func FuzzSentencePiece(f *testing.F) {
	for _, test := range malformedModels {
		if len(test.data) < 1<<12 {
			f.Add([]byte(test.data), " a  b\u2581")
		}
	}
	all := pbPiece("\u2581", -9, 1) + pbPiece("a", -8, 1) + pbPiece("b", -7, 1) + pbPiece("ab", -2, 1) + pbPiece("\u2581a", -3, 1) + pbPiece("ba", 0, 4)
	f.Add([]byte(controlPieces+all+bpeTrainer()), "ab<s>aba \xff")
	f.Add([]byte(controlPieces+all+plainNorm), "ab<s>aba \xff")
	f.Add([]byte(controlPieces+bytePieces()+all+bpeTrainer(pbInt(35, 1))), "ab\u00e9aba \xff")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		for _, opts := range []SentencePieceOptions{{}, {PrefixFirst: true}} {
			tok, err := ParseSentencePiece(data, opts)
			if err != nil {
				return
			}
			for recognize := RecognizePlain; recognize <= RecognizeNone; recognize++ {
				checkConsistent(t, tok, text, EncodeOptions{true, recognize})
			}
		}
	})
}
