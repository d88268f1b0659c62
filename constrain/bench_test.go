package constrain_test

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mminfer/mminfer/constrain"
)

// largeSize is the vocabulary of the benchmarks.
const largeSize = 150_000

// largeTokens is a vocabulary of the size and make-up of today's large ones: the 49,000 tokens of
// SmolLM2 as they are, and, made from them and at random, what larger ones have more of: other
// cases, CJK and Cyrillic words, punctuation of code, runs of blanks, parts of characters.
var largeTokens = sync.OnceValue(func() []string {
	f, err := os.Open("../tokenizer/testdata/golden/smollm2/merges.txt.gz")
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	var tokens []string
	add := func(s string) {
		if s != "" && !seen[s] && len(tokens) < largeSize {
			seen[s] = true
			tokens = append(tokens, s)
		}
	}
	for b := range 256 {
		add(string([]byte{byte(b)}))
	}
	symbols := byteSymbols()
	for lines := bufio.NewScanner(z); lines.Scan(); {
		var token []byte
		for _, r := range strings.ReplaceAll(lines.Text(), " ", "") {
			token = append(token, symbols[r])
		}
		add(string(token))
	}
	real := slices.Clone(tokens)
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n < 90; n++ {
		for _, s := range []string{" ", "\n", "\t", "-", "=", "*", "\n "} {
			add(strings.Repeat(s, n))
		}
	}
	marks := []string{`"`, `":`, `",`, `{`, `}`, `[`, `]`, `(`, `)`, `;`, `,`, "\n", " ", `\`, `'`, `/`, `.`, `<`, `>`, `=`, `\n`, `\"`}
	for len(tokens) < 62_000 {
		s := ""
		for range 2 + rng.IntN(4) {
			s += marks[rng.IntN(len(marks))]
		}
		add(s)
	}
	word := func(lo, hi rune, n int) (s string) {
		for range n {
			s += string(lo + rng.Int32N(hi-lo))
		}
		return s
	}
	for len(tokens) < 100_000 {
		add(word(0x4e00, 0x9fa0, 1+rng.IntN(3)))
		add([]string{"", " "}[rng.IntN(2)] + word(0x430, 0x450, 2+rng.IntN(6)))
		s := word(0x600, 0x1f700, 1)
		add(s[:len(s)-1])
	}
	for _, change := range []func(string) string{strings.ToUpper, strings.ToLower, strings.TrimSpace,
		func(s string) string { return strings.ToUpper(s[:1]) + s[1:] }, func(s string) string { return " " + s }, func(s string) string { return s + `"` }, func(s string) string { return s + "(" }} {
		for _, s := range real[256:] {
			add(change(s))
		}
	}
	return tokens
})

// byteSymbols maps the characters by which byte-level vocabularies write bytes to them.
func byteSymbols() map[rune]byte {
	m := map[rune]byte{}
	n := rune(0)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			m[rune(b)] = byte(b)
		} else {
			m[256+n] = byte(b)
			n++
		}
	}
	return m
}

func largeVocabulary(t testing.TB) *constrain.Vocabulary {
	tokens := largeTokens()
	if len(tokens) != largeSize {
		t.Skip("the vocabulary is in the repository, not in a module download")
	}
	return constrain.NewVocabulary(tokens)
}

const toolCall = `{"type": "object", "properties": {"name": {"enum": ["get_weather", "search"]}, "arguments": {"type": "object", "properties": {
	"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}, "days": {"type": "integer", "minimum": 1, "maximum": 14}},
	"required": ["city"], "additionalProperties": false}}, "required": ["name", "arguments"], "additionalProperties": false}`

