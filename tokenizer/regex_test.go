package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTranslateRegex(t *testing.T) {
	for in, want := range map[string]string{
		`a?+b`: `(?>a?)b`, `[ab]++c*+`: `(?>[ab]+)(?>c*)`, `(ab)*+`: `(?>(ab)*)`, `\p{L}++`: `(?>\p{L}+)`, `\p{^L}[\P{^N}]`: `\P{L}[\p{N}]`, `a{2}+`: `(?:a{2})+`,
		`a+?b`: `a+?b`, `[a[bc]d]`: `[abcd]`, `[^(\s|[.,])]+`: `[^(\s|.,)]+`, `\[+`: `\[+`, `[]a]`: `[\]a]`, `é++`: `(?>é+)`,
		`\h`: `[0-9A-Fa-f]`, `[\h]`: `[0-9A-Fa-f]`, `(?i:a)++`: `(?>(?i:a)+)`, `a{,}b{x}`: `a{,}b{x}`,
	} {
		if got, err := translateRegex(in); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", in, got, err, want)
		}
	}
}

// The expressions that have a scanner, by the fallback: the same matches.
func TestForeignRegex(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	c := loadClasses()
	for _, p := range patterns {
		re, err := newForeignRegex(p.re)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			// Letters after Unicode 15 and U+017F, which only Unicode folds to s, are left out.
			s := []byte(strings.ReplaceAll(randomText(rng, 1+rng.IntN(12)), "\u017f", "s"))
			got, err := re.all(nil, s, 0)
			if err != nil {
				t.Fatal(err)
			}
			var want []extent
			for i := 0; i < len(s); {
				start, end := p.find(c, s, i)
				if start < end {
					want = append(want, extent{start, end})
				}
				i = end
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %q: got %v, want %v", p.name, s, got, want)
			}
		}
	}
}

// An expression that backtracks without end gives up in time, and says so.
func TestRegexBudget(t *testing.T) {
	j := tinyJSON()
	j["pre_tokenizer"] = part("Sequence", "pretokenizers", []any{
		part("Split", "pattern", map[string]any{"Regex": `(a+)+$|b`}, "behavior", "Isolated", "invert", false), j["pre_tokenizer"]})
	tok, err := Parse(encodeJSON(t, j))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	ids, err := tok.TryEncode(nil, strings.Repeat("a", 1000)+"!", EncodeOptions{})
	if err == nil || !strings.Contains(err.Error(), "gave up") || len(ids) != 1001 {
		t.Errorf("%d ids, error %v", len(ids), err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("took %v", d)
	}
	if ids, err := tok.TryEncode(nil, "abba", EncodeOptions{}); err != nil || len(ids) != 4 {
		t.Errorf("after it: %d ids, error %v", len(ids), err)
	}
}
