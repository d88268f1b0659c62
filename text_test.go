package mminfer_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
)

// openFable returns an engine of the demo model.
func openFable(t *testing.T) *mminfer.Engine {
	t.Helper()
	e, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestEncodeIsWhatFeedTextAppends(t *testing.T) {
	e := openFable(t)
	a, b := e.NewSession(), e.NewSession()
	for _, text := range []string{"Once upon a time", " there was<|endoftext|>", ""} {
		ids, err := a.Encode(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(a.Feed(t.Context(), ids), b.FeedText(t.Context(), text)); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(a.Tokens(), b.Tokens()) || a.Tokens()[a.Len()-1] != 0 {
		t.Errorf("Encode gave %v, FeedText %v", a.Tokens(), b.Tokens())
	}
}

// A generation that is cancelled gives all the text of its tokens, what might have become a stop
// string included.
func TestCancelledGenerationKeepsNoText(t *testing.T) {
	e := openFable(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := e.NewSession()
	var text strings.Builder
	var ids []int32
	last := errors.New("no error")
	for token, err := range s.Generate(ctx, "Once upon a time", mminfer.GenerateOptions{MaxTokens: 20, Stop: []string{" there was a\x00"}}) {
		text.WriteString(token.Text)
		if last = err; err != nil {
			break
		}
		if ids = append(ids, token.ID); len(ids) > 1 && token.Text == "" {
			cancel() // a part of the stop string is held back now
		}
	}
	cancel()
	want, err := e.Detokenize(ids)
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(last, context.Canceled) || text.String() != want || len(ids) == 20 {
		t.Errorf("after %d tokens and %v: %q, expected %q", len(ids), last, text.String(), want)
	}
}

func TestLogProbOf(t *testing.T) {
	e := openFable(t)
	ids := []int32{2307, 571, 261, 533}
	lps, err := e.LogProbs(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	err = e.Logits(t.Context(), ids, func(i int, logits []float32) error {
		var sum float64
		for _, z := range logits {
			sum += math.Exp(float64(z))
		}
		for _, id := range []int32{0, 17, 4095} {
			// Each exponential errs by some 2⁻⁵² of itself, the logarithm by 2⁻⁵² of some tens.
			want := float64(logits[id]) - math.Log(sum)
			if got := mminfer.LogProbOf(logits, id); !(math.Abs(got-want) <= 0x1p-44) {
				t.Errorf("token %d after position %d: found %v, expected %v", id, i, got, want)
			}
		}
		if i+1 < len(ids) && lps[i] != mminfer.LogProbOf(logits, ids[i+1]) {
			t.Errorf("token %d: LogProbs says %v", i+1, lps[i])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
