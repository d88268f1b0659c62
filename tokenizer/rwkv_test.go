package tokenizer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/cputime"
)

// checkFolder checks a tokenizer against all files of a golden folder, of cases those as they are
// after edit, which may be nil. It returns the number of cases.
func checkFolder(t *testing.T, fsys fs.FS, name string, tok *Tokenizer, edit func([]goldenCase)) int {
	t.Helper()
	cases := readLines[goldenCase](t, fsys, "golden/"+name+"/cases.jsonl")
	if edit != nil {
		edit(cases)
	}
	for i, c := range cases {
		checkCase(t, tok, i+1, c)
	}
	checkLong(t, fsys, name, tok, func(text string) bool {
		// of which the tokenizers library, and only it, leaves nothing
		return name == "sp_unigram_bytes" && strings.TrimSpace(text) == ""
	})
	if _, err := fs.Stat(fsys, "golden/"+name+"/stream.jsonl"); err == nil {
		checkStream(t, fsys, name, tok)
	}
	return len(cases)
}

// checkLong checks the ids of long texts but those to skip, which may be nil.
func checkLong(t *testing.T, fsys fs.FS, name string, tok *Tokenizer, skip func(text string) bool) {
	t.Helper()
	for i, c := range readLines[struct {
		Repeat     [][2]any
		N          int
		Head, Tail []int32
		SHA256     string
	}](t, fsys, "golden/"+name+"/long.jsonl") {
		var text strings.Builder
		for _, r := range c.Repeat {
			text.WriteString(strings.Repeat(r[0].(string), int(r[1].(float64))))
		}
		if skip != nil && skip(text.String()) {
			continue
		}
		opts := EncodeOptions{false, RecognizeAll}
		ids := tok.Encode(nil, text.String(), opts)
		if tracked, _ := tok.EncodeOffsets(text.String(), opts); !slices.Equal(ids, tracked) {
			t.Errorf("long, line %d: Encode and EncodeOffsets differ", i+1)
		}
		var list []byte
		for _, id := range ids {
			list = append(strconv.AppendInt(list, int64(id), 10), ',')
		}
		h := sha256.Sum256(list[:max(len(list)-1, 0)])
		if len(ids) != c.N || hex.EncodeToString(h[:]) != c.SHA256 {
			t.Errorf("long, line %d: %v: %d ids, want %d; head %v, want %v", i+1, c.Repeat, len(ids), c.N, ids[:min(24, len(ids))], c.Head)
		}
	}
}

// checkStream checks texts that are decoded one id at a time.
func checkStream(t *testing.T, fsys fs.FS, name string, tok *Tokenizer) {
	t.Helper()
	for i, c := range readLines[struct {
		IDs    []int32
		Chunks []string
		Tail   string
	}](t, fsys, "golden/"+name+"/stream.jsonl") {
		s := tok.Stream(true)
		for k, id := range c.IDs {
			if got, err := s.Next(id); err != nil || string(got) != c.Chunks[k] {
				t.Errorf("stream, line %d: id %d: got %q, %v, want %q", i+1, k, got, err, c.Chunks[k])
			}
		}
		if got := string(s.Flush()); got != c.Tail {
			t.Errorf("stream, line %d: flush: got %q, want %q", i+1, got, c.Tail)
		}
		checkDecode(t, tok, i+1, c.IDs, true, strings.Join(c.Chunks, "")+c.Tail)
	}
}

