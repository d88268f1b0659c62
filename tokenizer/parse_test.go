package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// tinyJSON is a complete tokenizer.json: the 256 byte symbols, three merges and two added tokens.
func tinyJSON() map[string]any {
	vocab := make(map[string]any)
	for b, s := range byteSymbols.utf8 {
		vocab[s] = b
	}
	for i, s := range []string{"th", "the", "Ġthe"} {
		vocab[s] = 256 + i
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil,
		"added_tokens": []any{tinyAdded(259, "<s>", true), tinyAdded(260, "<x>", false)},
		"normalizer":   nil, "pre_tokenizer": byteLevel, "post_processor": nil, "decoder": byteLevel,
		"model": map[string]any{"type": "BPE", "vocab": vocab, "merges": []any{"t h", "th e", "Ġ the"}},
	}
}

func tinyAdded(id int, content string, special bool) map[string]any {
	return map[string]any{"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
		"normalized": false, "special": special}
}

// at returns the node of a JSON tree at a path such as "model.merges".
func at(j map[string]any, path string) map[string]any {
	for _, key := range strings.Split(path, ".") {
		j = j[key].(map[string]any)
	}
	return j
}

func encodeJSON(t testing.TB, j any) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(j); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(buf.Bytes())
}

func template(pieces ...any) map[string]any {
	return map[string]any{"type": "TemplateProcessing", "single": pieces, "pair": []any{},
		"special_tokens": map[string]any{"S": map[string]any{"id": "S", "ids": []any{259}, "tokens": []any{"<s>"}}}}
}

func step(kind, id string) any {
	return map[string]any{kind: map[string]any{"id": id, "type_id": 0}}
}

