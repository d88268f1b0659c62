package mminfer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/internal/golden"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

var shared = sync.OnceValues(func() (*mminfer.Engine, error) {
	return mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithThreads(2))
})

// fable returns an engine of the demo model that all tests share; it is not closed.
func fable(t testing.TB) *mminfer.Engine {
	t.Helper()
	e, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// noTokenizer is the directory of a model without one.
const noTokenizer = "models/testdata/golden/mom_fla_hybrid"

// openGolden opens a golden's model, or skips the test.
func openGolden(t testing.TB, dir string, opts ...mminfer.Option) *mminfer.Engine {
	t.Helper()
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	e, err := mminfer.Open(dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// tale is a prompt with the reference's greedy continuation in float64.
type tale struct {
	Prompt string
	IDs    []int32
	Greedy []int32
	Text   string `json:"greedy_text"`
}

func tales(t testing.TB) (list []tale) {
	t.Helper()
	data, err := os.ReadFile("testdata/fable.json")
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil || len(list) != 3 {
		t.Fatal(len(list), err)
	}
	return list
}

// collect runs a generation to its end.
func collect(t testing.TB, seq iter.Seq2[mminfer.Token, error]) (tokens []mminfer.Token) {
	t.Helper()
	for token, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	return tokens
}

func idsOf(tokens []mminfer.Token) (ids []int32) {
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	return ids
}

func textOf(tokens []mminfer.Token) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteString(t.Text)
	}
	return b.String()
}

// TestGenerateGreedy compares ids and text with the reference.
func TestGenerateGreedy(t *testing.T) {
	e := fable(t)
	for _, c := range tales(t) {
		ids, err := e.Tokenize(c.Prompt, true)
		if err != nil || !slices.Equal(ids, c.IDs) {
			t.Fatalf("%q is %v, %v, want %v", c.Prompt, ids, err, c.IDs)
		}
		s := e.NewSession()
		tokens := collect(t, s.Generate(t.Context(), c.Prompt, mminfer.GenerateOptions{MaxTokens: len(c.Greedy)}))
		if got := idsOf(tokens); !slices.Equal(got, c.Greedy) {
			t.Errorf("%q continues with %v, want %v", c.Prompt, got, c.Greedy)
		}
		if got := textOf(tokens); got != c.Text {
			t.Errorf("%q continues with %q, want %q", c.Prompt, got, c.Text)
		}
		for i, token := range tokens {
			if (token.Stop == mminfer.StopLength) != (i == len(tokens)-1) {
				t.Errorf("token %d stops by %q", i, token.Stop)
			}
		}
		if want := slices.Concat(c.IDs, c.Greedy); !slices.Equal(s.Tokens(), want) || s.Len() != len(want) {
			t.Errorf("the timeline is %v, want %v", s.Tokens(), want)
		}
	}
}

// TestDemoGolden holds the demo model against its reference values, block by block.
func TestDemoGolden(t *testing.T) {
	suite, err := golden.Open("demo/fable")
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	ck, err := loader.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	pool := tensor.NewPool(2)
	defer pool.Close()
	m, err := models.New(ck, models.Options{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	results, _, err := suite.Run(m, &tensor.Workspace{Pool: pool}, golden.Options{Split: 7, Batch: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.OK() {
			t.Fatalf("%s %s: error %.3g, bound %.3g %s", r.Case, r.Of, r.MaxError, r.Bound, r.Note)
		}
	}
}

// drawn are options that use every stage of the sampler.
func drawn(n int) mminfer.GenerateOptions {
	return mminfer.GenerateOptions{MaxTokens: n, IgnoreEOS: true, LogProbs: true, TopLogs: 2, Sampling: mminfer.Sampling{
		Temperature: 0.9, TopK: 60, TopP: 0.95, MinP: 0.01, RepetitionPenalty: 1.05, FrequencyPenalty: 0.01, PresencePenalty: 0.02,
		PenaltyLast: 50, LogitBias: map[int32]float64{17: -1},
	}}
}

// sameTokens fails the test unless ids, texts and log-probabilities are the same to the bit.
func sameTokens(t *testing.T, what string, got, want []mminfer.Token) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d tokens, want %d", what, len(got), len(want))
	}
	for i := range want {
		if fmt.Sprintf("%+v", got[i]) != fmt.Sprintf("%+v", want[i]) {
			t.Fatalf("%s: token %d is %+v, want %+v", what, i, got[i], want[i])
		}
	}
}

// TestOneText: the same seed gives the same text, however it comes about.
func TestOneText(t *testing.T) {
	const n = 24
	e, c := fable(t), tales(t)[1]
	rng := rand.New(rand.NewPCG(1, 2))
	start := func(e *mminfer.Engine) *mminfer.Session {
		s := e.NewSession()
		s.Seed(7)
		return s
	}
	want := collect(t, start(e).Generate(t.Context(), c.Prompt, drawn(n)))
	if len(want) != n || slices.Equal(idsOf(want), c.Greedy[:n]) {
		t.Fatalf("%d tokens, drawn like the greedy ones", len(want))
	}
	other := e.NewSession()
	other.Seed(8)
	if slices.Equal(idsOf(collect(t, other.Generate(t.Context(), c.Prompt, drawn(n)))), idsOf(want)) {
		t.Error("another seed gives the same text")
	}
	part := func(s *mminfer.Session, from, to int) []mminfer.Token { // stops the loop at a token
		var tokens []mminfer.Token
		for token, err := range s.Continue(t.Context(), drawn(n-from)) {
			if err != nil {
				t.Fatal(err)
			}
			if tokens = append(tokens, token); len(tokens) == to-from {
				break
			}
		}
		return tokens
	}
	begun := func(to int) (*mminfer.Session, []mminfer.Token) {
		s := start(e)
		if err := s.FeedText(t.Context(), c.Prompt); err != nil {
			t.Fatal(err)
		}
		return s, part(s, 0, to)
	}

	for _, threads := range []int{1, 3} {
		e, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithThreads(threads), mminfer.WithFormat(tensor.FormatF32))
		if err != nil {
			t.Fatal(err)
		}
		sameTokens(t, fmt.Sprintf("%d threads, f32", threads), collect(t, start(e).Generate(t.Context(), c.Prompt, drawn(n))), want)

		s, tokens := begun(11) // on the other engine, whose weights are the same numbers
		var file bytes.Buffer
		if err := s.Save(&file); err != nil {
			t.Fatal(err)
		}
		loaded, err := e.Load(&file)
		if err != nil {
			t.Fatal(err)
		}
		sameTokens(t, "moved to another engine", append(tokens, part(loaded, 11, n)...), want)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		s := start(e)
		for at := 0; at < len(c.IDs); {
			to := min(at+rng.IntN(9), len(c.IDs))
			if err := s.Feed(t.Context(), c.IDs[at:to]); err != nil {
				t.Fatal(err)
			}
			at = to
		}
		sameTokens(t, "a cut prompt", collect(t, s.Continue(t.Context(), drawn(n))), want)
	}
	for _, at := range []int{1, 13, 23} {
		s, tokens := begun(at)
		fork, mark := s.Fork(), s.Mark()
		sameTokens(t, "continued", append(slices.Clip(tokens), part(s, at, n)...), want)
		if err := s.FeedText(t.Context(), "and something else"); err != nil {
			t.Fatal(err)
		}
		sameTokens(t, "forked", append(slices.Clip(tokens), part(fork, at, n)...), want)
		for range 2 {
			if err := s.Rewind(mark); err != nil {
				t.Fatal(err)
			}
			sameTokens(t, "rewound", append(slices.Clip(tokens), part(s, at, n)...), want)
		}
	}
	testTogether(t, e, start, want)
}

// testTogether continues the text beside others of other lengths, seeds and options.
func testTogether(t *testing.T, e *mminfer.Engine, start func(e *mminfer.Engine) *mminfer.Session, want []mminfer.Token) {
	t.Helper()
	var parts []mminfer.Continuation
	var wants [][]mminfer.Token
	for i, c := range tales(t) {
		opts := drawn(len(want) - 9*(1-i)*(1-i)) // the first and the last stop early
		if i == 0 {
			opts = mminfer.GenerateOptions{MaxTokens: 5}
		}
		s := start(e)
		if err := s.FeedText(t.Context(), c.Prompt); err != nil {
			t.Fatal(err)
		}
		wants = append(wants, collect(t, s.Fork().Continue(t.Context(), opts)))
		parts = append(parts, mminfer.Continuation{Session: s, Options: opts})
	}
	got := make([][]mminfer.Token, len(parts))
	for token, err := range e.Together(t.Context(), parts) {
		if err != nil {
			t.Fatal(err)
		}
		got[token.Index] = append(got[token.Index], token.Token)
	}
	for i := range parts {
		sameTokens(t, fmt.Sprintf("session %d together with others", i), got[i], wants[i])
		if i == 1 {
			sameTokens(t, "together with others", got[i], want)
		}
	}
}

// TestSeed: a new session has seed 0.
func TestSeed(t *testing.T) {
	e := fable(t)
	a, b := e.NewSession(), e.NewSession()
	b.Seed(5)
	b.Seed(0)
	sameTokens(t, "seed 0", collect(t, b.Generate(t.Context(), "The wolf", drawn(10))), collect(t, a.Generate(t.Context(), "The wolf", drawn(10))))
}

// TestLogProbsOfTokens: a generation's log-probabilities are those of scoring its text.
func TestLogProbsOfTokens(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	opts := drawn(20)
	opts.TopLogs = 0 // none, which is not one
	tokens := collect(t, s.Generate(t.Context(), "The wolf", opts))
	lps, err := e.LogProbs(t.Context(), s.Tokens())
	if err != nil {
		t.Fatal(err)
	}
	for i, token := range tokens {
		if want := lps[len(lps)-20+i]; token.LogProb != want || token.Top != nil {
			t.Errorf("token %d: %v, want %v and no others", i, token.LogProb, want)
		}
	}
	opts = mminfer.GenerateOptions{MaxTokens: 5, TopLogs: 4}
	for i, token := range collect(t, s.Continue(t.Context(), opts)) {
		if len(token.Top) != 4 || token.Top[0].ID != token.ID || token.Top[0].LogProb != token.LogProb || !(token.Top[0].LogProb >= token.Top[1].LogProb) {
			t.Errorf("token %d: %+v", i, token)
		}
		if text, err := e.Detokenize([]int32{token.Top[1].ID}); err != nil || text != token.Top[1].Text {
			t.Errorf("token %d: the second is %q, want %q", i, token.Top[1].Text, text)
		}
	}
}

// TestStops: the end-of-text token, stop strings, and neither.
func TestStops(t *testing.T) {
	e := fable(t)
	end := mminfer.Sampling{LogitBias: map[int32]float64{0: 1e6}}
	tokens := collect(t, e.NewSession().Generate(t.Context(), "The wolf", mminfer.GenerateOptions{MaxTokens: 9, Sampling: end}))
	if len(tokens) != 1 || tokens[0].Stop != mminfer.StopEOS || tokens[0].ID != 0 || tokens[0].Text != "" {
		t.Errorf("the end of the text gives %+v", tokens)
	}
	tokens = collect(t, e.NewSession().Generate(t.Context(), "The wolf", mminfer.GenerateOptions{MaxTokens: 9, Sampling: end, IgnoreEOS: true}))
	if len(tokens) != 9 || tokens[8].Stop != mminfer.StopLength {
		t.Errorf("ignoring the end of the text gives %+v", tokens)
	}
	for _, c := range tales(t)[:1] {
		for _, stops := range [][]string{{"\n\n"}, {"She", " very"}, {"t", ""}, {". "}, {c.Text[:3]}, {c.Text[5:40]}, {"never there"}, {c.Text[len(c.Text)-8:] + " more"}} {
			first := len(c.Text)
			for _, stop := range stops {
				if i := strings.Index(c.Text, stop); stop != "" && i >= 0 {
					first = min(first, i)
				}
			}
			tokens := collect(t, e.NewSession().Generate(t.Context(), c.Prompt, mminfer.GenerateOptions{MaxTokens: len(c.Greedy), Stop: stops}))
			reason := mminfer.StopText
			if first == len(c.Text) {
				reason = mminfer.StopLength
			}
			if got := textOf(tokens); got != c.Text[:first] || tokens[len(tokens)-1].Stop != reason {
				t.Errorf("stops %q: %q by %q, want %q by %q", stops, got, tokens[len(tokens)-1].Stop, c.Text[:first], reason)
			}
		}
	}
}

// TestBadOptions are refused before anything happens.
func TestBadOptions(t *testing.T) {
	e := fable(t)
	for want, opts := range map[string]mminfer.GenerateOptions{
		"max tokens":            {MaxTokens: -1},
		"top log-probabilities": {TopLogs: -1},
		"temperature":           {Sampling: mminfer.Sampling{Temperature: math.NaN()}},
		"top-p":                 {Sampling: mminfer.Sampling{TopP: 2}},
		"logit bias":            {Sampling: mminfer.Sampling{LogitBias: map[int32]float64{4096: 1}}},
	} {
		s := e.NewSession()
		if err := s.Feed(t.Context(), []int32{5}); err != nil {
			t.Fatal(err)
		}
		for name, seq := range map[string]iter.Seq2[mminfer.Token, error]{"Generate": s.Generate(t.Context(), "x", opts), "Continue": s.Continue(t.Context(), opts)} {
			n := 0
			for _, err := range seq {
				if n++; err == nil || !strings.HasPrefix(err.Error(), "mminfer: "+want) {
					t.Errorf("%s: %v, want an error about %s", name, err, want)
				}
			}
			if n != 1 || s.Len() != 1 {
				t.Errorf("%s: %d results, %d tokens after %s was refused", name, n, s.Len(), want)
			}
		}
		for _, err := range e.Together(t.Context(), []mminfer.Continuation{{Session: s, Options: opts}}) {
			if err == nil || !strings.HasPrefix(err.Error(), "mminfer: "+want) {
				t.Errorf("Together: %v, want an error about %s", err, want)
			}
		}
	}
}

// TestNothingFed: an empty timeline cannot be continued.
func TestNothingFed(t *testing.T) {
	e := fable(t)
	fed := e.NewSession()
	if err := fed.FeedText(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, seq := range []iter.Seq2[mminfer.Token, error]{e.NewSession().Continue(t.Context(), mminfer.GenerateOptions{}), e.NewSession().Generate(t.Context(), "", mminfer.GenerateOptions{}), fed.Continue(t.Context(), mminfer.GenerateOptions{})} {
		for _, err := range seq {
			if n++; !errors.Is(err, mminfer.ErrNothingFed) {
				t.Errorf("found %v", err)
			}
		}
	}
	for _, err := range e.Together(t.Context(), []mminfer.Continuation{{Session: e.NewSession()}}) {
		if n++; !errors.Is(err, mminfer.ErrNothingFed) {
			t.Errorf("Together: %v", err)
		}
	}
	if n != 4 {
		t.Errorf("%d errors, want 4", n)
	}
	for range e.Together(t.Context(), nil) {
		t.Error("no sessions give a token")
	}
	if _, err := e.Embed(t.Context(), ""); !errors.Is(err, mminfer.ErrNothingFed) {
		t.Errorf("Embed: %v", err)
	}
}

// TestTogetherRefuses sessions given twice and those of another engine.
func TestTogetherRefuses(t *testing.T) {
	e, other := fable(t), openGolden(t, noTokenizer)
	a, b := e.NewSession(), other.NewSession()
	if err := errors.Join(a.Feed(t.Context(), []int32{1}), b.Feed(t.Context(), []int32{1})); err != nil {
		t.Fatal(err)
	}
	for _, sessions := range [][]mminfer.Continuation{{{Session: a}, {Session: a}}, {{Session: a}, {Session: b}}} {
		n := 0
		for _, err := range e.Together(t.Context(), sessions) {
			if n++; err == nil || !strings.Contains(err.Error(), "session 1 is given twice or belongs to another engine") {
				t.Errorf("found %v", err)
			}
		}
		if n != 1 {
			t.Errorf("%d results, want one error", n)
		}
	}
}

// TestTogetherStopped: when the loop ends within a step, every session has the token of that step.
func TestTogetherStopped(t *testing.T) {
	e := fable(t)
	var parts []mminfer.Continuation
	var want [][]int32
	for _, c := range tales(t) {
		s := e.NewSession()
		if err := s.Feed(t.Context(), c.IDs); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, mminfer.Continuation{Session: s, Options: mminfer.GenerateOptions{MaxTokens: 10}})
		want = append(want, slices.Concat(c.IDs, c.Greedy[:10]))
	}
	n := 0
	for _, err := range e.Together(t.Context(), parts) {
		if n++; err != nil {
			t.Fatal(err)
		}
		if n == 3*3+1 {
			break
		}
	}
	for i, p := range parts {
		done := p.Session.Len() - len(tales(t)[i].IDs)
		if done != 4 {
			t.Errorf("session %d has %d tokens, want 4", i, done)
		}
		collect(t, p.Session.Continue(t.Context(), mminfer.GenerateOptions{MaxTokens: 10 - done}))
		if !slices.Equal(p.Session.Tokens(), want[i]) {
			t.Errorf("session %d continues as %v, want %v", i, p.Session.Tokens(), want[i])
		}
	}
}

// TestNoTokenizer uses ids only, and compares with the reference's greedy ids.
func TestNoTokenizer(t *testing.T) {
	e := openGolden(t, noTokenizer)
	s := e.NewSession()
	_, tokenize := e.Tokenize("a", true)
	_, detokenize := e.Detokenize([]int32{1})
	_, embed := e.Embed(t.Context(), "a")
	_, encode := s.Encode("a")
	refused := []error{tokenize, detokenize, embed, encode, s.FeedText(t.Context(), "a")}
	for _, err := range s.Generate(t.Context(), "a", mminfer.GenerateOptions{}) {
		refused = append(refused, err)
	}
	for i, err := range refused {
		if !errors.Is(err, mminfer.ErrNoTokenizer) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(refused) != 6 || s.Len() != 0 {
		t.Errorf("%d results, %d tokens", len(refused), s.Len())
	}
	suite, err := golden.Open(noTokenizer)
	if err != nil {
		t.Fatal(err)
	}
	defer suite.Close()
	for _, c := range suite.Cases {
		s := e.NewSession()
		if err := s.Feed(t.Context(), c.IDs); err != nil {
			t.Fatal(err)
		}
		tokens := collect(t, s.Continue(t.Context(), mminfer.GenerateOptions{MaxTokens: len(c.Greedy), IgnoreEOS: true, Stop: []string{"a"}, TopLogs: 1}))
		if !slices.Equal(idsOf(tokens), c.Greedy) || textOf(tokens) != "" {
			t.Errorf("%s: %v %q, want %v", c.Name, idsOf(tokens), textOf(tokens), c.Greedy)
		}
	}
}

// countdown is a context that ends when it has been asked for its error some times.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// TestContext ends generations before, in and after the prefill of a long prompt; what follows is
// then as if nothing had happened.
func TestContext(t *testing.T) {
	e := openGolden(t, noTokenizer)
	ids := slices.Repeat([]int32{1, 2, 3, 4, 5, 6, 7, 8}, 140) // three pieces
	s := e.NewSession()
	if err := s.Feed(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	want := collect(t, s.Continue(t.Context(), drawn(12)))
	for left := range 7 {
		s := e.NewSession()
		fed := s.Feed(&countdown{t.Context(), left}, ids)
		if (fed == nil) != (left >= 3) || fed != nil && !errors.Is(fed, context.DeadlineExceeded) {
			t.Errorf("a prompt of three pieces, stopped before piece %d: %v", left, fed)
		}
		if s.Len() != len(ids) {
			t.Errorf("%d tokens, want %d", s.Len(), len(ids))
		}
		var tokens []mminfer.Token
		for token, err := range s.Continue(&countdown{t.Context(), left}, drawn(12)) {
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
			tokens = append(tokens, token)
		}
		if left < 2 && len(tokens) > 0 || left == 6 && len(tokens) == 0 || len(tokens) == 12 {
			t.Errorf("%d tokens, stopped at question %d", len(tokens), left)
		}
		sameTokens(t, "continued", append(tokens, collect(t, s.Continue(t.Context(), drawn(12-len(tokens))))...), want)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = e.NewSession()
	if err := s.Feed(ctx, []int32{1}); err != nil {
		t.Errorf("a single token has nothing to absorb yet, but: %v", err)
	}
	n := 0
	for _, err := range s.Continue(ctx, mminfer.GenerateOptions{}) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("found %v", err)
		}
	}
	for _, err := range e.Together(ctx, []mminfer.Continuation{{Session: s}}) {
		if n++; !errors.Is(err, context.Canceled) {
			t.Errorf("Together: %v", err)
		}
	}
	_, embed := fable(t).Embed(ctx, "The wolf and the lamb")
	_, score := e.LogProbs(ctx, ids)
	if n != 2 || !errors.Is(embed, context.Canceled) || !errors.Is(score, context.Canceled) {
		t.Errorf("%d errors, Embed %v, LogProbs %v", n, embed, score)
	}
}

// poisoned opens a golden's model in which the embedding of token 7 is not a number.
func poisoned(t *testing.T) *mminfer.Engine {
	t.Helper()
	openGolden(t, noTokenizer)
	ck, err := loader.Open(noTokenizer)
	if err != nil {
		t.Fatal(err)
	}
	defer ck.Close()
	var tensors []tensor.Tensor
	for _, name := range ck.Names() {
		x, _ := ck.Tensor(name)
		if name == "model.embeddings.weight" {
			x.Data = bytes.Clone(x.Data)
			copy(x.Data[7*x.Shape[1]*4:], []byte{0, 0, 0xc0, 0x7f})
		}
		tensors = append(tensors, x)
	}
	var file bytes.Buffer
	if err := loader.Write(&file, tensors, nil); err != nil {
		t.Fatal(err)
	}
	e, err := mminfer.OpenFS(fstest.MapFS{"config.json": {Data: ck.Config()}, "model.safetensors": {Data: file.Bytes()}}, ".")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestNotANumber: a model that gives no numbers ends a generation, and those beside it get the
// tokens of that step.
func TestNotANumber(t *testing.T) {
	e := poisoned(t)
	var parts []mminfer.Continuation
	var want [][]int32
	for i, ids := range [][]int32{{1, 2, 3}, {1, 7}, {4, 5}} {
		s := e.NewSession()
		if err := s.Feed(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		opts := mminfer.GenerateOptions{MaxTokens: 6, IgnoreEOS: true, Sampling: mminfer.Sampling{Temperature: 1, LogitBias: map[int32]float64{7: math.Inf(-1)}}}
		parts = append(parts, mminfer.Continuation{Session: s, Options: opts})
		if i == 1 {
			want = append(want, ids)
			continue
		}
		f := s.Fork()
		collect(t, f.Continue(t.Context(), opts))
		want = append(want, f.Tokens())
	}
	mark := parts[1].Session.Mark()
	tokens := 0
	var failed error
	for token, err := range e.Together(t.Context(), parts) {
		if failed = err; err == nil {
			tokens++
		}
		if token.Index == 1 {
			t.Error("a token was drawn from what is not a number")
		}
	}
	if tokens != 2 || !errors.Is(failed, mminfer.ErrNaN) || !strings.Contains(failed.Error(), "session 1: ") {
		t.Errorf("%d tokens, then %v", tokens, failed)
	}
	for i, p := range parts {
		left := len(want[i]) - p.Session.Len()
		if i != 1 && left != 5 {
			t.Errorf("session %d has %d tokens to go, want 5", i, left)
		}
		p.Options.MaxTokens = max(left, 1)
		for _, err := range p.Session.Continue(t.Context(), p.Options) {
			if i == 1 != errors.Is(err, mminfer.ErrNothingFed) {
				t.Errorf("session %d: %v", i, err)
			}
		}
		if !slices.Equal(p.Session.Tokens(), want[i]) {
			t.Errorf("session %d is %v, want %v", i, p.Session.Tokens(), want[i])
		}
	}
	s := parts[1].Session
	if err := s.Save(io.Discard); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("a state that is not a number was stored: %v", err)
	}
	if err := s.Rewind(mark); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Continue(t.Context(), parts[1].Options) {
		if n++; !errors.Is(err, mminfer.ErrNaN) {
			t.Errorf("rewound: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d results, want one error", n)
	}
}