// checkSpeed encodes a megabyte of texts that are hard for some algorithms.
func checkSpeed(t *testing.T, tok *Tokenizer) {
	t.Helper()
	if raceEnabled || testing.Short() {
		t.Skip("measures")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, unit := range []string{"a", " ", "\u2581", "é", "\x00", "\xff", "ab", "a ", "中", "<s>", "\U0001F600"} {
		text := strings.Repeat(unit, 1<<20/len(unit))
		best := time.Hour
		for i := 0; i < 3 && best > time.Second; i++ {
			start := cputime.Thread()
			tok.Encode(nil, text, EncodeOptions{Recognize: RecognizeAll})
			best = min(best, cputime.Thread()-start)
		}
		if best > time.Second {
			t.Errorf("a megabyte of %q: %v", unit, best)
		}
	}
}

func TestGoldenRWKV(t *testing.T) {
	fsys := testdata(t)
	tok, err := ParseRWKV(readFile(t, fsys, "golden/rwkv_world/rwkv_vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if n := checkFolder(t, fsys, "rwkv_world", tok, nil); n != 461 {
		t.Errorf("%d cases, want 461", n)
	}
	checkSpeed(t, tok)
	if !tok.IsSpecial(0) || tok.IsSpecial(1) {
		t.Error("id 0 is not the only special one")
	}
	if s, err := tok.Decode([]int32{0, 66, 0}, false); err != nil || s != "A" {
		t.Errorf("decoded %q, %v", s, err)
	}
	if ids := tok.Encode(nil, endOfTextRWKV, EncodeOptions{Recognize: RecognizeAll}); slices.Contains(ids, 0) {
		t.Error("a text wrote the end of text")
	}
}

// bytesVocab is a vocabulary of all bytes, with further lines.
func bytesVocab(lines ...string) string {
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%d b'\\x%02x' 1\n", i+1, i)
	}
	return b.String() + strings.Join(lines, "\n")
}

var malformedRWKV = []struct{ name, vocab, want string }{
	{"empty", "", "no token for byte 0x00"},
	{"a byte is missing", strings.Replace(bytesVocab(), "66 b'\\x41' 1\n", "", 1), "no token for byte 0x41"},
	{"one field", bytesVocab("300"), "line 257: found \"300\", expected an id, a literal and a length"},
	{"two fields", bytesVocab("300 'ab'"), "line 257: found \"300 'ab'\""},
	{"id is no number", bytesVocab("x 'ab' 2"), `id: found "x"`},
	{"id is negative", bytesVocab("-1 'ab' 2"), `id: found "-1"`},
	{"id is 0", bytesVocab("0 'ab' 2"), `id: found "0", expected a number from 1`},
	{"id above 2^21", bytesVocab("2097152 'ab' 2"), `id: found "2097152"`},
	{"id above 2^64", bytesVocab("18446744073709551617 'ab' 2"), `id: found "18446744073709551617"`},
	{"id far off", bytesVocab("2000000 'ab' 2"), "id: found 2000000, expected ids about as many as lines"},
	{"id twice", bytesVocab("257 'ab' 2", "257 'cd' 2"), `line 258: id 257: found it for "ab" and "cd"`},
	{"token twice", bytesVocab("257 'ab' 2", "258 b'ab' 2"), `id 258: found "ab", which is token 257`},
	{"no quotes", bytesVocab("257 ab 2"), "found no pair of quotes"},
	{"one quote", bytesVocab("257 ' 1"), "found no pair of quotes"},
	{"quotes that differ", bytesVocab(`257 'ab" 2`), "found no pair of quotes"},
	{"another prefix", bytesVocab("257 r'ab' 2"), "found no pair of quotes"},
	{"empty token", bytesVocab("257 '' 0"), "found no bytes"},
	{"quote inside", bytesVocab("257 'a'b' 3"), "found a quote inside"},
	{"code after the literal", bytesVocab("257 'a'+open('x').read()+'' 2"), "found a quote inside"},
	{"backslash at the end", bytesVocab(`257 'ab\' 3`), "found a backslash at the end"},
	{"unknown escape", bytesVocab(`257 '\a' 1`), `found escape "\\a"`},
	{"short \\x", bytesVocab(`257 '\x4' 1`), `found escape "\\x"`},
	{"\\x of no digits", bytesVocab(`257 '\xzz' 1`), `found escape "\\xzz"`},
	{"\\x with a sign", bytesVocab(`257 '\x+1' 1`), `found escape "\\x+1"`},
	{"\\u in bytes", bytesVocab(`257 b'\u0041' 1`), `found escape "\\u"`},
	{"surrogate", bytesVocab(`257 '\ud800' 3`), `found escape "\\ud800"`},
	{"beyond Unicode", bytesVocab(`257 '\U00110000' 4`), `found escape "\\U00110000"`},
	{"beyond 32 bits", bytesVocab(`257 '\U80000041' 4`), `found escape "\\U80000041"`},
	{"invalid UTF-8", bytesVocab("257 '\xff\xfe' 2"), "found invalid UTF-8"},
	{"characters in bytes", bytesVocab("257 b'é' 2"), "expected ASCII in a bytes literal"},
	{"no length", bytesVocab("257 'ab' "), `length: found "", expected 2`},
	{"length is no number", bytesVocab("257 'ab' two"), `length: found "two", expected 2`},
	{"length differs", bytesVocab("257 'é' 1"), `length: found "1", expected 2`},
	{"token of 1,025 bytes", bytesVocab("257 '" + strings.Repeat("a", 1025) + "' 1025"), "found 1025 bytes, expected at most 1024"},
}

func TestMalformedRWKV(t *testing.T) {
	for _, test := range malformedRWKV {
		_, err := ParseRWKV([]byte(test.vocab))
		if err == nil || !strings.HasPrefix(err.Error(), "tokenizer: rwkv vocabulary: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

func TestRWKVLiterals(t *testing.T) {
	tok, err := ParseRWKV([]byte(bytesVocab(`300 "it's" 4`, `301 '\'"' 2`, `302 '\u00e9\U0001f600\xe9' 8`, "303 '中 a' 5\r", `304 b'\xe4\xbd' 2`, `305 '\\n\r\n\t' 5`, "")))
	if err != nil {
		t.Fatal(err)
	}
	text := "it's'\"é😀é中 a\xe4\xbd\\n\r\n\t\xe4"
	ids := tok.Encode(nil, text, EncodeOptions{})
	if !slices.Equal(ids, []int32{300, 301, 302, 303, 304, 305, 0xe4 + 1}) {
		t.Errorf("ids %v", ids)
	}
	if s, err := tok.Decode(ids, true); err != nil || s != "it's'\"é😀é中 a\uFFFD\\n\r\n\t\uFFFD" {
		t.Errorf("decoded %q, %v", s, err)
	}
	if id, ok := tok.ID("it's"); id != 300 || !ok {
		t.Errorf("ID() = %d, %v", id, ok)
	}
	if _, err := tok.Decode([]int32{299}, true); err == nil {
		t.Error("id 299 has no token")
	}
}

// FuzzRWKV checks that no vocabulary makes the tokenizer panic, and that an accepted one writes
// every text.
func FuzzRWKV(f *testing.F) {
	for _, test := range malformedRWKV {
		if tail, ok := strings.CutPrefix(test.vocab, bytesVocab()); ok {
			f.Add(tail, "it's \xff")
		}
	}
	f.Add("300 'ab' 2\n301 b'\\xe4\\xbd' 2", "ab\xe4\xbd\xa0b")
	f.Fuzz(func(t *testing.T, tail, text string) {
		tok, err := ParseRWKV([]byte(bytesVocab(tail)))
		if err != nil {
			return
		}
		var joined strings.Builder
		ids := tok.Encode(nil, text, EncodeOptions{})
		for _, id := range ids {
			s, ok := tok.TokenBytes(id)
			if !ok || id == 0 {
				t.Fatalf("id %d", id)
			}
			joined.WriteString(s)
		}
		if joined.String() != text {
			t.Fatalf("%q became %q", text, joined.String())
		}
		if again, _ := tok.EncodeOffsets(text, EncodeOptions{}); !slices.Equal(ids, again) {
			t.Fatalf("%v, %v", ids, again)
		}
	})
}