// Each row breaks a good file in one place; the error must name the place.
func TestMalformed(t *testing.T) {
	set := func(path, key string, v any) func(map[string]any) {
		return func(j map[string]any) {
			if path != "" {
				j = at(j, path)
			}
			j[key] = v
		}
	}
	merge := func(m any) func(map[string]any) {
		return func(j map[string]any) {
			model := at(j, "model")
			model["merges"] = append(model["merges"].([]any), m)
		}
	}
	add := func(tok map[string]any, more ...any) func(map[string]any) {
		return func(j map[string]any) {
			for i := 0; i+1 < len(more); i += 2 {
				tok[more[i].(string)] = more[i+1]
			}
			j["added_tokens"] = append(j["added_tokens"].([]any), tok)
		}
	}
	split := func(pattern, behavior any) any {
		return map[string]any{"type": "Split", "pattern": pattern, "behavior": behavior, "invert": false}
	}
	regex := func(re string) any { return map[string]any{"Regex": re} }
	sequence := func(kind, list string, parts ...any) any { return map[string]any{"type": kind, list: parts} }
	byteLevel := tinyJSON()["decoder"]
	for _, c := range []struct {
		name  string
		spoil func(map[string]any)
		want  string
	}{
		{"unknown part", set("", "extra", 1), "extra: unknown field"},
		{"version", set("", "version", "2.0"), "version:"},
		{"no model", func(j map[string]any) { delete(j, "model") }, `"model"`},
		{"model null", set("", "model", nil), "model: found null"},
		{"model type", set("model", "type", "WordLevel"), `model: type "WordLevel" is not supported`},
		{"model type number", set("model", "type", 1), "model.type: found a number"},
		{"model field", set("model", "foo", 1), "model.foo: unknown field"},
		{"dropout", set("model", "dropout", 0.1), "model.dropout"},
		{"suffix", set("model", "end_of_word_suffix", 1), "model.end_of_word_suffix"},
		{"prefix", set("model", "continuing_subword_prefix", "##"), "continuing_subword_prefix"},
		{"no vocab", func(j map[string]any) { delete(at(j, "model"), "vocab") }, `missing field "vocab"`},
		{"no merges", func(j map[string]any) { delete(at(j, "model"), "merges") }, `missing field "merges"`},
		{"vocab array", set("model", "vocab", []any{}), "model.vocab: found an array"},
		{"id negative", set("model.vocab", "zz", -1), `token "zz"`},
		{"id fraction", set("model.vocab", "zz", 1.5), `token "zz"`},
		{"id string", set("model.vocab", "zz", "1"), `token "zz"`},
		{"id too large", set("model.vocab", "zz", 1<<21), `token "zz"`},
		{"id far away", set("model.vocab", "zz", 1<<20), "largest id"},
		{"id twice", set("model.vocab", "zz", 3), "belongs to both"},
		{"merges object", set("model", "merges", map[string]any{}), "model.merges: found an object"},
		{"merge of unknown", merge("zz the"), `model.merges[3]: token "zz"`},
		{"merge to unknown", merge("the the"), `model.merges[3]: token "thethe"`},
		{"merge of one", merge("the"), `merge "the"`},
		{"merge of three", merge("t h e"), `merge "t h e"`},
		{"merge of nothing", merge(" the"), "empty part"},
		{"merge kinds mixed", merge([]any{"t", "h"}), "model.merges: found an array"},
		{"merge number", merge(1), "model.merges: found a number"},
		{"merge pair of one", set("model", "merges", []any{[]any{"t"}}), "1 parts"},
		{"unknown token missing", func(j map[string]any) {
			delete(at(j, "model.vocab"), "!")
			j["added_tokens"] = nil
			at(j, "model")["unk_token"] = "<unk>"
		}, "unk_token"},
		{"unk_token number", set("model", "unk_token", 1), "model.unk_token: found a number"},
		{"ignore_merges number", set("model", "ignore_merges", 1), "model.ignore_merges: found a number"},
		{"normalizer", set("", "normalizer", map[string]any{"type": "Foo"}), `normalizer: type "Foo"`},
		{"normalizer field", set("", "normalizer", map[string]any{"type": "NFC", "x": 1}), "normalizer.x"},
		{"normalizer in sequence", set("", "normalizer", sequence("Sequence", "normalizers", nil)), "normalizer.normalizers[0]"},
		{"normalizers without end", set("", "normalizer", sequence("Sequence", "normalizers", slices.Repeat([]any{map[string]any{"type": "NFC"}}, 33)...)), "more than 32"},
		{"pre-tokenizer", set("", "pre_tokenizer", map[string]any{"type": "UnicodeScripts"}), `type "UnicodeScripts"`},
		{"two byte levels", set("", "pre_tokenizer", sequence("Sequence", "pretokenizers", byteLevel, byteLevel)), "second ByteLevel"},
		{"pre-tokenizers without end", set("", "pre_tokenizer", sequence("Sequence", "pretokenizers", slices.Repeat([]any{map[string]any{"type": "Punctuation"}}, 33)...)), "more than 32"},
		{"regex", set("", "pre_tokenizer", split(regex(`(?<a>`), "Isolated")), `regular expression "(?<a>"`},
		{"pattern", set("", "pre_tokenizer", split(map[string]any{}, "Isolated")), "pre_tokenizer.pattern: expected Regex or String"},
		{"pattern empty", set("", "pre_tokenizer", split(map[string]any{"String": ""}, "Isolated")), "empty string"},
		{"behavior", set("", "pre_tokenizer", split(regex(`\p{N}`), "Sideways")), `unknown behavior "Sideways"`},
		{"digits flag", set("", "pre_tokenizer", map[string]any{"type": "Digits"}), "individual_digits"},
		{"prefix flag", func(j map[string]any) { delete(at(j, "pre_tokenizer"), "add_prefix_space") }, "add_prefix_space"},
		{"post-processor", set("", "post_processor", map[string]any{"type": "Foo"}), `type "Foo"`},
		{"template without text", set("", "post_processor", template(step("SpecialToken", "S"))), "0 times"},
		{"template with B", set("", "post_processor", template(step("Sequence", "B"))), `sequence "B"`},
		{"template token", set("", "post_processor", template(step("SpecialToken", "T"), step("Sequence", "A"))), `token "T"`},
		{"template piece", set("", "post_processor", template(map[string]any{})), "expected one of"},
		{"template id", set("", "post_processor", func() any {
			v := template(step("Sequence", "A"))
			at(v, "special_tokens.S")["ids"] = []any{5000}
			return v
		}()), "out of range"},
		{"template without end", set("", "post_processor", template(append(slices.Repeat([]any{step("SpecialToken", "S")}, 2000), step("Sequence", "A"))...)), "more than 1024"},
		{"two templates", set("", "post_processor", sequence("Sequence", "processors", template(step("SpecialToken", "S"), step("Sequence", "A")),
			template(step("Sequence", "A")))), "a second post-processor"},
		{"decoder", set("", "decoder", map[string]any{"type": "CTC"}), `decoder: type "CTC"`},
		{"added token number", set("", "added_tokens", []any{1}), "added_tokens[0]: found a number"},
		{"added token field", add(tinyAdded(261, "<y>", false), "color", 1), "added_tokens[2].color"},
		{"added token flag", add(tinyAdded(261, "<y>", false), "lstrip", nil), "added_tokens[2].lstrip: found null"},
		{"added id skips", add(tinyAdded(262, "<y>", false)), "but by its content or place it is 261"},
		{"added id taken", add(tinyAdded(5, "the", false)), "but by its content or place it is 257"},
		{"added twice", func(j map[string]any) {
			j["normalizer"] = map[string]any{"type": "Lowercase"}
			add(tinyAdded(261, "<Y>", false), "normalized", true)(j)
			add(tinyAdded(262, "<y>", false), "normalized", true)(j)
		}, "is normalized to"},
		{"added to nothing", func(j map[string]any) {
			j["normalizer"] = map[string]any{"type": "Strip", "strip_left": true, "strip_right": true}
			add(tinyAdded(261, " ", false), "normalized", true)(j)
		}, "normalized to nothing"},
		{"added too long", add(tinyAdded(261, strings.Repeat("y", maxAdded), false)), "more than 4194304 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := tinyJSON()
			c.spoil(j)
			refused(t, encodeJSON(t, j), c.want)
		})
	}
}