// workloads are what the masks are measured on.
var workloads = []struct {
	name    string
	compile func() (*constrain.Grammar, error)
}{
	{"tool", func() (*constrain.Grammar, error) { return constrain.JSONSchema([]byte(toolCall)) }},
	{"any", func() (*constrain.Grammar, error) { return constrain.JSONSchema([]byte(`{"type": "object"}`)) }},
	{"length", func() (*constrain.Grammar, error) {
		return constrain.JSONSchema([]byte(`{"type": "array", "items": {"type": "string", "maxLength": 300}}`))
	}},
	{"pattern", func() (*constrain.Grammar, error) {
		return constrain.JSONSchema([]byte(`{"type": "array", "items": {"type": "string", "pattern": "^[a-z]+( [a-z]+)*$"}}`))
	}},
	{"regexp", func() (*constrain.Grammar, error) { return constrain.Regexp(`(?s)[A-Z].{20,400}\.`) }},
	{"gbnf", func() (*constrain.Grammar, error) { return constrain.GBNF(arithmetic) }},
}

const arithmetic = `
root  ::= (expr "=" ws term "\n")+
expr  ::= term ([-+*/] ws term)*
term  ::= ident | num | "(" ws expr ")" ws
ident ::= [a-z] [a-z0-9_]* ws
num   ::= [0-9]+ ws
ws    ::= [ \t\n]*
`

// walk draws a text of up to n tokens and tells how long each mask took. It prefers long tokens,
// as models do.
func walk(t testing.TB, m *constrain.Matcher, tokens []string, rng *rand.Rand, n int) (times []time.Duration) {
	s := m.Start()
	var ids []int32
	for range n {
		began := time.Now()
		k, err := m.Mask(s)
		times = append(times, time.Since(began))
		if err != nil {
			t.Fatal(err)
		}
		if ids = k.Append(ids[:0]); len(ids) == 0 {
			break
		}
		id := ids[rng.IntN(len(ids))]
		if other := ids[rng.IntN(len(ids))]; len(tokens[other]) > len(tokens[id]) {
			id = other
		}
		s, _ = m.Token(s, id)
	}
	return times
}

// BenchmarkMask measures masks over a large vocabulary: of a new matcher, of new texts with one
// that has seen others, and of texts that it has seen. Each mask counts with its fastest time of
// all iterations, so that what else the machine does is left out.
func BenchmarkMask(b *testing.B) {
	const texts, tokens = 10, 200
	v := largeVocabulary(b)
	for _, w := range workloads {
		g, err := w.compile()
		if err != nil {
			b.Fatal(err)
		}
		for mode, name := range []string{"cold", "new", "seen"} {
			b.Run(fmt.Sprintf("grammar=%s/%s", w.name, name), func(b *testing.B) {
				var best []time.Duration
				for b.Loop() {
					m := g.Matcher(v)
					for seed := range uint64(2 * texts * min(mode, 1)) {
						walk(b, m, largeTokens(), rand.New(rand.NewPCG(seed, 0)), tokens)
					}
					var times []time.Duration
					for seed := range uint64(texts) {
						times = append(times, walk(b, m, largeTokens(), rand.New(rand.NewPCG(seed, uint64(mode%2))), tokens)...)
					}
					for i := range best {
						times[i] = min(times[i], best[i])
					}
					best = times
				}
				slices.Sort(best)
				for _, p := range []struct {
					name string
					at   int
				}{{"p50-µs", len(best) / 2}, {"p99-µs", len(best) * 99 / 100}, {"max-µs", len(best) - 1}} {
					b.ReportMetric(float64(best[p.at].Nanoseconds())/1e3, p.name)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func BenchmarkVocabulary(b *testing.B) {
	largeVocabulary(b)
	for b.Loop() {
		constrain.NewVocabulary(largeTokens())
	}
}

func BenchmarkApply(b *testing.B) {
	v := largeVocabulary(b)
	logits, dst := make([]float32, largeSize), make([]float32, largeSize)
	for _, w := range workloads[:2] {
		g, err := w.compile()
		if err != nil {
			b.Fatal(err)
		}
		m := g.Matcher(v)
		s, _ := m.Text(m.Start(), `{"`)
		k, err := m.Mask(s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("tokens=%d", k.Count()), func(b *testing.B) {
			for b.Loop() {
				k.Apply(dst, logits)
			}
		})
	}
}
