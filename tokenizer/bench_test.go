package tokenizer

import (
	"go/build"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// englishProse returns half a megabyte of it: a book that comes with the Go distribution.
func englishProse(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(build.Default.GOROOT, "src", "testdata", "Isaac.Newton-Opticks.txt"))
	if err != nil {
		tb.Skip(err)
	}
	return string(data)
}

func BenchmarkEncode(b *testing.B) {
	fsys := testdata(b)
	prose := englishProse(b)
	var mixed strings.Builder
	for _, c := range readLines[goldenCase](b, fsys, "golden/smollm2/cases.jsonl") {
		mixed.WriteString(c.Text)
	}
	for _, text := range []struct{ name, text string }{
		{"prose", prose}, {"mixed", mixed.String()}, {"letter", strings.Repeat("a", 1<<20)},
	} {
		for _, name := range append([]string{"fable"}, goldens...) {
			b.Run("text="+text.name+"/vocab="+name, func(b *testing.B) {
				tok := goldenTokenizer(b, fsys, name)
				dst := make([]int32, 0, len(text.text))
				b.SetBytes(int64(len(text.text)))
				b.ReportAllocs()
				for b.Loop() {
					dst = tok.Encode(dst[:0], text.text, EncodeOptions{Recognize: RecognizeAll})
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	data := goldenJSON(b, testdata(b), "smollm2")
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	tok := goldenTokenizer(b, testdata(b), "smollm2")
	ids := tok.Encode(nil, englishProse(b), EncodeOptions{})
	s := tok.Stream(true)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := s.Next(ids[i%len(ids)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// An expression without a scanner: that of newer cl100k files, which asks for the same pieces.
func BenchmarkForeignRegex(b *testing.B) {
	re, err := newForeignRegex(`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`)
	if err != nil {
		b.Fatal(err)
	}
	prose := []byte(englishProse(b))[:1<<17]
	b.SetBytes(int64(len(prose)))
	var matches []extent
	for b.Loop() {
		if matches, err = re.all(matches[:0], prose, 0); err != nil {
			b.Fatal(err)
		}
	}
}
