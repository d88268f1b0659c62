package constrain_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mminfer/mminfer/constrain"
)

// TestMaskIsTheAutomaton compares masks with the automaton, token by token, along random texts:
// with long tokens, tokens that end within characters, and tokens of the same bytes.
func TestMaskIsTheAutomaton(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	tokens := slices.Clone(smallTokens)
	for n := range 40 {
		for _, c := range []string{"a", "é", "😀", " "} {
			tokens = append(tokens, strings.Repeat(c, n), strings.Repeat(c, n)+`"`, strings.Repeat(c, n)+"\xc3", `"`+strings.Repeat(c, n))
		}
	}
	tokens = append(tokens, "a", "a", strings.Repeat("a", 5000))
	v := constrain.NewVocabulary(tokens)
	for _, schema := range []string{
		`{"type":"string","maxLength":20}`, `{"type":"string","minLength":14,"maxLength":16}`, `{"type":"string","minLength":17}`, `{"type":"string"}`, `{}`,
		`{"type":"string","pattern":"^[a-z ]*$"}`, `{"type":"string","pattern":"^a*$","maxLength":33}`, `{"type":"array","items":{"type":"string","maxLength":3}}`,
	} {
		g, err := constrain.JSONSchema([]byte(schema))
		if err != nil {
			t.Fatal(err)
		}
		m := g.Matcher(v)
		for range 6 {
			for s, steps := m.Start(), 0; steps < 12; steps++ {
				k, err := m.Mask(s)
				if err != nil {
					t.Fatal(err)
				}
				within := s.Remaining() + rng.IntN(3)
				near, err := m.MaskWithin(s, within)
				if err != nil {
					t.Fatal(err)
				}
				ids, count := k.Append(nil), 0
				for id := range tokens {
					next, ok := m.Token(s, int32(id))
					if ok {
						count++
					}
					if k.Allows(int32(id)) != ok || slices.Contains(ids, int32(id)) != ok {
						t.Fatalf("%s: the mask allows %q: %v, the automaton %v", schema, tokens[id], !ok, ok)
					}
					if want := ok && next.Remaining() <= within; near.Allows(int32(id)) != want {
						t.Fatalf("%s: within %d bytes the mask allows %q: %v", schema, within, tokens[id], !want)
					}
				}
				if k.Count() != count || k.Allows(-1) || k.Allows(int32(len(tokens))) || k.Allows(0) {
					t.Fatalf("%s: %d tokens, want %d", schema, k.Count(), count)
				}
				if count == 0 {
					break
				}
				s, _ = m.Token(s, ids[rng.IntN(len(ids))])
			}
		}
	}
}

// TestApply keeps the logits of a mask, for lists and for sets, with a last word cut short.
func TestApply(t *testing.T) {
	tokens := make([]string, 300)
	for i := range tokens {
		tokens[i] = fmt.Sprint("x", i)
	}
	v := constrain.NewVocabulary(tokens)
	for _, pattern := range []string{"x7", "x[0-9]*", "x[0-9]", "x2[0-9]+"} {
		g, err := constrain.Regexp(pattern)
		if err != nil {
			t.Fatal(err)
		}
		m := g.Matcher(v)
		k, err := m.Mask(m.Start())
		if err != nil {
			t.Fatal(err)
		}
		logits, dst := make([]float32, 310), make([]float32, 310)
		for i := range logits {
			logits[i] = float32(i)
		}
		k.Apply(dst, logits)
		for i, z := range dst {
			want := float32(math.Inf(-1))
			if k.Allows(int32(i)) {
				want = float32(i)
			}
			if z != want {
				t.Errorf("%s: logit %d is %v, want %v", pattern, i, z, want)
			}
		}
	}
}

// TestNumbers compares the texts of bounded numbers with arithmetic.
func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		schema string
		has    func(hundredths int) bool
	}{
		{`{"type":"number","minimum":-1.25,"maximum":3.5}`, func(x int) bool { return x >= -125 && x <= 350 }},
		{`{"type":"number","exclusiveMinimum":-1.25,"exclusiveMaximum":3.5}`, func(x int) bool { return x > -125 && x < 350 }},
		{`{"type":"number","minimum":0}`, func(x int) bool { return x >= 0 }},
		{`{"type":"number","exclusiveMinimum":0.09,"maximum":9.99}`, func(x int) bool { return x > 9 && x <= 999 }},
		{`{"type":"number","maximum":-0.995}`, func(x int) bool { return x <= -100 }},
		{`{"type":"number","multipleOf":0.25}`, func(x int) bool { return x%25 == 0 }},
		{`{"type":"number","multipleOf":0.3,"maximum":9}`, func(x int) bool { return x%30 == 0 && x <= 900 }},
		{`{"type":"number","multipleOf":7}`, func(x int) bool { return x%700 == 0 }},
		{`{"type":"integer","minimum":-11,"maximum":9.5}`, func(x int) bool { return x%100 == 0 && x >= -1100 && x <= 950 }},
		{`{"type":"integer","multipleOf":1.5}`, func(x int) bool { return x%300 == 0 }},
	} {
		g, err := constrain.JSONSchema([]byte(c.schema))
		if err != nil {
			t.Fatal(err)
		}
		for x := -1100; x <= 1000; x += 1 + 9*btoi(raceEnabled) {
			sign, n := "", x
			if x < 0 {
				sign, n = "-", -x
			}
			text := strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%s%d.%02d", sign, n/100, n%100), "0"), ".")
			if _, ok := g.Match(text); ok != c.has(x) {
				t.Errorf("%s: %s is %v", c.schema, text, ok)
			}
		}
	}
}

// TestStatesOutliveTheCache drives a matcher until it forgets its states, from several goroutines;
// states from before go on, and masks stay what they were.
func TestStatesOutliveTheCache(t *testing.T) {
	g, err := constrain.JSONSchema([]byte(`{"type":"string","maxLength":100000}`))
	if err != nil {
		t.Fatal(err)
	}
	tokens := make([]string, 4096)
	for i := range tokens {
		tokens[i] = fmt.Sprintf("%d", i)
	}
	tokens = append(tokens, `"`)
	m := g.Matcher(constrain.NewVocabulary(tokens))
	first, ok := m.Text(m.Start(), `"`)
	if !ok {
		t.Fatal("no string begins with a quote")
	}
	before, err := m.Mask(first)
	if err != nil {
		t.Fatal(err)
	}
	steps := 9000
	if raceEnabled {
		steps = 1000
	}
	var wait sync.WaitGroup
	for worker := range 2 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			s := first
			for i := range steps {
				k, err := m.Mask(s)
				if err != nil || !k.Allows(4096) || k.Count() != 4097 {
					t.Errorf("step %d: %v", i, err)
					return
				}
				s, _ = m.Token(s, int32(worker))
			}
		}()
	}
	wait.Wait()
	if after, err := m.Mask(first); err != nil || after.Count() != before.Count() {
		t.Errorf("a state changed: %v", err)
	}
	if s, ok := m.Text(first, `"`); !ok || !s.Complete() {
		t.Error("a state from before cannot go on")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