// pieceJSON is a complete tokenizer.json with a Unigram or a WordPiece model.
func pieceJSON(kind string) map[string]any {
	model := map[string]any{"type": "Unigram", "unk_id": 0, "vocab": []any{[]any{"<unk>", 0}, []any{"a", -1.5}}}
	if kind == "WordPiece" {
		model = map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
			"max_input_chars_per_word": 100, "vocab": map[string]any{"[UNK]": 0, "a": 1, "##b": 2}}
	}
	return map[string]any{"model": model}
}

// A part is one component of a tokenizer.json.
func part(kind string, fields ...any) map[string]any {
	p := map[string]any{"type": kind}
	for i := 0; i+1 < len(fields); i += 2 {
		p[fields[i].(string)] = fields[i+1]
	}
	return p
}

// Each row is a part, or a field of a model, that is malformed.
func TestMalformedParts(t *testing.T) {
	charsmap := func(blob string) any {
		return part("Precompiled", "precompiled_charsmap", base64.StdEncoding.EncodeToString([]byte(blob)))
	}
	replace := func(pattern any, content string) map[string]any {
		return part("Replace", "pattern", pattern, "content", content)
	}
	str := func(s string) any { return map[string]any{"String": s} }
	regex := func(s string) any { return map[string]any{"Regex": s} }
	sequence := func(list string, parts ...any) any { return part("Sequence", list, parts) }
	metaspace := func(fields ...any) any { return part("Metaspace", append(fields, "replacement", "\u2581")...) }
	split := func(re string) any {
		return part("Split", "pattern", regex(re), "behavior", "Isolated", "invert", false)
	}
	fuse := part("Fuse")
	for _, c := range []struct {
		where string // a path; of a model: its kind and the field
		value any
		want  string
	}{
		{"normalizer", part("Replace", "content", "a"), `normalizer: missing field "pattern"`},
		{"normalizer", replace(str(""), "a"), "empty string"},
		{"normalizer", replace(regex("("), "a"), `regular expression "("`},
		{"normalizer", replace(str("a"), strings.Repeat("a", 2000)), "at most 1024"},
		{"normalizer", sequence("normalizers", slices.Repeat([]any{replace(str("a"), "aaaaaaaaaa")}, 9)...), "bytes of one"},
		{"normalizer", part("Prepend"), `missing field "prepend"`},
		{"normalizer", part("Strip", "strip_left", 1, "strip_right", true), "strip_left: found a number"},
		{"normalizer", part("BertNormalizer", "clean_text", true), "handle_chinese_chars"},
		{"normalizer", part("Precompiled", "precompiled_charsmap", "??"), "base64"},
		{"normalizer", charsmap(""), "expected at least 4"},
		{"normalizer", charsmap("\x03\x00\x00\x00abc"), "a multiple of 4"},
		{"normalizer", charsmap("\xff\xff\xff\xff"), "a multiple of 4"},
		{"normalizer", charsmap("\x04\x00\x00\x00\x00\x00\x00\x00\xff\x00"), "UTF-8"},
		{"normalizer", charsmap("\x04\x00\x00\x00\x00\x00\x00\x00a"), "no end"},
		{"normalizer", charsmap("\x04\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("a", 2000) + "\x00"), "at most 1024"},
		{"pre_tokenizer", part("Metaspace", "replacement", "ab"), "expected one character"},
		{"pre_tokenizer", metaspace("prepend_scheme", "sometimes"), `unknown scheme "sometimes"`},
		{"pre_tokenizer", metaspace("prepend_scheme", "first", "add_prefix_space", false), "add_prefix_space is false"},
		{"pre_tokenizer", metaspace("split", 1), "split: found a number"},
		{"pre_tokenizer", part("CharDelimiterSplit", "delimiter", ""), "expected one character"},
		{"pre_tokenizer", split("[a&&b]"), "intersection"},
		{"pre_tokenizer", split("[[:alpha:]]"), "named class"},
		{"pre_tokenizer", split("(?m:a)"), "found a group"},
		{"pre_tokenizer", split("[a"), "no end"},
		{"pre_tokenizer", split("a\\"), "backslash"},
		{"pre_tokenizer", split(strings.Repeat("a", 5000)), "at most 4096"},
		{"pre_tokenizer", split(strings.Repeat("(", 2000)), "not supported"},
		{"post_processor", part("BertProcessing", "sep", []any{"x", 1}), `missing field "cls"`},
		{"post_processor", part("BertProcessing", "sep", []any{"x", 1}, "cls", []any{"x"}), "expected a token and its id"},
		{"post_processor", part("BertProcessing", "sep", []any{"x", 1}, "cls", []any{"x", 5000}), "out of range"},
		{"post_processor", part("RobertaProcessing", "sep", []any{"x", 1}, "cls", []any{"x", 1}), "trim_offsets"},
		{"decoder", part("WordPiece", "prefix", "##"), "cleanup"},
		{"decoder", part("BPEDecoder"), "suffix"},
		{"decoder", part("Strip", "content", "ab", "start", 1, "stop", 0), "expected one character"},
		{"decoder", part("Strip", "content", "a", "start", -1, "stop", 0), "decoder.start"},
		{"decoder", sequence("decoders", fuse, part("ByteFallback")), "after the tokens are joined"},
		{"decoder", sequence("decoders", fuse, replace(str("ab"), "")), "after the tokens are joined"},
		{"decoder", sequence("decoders", slices.Repeat([]any{fuse}, 33)...), "more than 32"},
		{"Unigram vocab", map[string]any{}, "model.vocab: found an object"},
		{"Unigram vocab", []any{}, "no pieces"},
		{"Unigram vocab", []any{"a"}, "model.vocab[0]: found a string"},
		{"Unigram vocab", []any{[]any{"a"}}, "expected a piece and its score"},
		{"Unigram vocab", []any{[]any{"a", "b"}}, "model.vocab[0]: found a string"},
		{"Unigram vocab", []any{[]any{1, 2}}, "model.vocab[0]: found a number"},
		{"Unigram vocab", json.RawMessage(`[["a", 1e999]]`), "double precision"},
		{"Unigram unk_id", nil, "model.unk_id: found null"},
		{"Unigram unk_id", 2, "from 0 to 1"},
		{"Unigram byte_fallback", 1, "byte_fallback: found a number"},
		{"WordPiece unk_token", "nowhere", `"nowhere" is not in the vocabulary`},
		{"WordPiece unk_token", 1, "unk_token: found a number"},
		{"WordPiece continuing_subword_prefix", nil, "continuing_subword_prefix: found null"},
		{"WordPiece max_input_chars_per_word", 1 << 20, "from 0 to 4096"},
	} {
		t.Run(c.where+" "+c.want, func(t *testing.T) {
			j := tinyJSON()
			if kind, field, ok := strings.Cut(c.where, " "); ok {
				j = pieceJSON(kind)
				at(j, "model")[field] = c.value
			} else {
				j[c.where] = c.value
			}
			refused(t, encodeJSON(t, j), c.want)
		})
	}
	for _, kind := range []string{"Unigram", "WordPiece"} {
		if _, err := Parse(encodeJSON(t, pieceJSON(kind))); err != nil {
			t.Error(err)
		}
	}
}

// refused checks that a file is refused in time, with an error that has the text want.
func refused(t *testing.T, data []byte, want string) {
	t.Helper()
	start := time.Now()
	_, err := Parse(data)
	if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "tokenizer: tokenizer.json: ") {
		t.Errorf("got error %v, want one with %q", err, want)
	}
	limit := 50 * time.Millisecond
	if raceEnabled {
		limit *= 10
	}
	d := time.Since(start)
	for range 4 { // the machine may be busy
		if d > limit && len(data) < 1<<20 {
			start = time.Now()
			_, _ = Parse(data)
			d = min(d, time.Since(start))
		}
	}
	if d > limit && len(data) < 1<<20 {
		t.Errorf("took %v, want %v at most", d, limit)
	}
}

func TestMalformedJSON(t *testing.T) {
	good := string(encodeJSON(t, tinyJSON()))
	if _, err := Parse([]byte(" " + good + "\n")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, data, want string }{
		{"empty", "", "expected a JSON value"},
		{"blank", " \n", "expected a JSON value"},
		{"null", "null", "found null"},
		{"array", "[]", "found an array"},
		{"cut", good[:len(good)/2], "byte "},
		{"trailing", good + "{}", "something follows"},
		{"trailing comma", strings.Replace(good, "}", ",}", 1), "expected a string as key"},
		{"deep", strings.Repeat("[", 17), "nested more than 16"},
		{"deep in a part", strings.Replace(good, `"normalizer":null`, `"normalizer":`+strings.Repeat("[", 99)+strings.Repeat("]", 99), 1), "nested more than 16"},
		{"duplicate part", strings.Replace(good, `"version"`, `"padding":null,"version"`, 1), "duplicate field"},
		{"invalid UTF-8", strings.Replace(good, "<x>", "<\xff>", 1), "invalid UTF-8"},
		{"encoded surrogate", strings.Replace(good, "<x>", "<\xed\xa0\x80>", 1), "invalid UTF-8"},
		{"half surrogate pair", strings.Replace(good, `<x>`, `<\ud800>`, 1), "surrogate"},
		{"low surrogate first", strings.Replace(good, `<x>`, `<\udc00\ud800>`, 1), "surrogate"},
		{"escape", strings.Replace(good, `<x>`, `<\x>`, 1), "escape"},
		{"control", strings.Replace(good, `<x>`, "<\n>", 1), "control character"},
		{"number", strings.Replace(good, `:259`, `:0259`, 1), "expected a comma"},
		{"byte order mark", "\ufeff" + good, "expected a JSON value"},
	} {
		t.Run(c.name, func(t *testing.T) { refused(t, []byte(c.data), c.want) })
	}
	for i := range len(good) {
		if _, err := Parse([]byte(good[:i])); err == nil {
			t.Fatalf("the first %d bytes are accepted", i)
		}
	}
}

// What the library accepts although it looks odd, and what it then does.
func TestParseQuirks(t *testing.T) {
	opts := EncodeOptions{AddSpecial: true, Recognize: RecognizeAll}
	for _, c := range []struct {
		name string
		edit func(map[string]any)
		text string
		want []int32
	}{
		{"as it is", func(map[string]any) {}, "the<s> the", []int32{257, 259, 258}},
		{"no model type", func(j map[string]any) { delete(at(j, "model"), "type") }, "the", []int32{257}},
		{"merges as pairs", func(j map[string]any) { at(j, "model")["merges"] = []any{[]any{"t", "h"}} }, "the", []int32{256, 'e'}},
		{"merges with a version", func(j map[string]any) {
			m := at(j, "model")
			m["merges"] = append([]any{"#version: 0.2"}, m["merges"].([]any)...)
		}, "the", []int32{257}},
		{"merge twice: the later rank", func(j map[string]any) {
			at(j, "model.vocab")["he"] = 259
			at(j, "model")["merges"] = []any{"t h", "h e", "t h"}
			j["added_tokens"] = nil
		}, "the", []int32{'t', 259}},
		{"hole in the vocabulary", func(j map[string]any) {
			at(j, "model.vocab")["Ġthe"] = 700
			j["added_tokens"] = nil
		}, " the", []int32{700}},
		{"added token in the vocabulary", func(j map[string]any) {
			j["added_tokens"] = []any{tinyAdded('e', "e", true)}
		}, "the", []int32{256, 'e'}},
		{"added token without content", func(j map[string]any) {
			j["added_tokens"] = []any{tinyAdded(9, "", true)}
		}, "the", []int32{257}},
		{"added token twice: the later flags", func(j map[string]any) {
			again := tinyAdded(259, "<s>", false)
			again["rstrip"] = true
			j["added_tokens"] = append(j["added_tokens"].([]any), again)
		}, "<s>  e", []int32{259, 'e'}},
		{"template", func(j map[string]any) {
			j["post_processor"] = template(step("SpecialToken", "S"), step("Sequence", "A"), step("SpecialToken", "S"))
		}, "", []int32{259, 259}},
		{"empty merges", func(j map[string]any) { at(j, "model")["merges"] = []any{} }, "th", []int32{'t', 'h'}},
		{"dropout of zero", func(j map[string]any) { at(j, "model")["dropout"] = 0.0 }, "the", []int32{257}},
		{"symbols without a token vanish", func(j map[string]any) { delete(at(j, "model.vocab"), "h"); noMerges(j) }, "the", []int32{'t', 'e'}},
		{"unknown tokens", func(j map[string]any) {
			delete(at(j, "model.vocab"), "h")
			at(j, "model.vocab")["<unk>"] = int('h')
			at(j, "model")["unk_token"] = "<unk>"
			noMerges(j)
		}, "thhe", []int32{'t', 'h', 'h', 'e'}},
		{"fused unknown tokens", func(j map[string]any) {
			delete(at(j, "model.vocab"), "h")
			at(j, "model.vocab")["<unk>"] = int('h')
			at(j, "model")["unk_token"] = "<unk>"
			at(j, "model")["fuse_unk"] = true
			noMerges(j)
		}, "thhe", []int32{'t', 'h', 'e'}},
		{"byte fallback", func(j map[string]any) {
			delete(at(j, "model.vocab"), "h")
			at(j, "model.vocab")["<0x68>"] = int('h')
			at(j, "model")["byte_fallback"] = true
			noMerges(j)
		}, "the", []int32{'t', 'h', 'e'}},
		{"truncation is the caller's", func(j map[string]any) {
			j["truncation"] = map[string]any{"max_length": 1}
		}, "tt", []int32{'t', 't'}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := tinyJSON()
			c.edit(j)
			tok, err := Parse(encodeJSON(t, j))
			if err != nil {
				t.Fatal(err)
			}
			// Ids of bytes are given as the bytes themselves: their symbols have these ids.
			if got := tok.Encode(nil, c.text, opts); !slices.Equal(got, c.want) {
				t.Errorf("Encode(%q) = %v, want %v", c.text, got, c.want)
			}
		})
	}
}

