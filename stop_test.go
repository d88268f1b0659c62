package mminfer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// shown is what a text shows: all before the stop string that is complete first, of those that end
// together the longest.
func shown(text string, stops []string) (string, bool) {
	for end := range len(text) + 1 {
		from := -1
		for _, s := range stops {
			if strings.HasSuffix(text[:end], s) && (from < 0 || end-len(s) < from) {
				from = end - len(s)
			}
		}
		if from >= 0 {
			return text[:from], true
		}
	}
	return text, false
}

// word returns up to n letters of a small alphabet, so that stop strings nearly match often.
func word(rng *rand.Rand, n int) string {
	b := make([]byte, rng.IntN(n+1))
	for i := range b {
		b[i] = "ab\n"[rng.IntN(3)]
	}
	return string(b)
}

// TestStopper cuts texts at random: what is shown does not depend on the cuts, is never taken
// back, and never holds the beginning of a stop string that is met.
func TestStopper(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	met := 0
	for range 20_000 {
		var s stopper
		for range 1 + rng.IntN(3) {
			if w := word(rng, 5); w != "" {
				s.stops = append(s.stops, w)
			}
		}
		stops := s.stops
		text := word(rng, 30)
		want, stop := shown(text, stops)
		var got strings.Builder
		stopped := false
		for rest := text; rest != "" && !stopped; {
			n := 1 + rng.IntN(len(rest))
			var piece string
			piece, stopped = s.push(rest[:n])
			got.WriteString(piece)
			rest = rest[n:]
			if !strings.HasPrefix(want, got.String()) {
				t.Fatalf("%q with stops %q: shows %q, want %q", text, stops, got.String(), want)
			}
		}
		if !stopped {
			got.WriteString(s.flush())
		} else {
			met++
		}
		if got.String() != want || stopped != stop {
			t.Fatalf("%q with stops %q: shows %q, %v, want %q, %v", text, stops, got.String(), stopped, want, stop)
		}
	}
	if met < 5000 {
		t.Errorf("a stop string was met only %d times", met)
	}
}