// noMerges removes the merges, and the added tokens, whose ids depend on the vocabulary's size.
func noMerges(j map[string]any) {
	at(j, "model")["merges"], j["added_tokens"] = []any{}, nil
}

func TestQueries(t *testing.T) {
	j := tinyJSON()
	at(j, "model.vocab")["Ġthe"] = 500
	j["added_tokens"] = []any{tinyAdded(256, "th", true)}
	tok, err := Parse(encodeJSON(t, j))
	if err != nil {
		t.Fatal(err)
	}
	if tok.VocabSize() != 501 {
		t.Errorf("VocabSize() = %d", tok.VocabSize())
	}
	for _, c := range []struct {
		id      int32
		content string
		bytes   string
		special bool
	}{{500, "Ġthe", " the", false}, {256, "th", "th", true}, {'\n', "Ċ", "\n", false}, {0xE9, "é", "\xE9", false}} {
		content, ok := tok.Token(c.id)
		raw, _ := tok.TokenBytes(c.id)
		id, found := tok.ID(c.content)
		if !ok || !found || content != c.content || raw != c.bytes || id != c.id || tok.IsSpecial(c.id) != c.special {
			t.Errorf("id %d: %q, bytes %q, ID %d, special %v", c.id, content, raw, id, tok.IsSpecial(c.id))
		}
	}
	for _, id := range []int32{-1, 300, 501, 1 << 30, -1 << 31} {
		if _, ok := tok.Token(id); ok {
			t.Errorf("Token(%d) is there", id)
		}
		if _, ok := tok.TokenBytes(id); ok || tok.IsSpecial(id) {
			t.Errorf("TokenBytes(%d) is there", id)
		}
		if _, err := tok.Decode([]int32{'t', id}, false); err == nil || !strings.Contains(err.Error(), fmt.Sprint("ids[1]: id ", id)) {
			t.Errorf("Decode(%d): error %v", id, err)
		}
		if _, err := tok.Stream(false).Next(id); err == nil {
			t.Errorf("Next(%d): no error", id)
		}
	}
	if _, ok := tok.ID("nowhere"); ok {
		t.Error(`ID("nowhere") is there`)
	}
	if got := tok.AddedTokens(); len(got) != 1 || got[0].Content != "th" || got[0].ID != 256 {
		t.Errorf("AddedTokens() = %v", got)
	}
}

func TestRecognize(t *testing.T) {
	tok, err := Parse(encodeJSON(t, tinyJSON()))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		recognize Recognize
		want      []int32
	}{
		{RecognizeAll, []int32{259, 260}},
		{RecognizePlain, []int32{'<', 's', '>', 260}},
		{RecognizeNone, []int32{'<', 's', '>', '<', 'x', '>'}},
	} {
		if got := tok.Encode(nil, "<s><x>", EncodeOptions{Recognize: c.recognize}); !slices.Equal(got, c.want) {
			t.Errorf("%d: got %v, want %v", c.recognize, got, c.want)
		}
	}
}
