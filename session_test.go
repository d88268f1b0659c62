package mminfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/tensor"
)

// saved returns a stored session.
func saved(t testing.TB, s *mminfer.Session) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := s.Save(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMarks returns to marks in any order, over each other's tokens, and from other timelines.
func TestMarks(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	if err := errors.Join(s.FeedText(t.Context(), "Once upon a time"), s.Feed(t.Context(), []int32{14})); err != nil {
		t.Fatal(err)
	}
	grow := func(s *mminfer.Session, seed uint64, n int) {
		s.Seed(seed)
		if err := s.Feed(t.Context(), []int32{int32(seed), 300}); err != nil {
			t.Fatal(err)
		}
		collect(t, s.Continue(t.Context(), drawn(n)))
	}
	var marks []*mminfer.Mark
	var files [][]byte
	mark := func(s *mminfer.Session) {
		marks, files = append(marks, s.Mark()), append(files, saved(t, s))
	}
	mark(e.NewSession())
	mark(s)
	grow(s, 1, 1)
	mark(s)
	if err := s.Rewind(marks[1]); err != nil {
		t.Fatal(err)
	}
	grow(s, 2, 20) // over the tokens that the last mark was set after
	mark(s)
	fork := s.Fork()
	grow(fork, 3, 5)
	mark(fork)
	other := e.NewSession()
	for _, i := range []int{3, 1, 2, 0, 4, 2, 3, 1} {
		for _, s := range []*mminfer.Session{s, fork, other} {
			if err := s.Rewind(marks[i]); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(saved(t, s), files[i]) {
				t.Fatalf("mark %d is not what it was", i)
			}
			if err := s.FeedText(t.Context(), " and then"); err != nil {
				t.Fatal(err)
			}
		}
	}
	a, b := s, s.Fork() // each has its own tokens from here on
	if err := errors.Join(a.Feed(t.Context(), []int32{5, 6}), b.Feed(t.Context(), []int32{7, 8})); err != nil {
		t.Fatal(err)
	}
	if n := a.Len(); !slices.Equal(a.Tokens()[n-2:], []int32{5, 6}) || !slices.Equal(b.Tokens()[n-2:], []int32{7, 8}) {
		t.Errorf("forks end in %v and %v", a.Tokens()[n-2:], b.Tokens()[n-2:])
	}
	if err := openGolden(t, noTokenizer).NewSession().Rewind(marks[1]); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("a mark of another engine: %v", err)
	}
}

// TestFeedRefuses ids outside the vocabulary, and stays as it was.
func TestFeedRefuses(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	for _, ids := range [][]int32{{1, -1}, {4096}, {1 << 30}} {
		if err := s.Feed(t.Context(), ids); err == nil || !strings.Contains(err.Error(), "expected 0 to 4095") {
			t.Errorf("%v: %v", ids, err)
		}
		if _, err := e.LogProbs(t.Context(), ids); err == nil {
			t.Errorf("LogProbs of %v: no error", ids)
		}
	}
	if s.Len() != 0 {
		t.Errorf("%d tokens, want none", s.Len())
	}
}

// TestSessionSize: what a session holds does not grow with its text.
func TestSessionSize(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	empty := s.Bytes()
	if err := s.Feed(t.Context(), slices.Repeat([]int32{300, 7}, 40)); err != nil {
		t.Fatal(err)
	}
	info := e.Info()
	if s.Bytes() != empty || info.StateBytes != empty || info.BytesPerToken != 0 {
		t.Errorf("%d bytes at first, %d later; the model says %d and %d a token", empty, s.Bytes(), info.StateBytes, info.BytesPerToken)
	}
	// README: 5 memories of 4 heads of 32 × 32 in 6 layers, beside the tails of the convolutions.
	if want := int64(4 * 6 * 5 * 4 * (32*32 + 3*3*32)); empty != want {
		t.Errorf("%d bytes, want %d", empty, want)
	}
}

// TestSaved checks every part of a stored session, then damages it.
func TestSaved(t *testing.T) {
	e := openGolden(t, "models/testdata/golden/mom_fla/topk_all")
	s := e.NewSession()
	s.Seed(9)
	if err := s.Feed(t.Context(), []int32{1, 2, 3, 4, 5}); err != nil {
		t.Fatal(err)
	}
	collect(t, s.Continue(t.Context(), mminfer.GenerateOptions{MaxTokens: 7, IgnoreEOS: true, Sampling: mminfer.Sampling{Temperature: 1}}))
	data := saved(t, s)
	loaded, err := e.Load(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(loaded.Tokens(), s.Tokens()) || !bytes.Equal(saved(t, loaded), data) {
		t.Error("a loaded session differs")
	}
	r := strings.NewReader(string(data) + "what follows")
	if _, err := e.Load(iotest.OneByteReader(r)); err != nil {
		t.Error(err)
	}
	if rest, _ := io.ReadAll(r); string(rest) != "what follows" {
		t.Errorf("%q follows, want all that does", rest)
	}
	empty, err := e.Load(bytes.NewReader(saved(t, e.NewSession())))
	if err != nil || empty.Len() != 0 {
		t.Errorf("an empty session: %v", err)
	}

	damaged := func(what string, at int, data []byte) {
		if _, err := e.Load(bytes.NewReader(data)); !errors.Is(err, mminfer.ErrCorrupt) && !errors.Is(err, mminfer.ErrOtherModel) {
			t.Fatalf("%s at %d of %d: %v", what, at, len(data), err)
		}
	}
	for n := range data {
		damaged("cut", n, data[:n])
		for _, bit := range []int{n % 8, 7 - n%5} {
			data[n] ^= 1 << bit
			damaged("flipped", n, data)
			data[n] ^= 1 << bit
		}
	}
	broken := errors.New("broken")
	for _, n := range []int{0, 20, 60, 100, len(data) - 1} {
		_, err := e.Load(io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || errors.Is(err, mminfer.ErrCorrupt) {
			t.Errorf("a reader that breaks at %d: %v", n, err)
		}
	}
	if err := s.Save(&limited{left: 100, err: broken}); !errors.Is(err, broken) {
		t.Errorf("a full disk: %v", err)
	}
	if err := s.Save(&limited{left: len(data) - 1, err: broken}); !errors.Is(err, broken) {
		t.Errorf("a full disk at the end: %v", err)
	}
}

// limited is a writer that breaks after some bytes.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(b []byte) (int, error) {
	if l.left -= len(b); l.left < 0 {
		return 0, l.err
	}
	return len(b), nil
}

// TestSavedLarge damages a session of the demo model here and there.
func TestSavedLarge(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	collect(t, s.Generate(t.Context(), "Once upon a time", mminfer.GenerateOptions{MaxTokens: 3}))
	data, rng := saved(t, s), rand.New(rand.NewPCG(1, 1))
	for range 60 {
		n, bit := rng.IntN(len(data)), rng.IntN(8)
		if _, err := e.Load(bytes.NewReader(data[:n])); !errors.Is(err, mminfer.ErrCorrupt) {
			t.Fatalf("cut at %d: %v", n, err)
		}
		data[n] ^= 1 << bit
		if _, err := e.Load(bytes.NewReader(data)); !errors.Is(err, mminfer.ErrCorrupt) {
			t.Fatalf("bit %d of %d flipped: %v", bit, n, err)
		}
		data[n] ^= 1 << bit
	}
}

// TestSavedElsewhere loads sessions of other models, weights and tokenizers.
func TestSavedElsewhere(t *testing.T) {
	e := fable(t)
	s := e.NewSession()
	if err := s.FeedText(t.Context(), "The wolf"); err != nil {
		t.Fatal(err)
	}
	data := saved(t, s)
	if _, err := openGolden(t, noTokenizer).Load(bytes.NewReader(data)); !errors.Is(err, mminfer.ErrOtherModel) {
		t.Errorf("another model: %v", err)
	}
	for name, open := range map[string]func() (*mminfer.Engine, error){
		"q8": func() (*mminfer.Engine, error) {
			return mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithFormat(tensor.FormatQ8))
		},
		"other tokenizer": func() (*mminfer.Engine, error) {
			return mminfer.OpenFS(edited(t, "tokenizer.json", `"<|im_end|>"`, `"<|im_done|>"`), ".")
		},
	} {
		e, err := open()
		if err != nil {
			t.Fatal(name, err)
		}
		if _, err := e.Load(bytes.NewReader(data)); !errors.Is(err, mminfer.ErrOtherModel) {
			t.Errorf("%s: %v", name, err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// FuzzLoadSession: what is loaded is stored again as it was, and can be continued. Some files have
// their tokens sealed anew. (-fuzzminimizetime 10x: the files are large.)
func FuzzLoadSession(f *testing.F) {
	e := openGolden(f, "models/testdata/golden/mom_fla/topk_all")
	s := e.NewSession()
	f.Add(saved(f, s), true)
	if err := s.Feed(f.Context(), []int32{1, 2, 3}); err != nil {
		f.Fatal(err)
	}
	f.Add(saved(f, s), false)
	f.Add([]byte("mminfer\x02"), false)
	const sizes = 8 + 32
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal && len(data) > sizes+12 {
			n := sizes + 12 + int(binary.LittleEndian.Uint32(data[sizes:])) + int(binary.LittleEndian.Uint32(data[sizes+4:])) + int(binary.LittleEndian.Uint32(data[sizes+8:]))
			if n+sha256.Size <= len(data) {
				data = bytes.Clone(data)
				sum := sha256.Sum256(data[:n])
				copy(data[n:], sum[:])
			}
		}
		s, err := e.Load(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again := saved(t, s); !bytes.HasPrefix(data, again) {
			t.Fatalf("%d bytes came back as %d others", len(data), len(again))
		}
		for range s.Continue(t.Context(), mminfer.GenerateOptions{MaxTokens: 2}) {
		}
	})
}

// TestLoadClaims: a header that claims much and holds nothing costs nothing.
func TestLoadClaims(t *testing.T) {
	e := fable(t)
	data := saved(t, e.NewSession())
	const sizes = 8 + 32 // after the magic and the fingerprint
	for _, claim := range [][2]uint32{{1 << 10, 1 << 30}, {1 << 31, 0}, {0, 1<<32 - 1}, {20, 3}, {20, 1 << 20}} {
		binary.LittleEndian.PutUint32(data[sizes:], claim[0])
		binary.LittleEndian.PutUint32(data[sizes+4:], claim[1])
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := e.Load(bytes.NewReader(data))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, mminfer.ErrCorrupt) {
			t.Errorf("%v: %v", claim, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(8*len(data)) {
			t.Errorf("%v: %d bytes allocated for a file of %d", claim, n, len(data))
		}
	}
}

// TestLoadMismatch joins the tokens of one session to the state of another.
func TestLoadMismatch(t *testing.T) {
	e := openGolden(t, "models/testdata/golden/mom_fla/topk_all")
	file := func(ids ...int32) (tokens, state []byte) {
		s := e.NewSession()
		if err := s.Feed(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		data := saved(t, s)
		n := 8 + 32 + 12 + int(binary.LittleEndian.Uint32(data[40:])) + 4*len(ids) + 32
		return data[:n], data[n:]
	}
	tokens, _ := file(1, 2)
	_, longer := file(1, 2, 3, 4)
	if _, err := e.Load(bytes.NewReader(slices.Concat(tokens, longer))); !errors.Is(err, mminfer.ErrCorrupt) {
		t.Errorf("a state of more tokens than there are: %v", err)
	}
	_, equal := file(1, 2, 3)
	s, err := e.Load(bytes.NewReader(slices.Concat(tokens, equal)))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Continue(t.Context(), mminfer.GenerateOptions{}) {
		if n++; !errors.Is(err, mminfer.ErrNothingFed) {
			t.Errorf("a state of all tokens: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d results, want one error", n)
	}
}

// TestClose closes an engine under generating sessions: each ends with ErrClosed, and no goroutine
// is left.
func TestClose(t *testing.T) {
	runtime.GC()
	before := runtime.NumGoroutine()
	e, err := mminfer.OpenFS(demo.FS, demo.Fable, mminfer.WithThreads(3))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	started := make(chan struct{}, 100)
	endless := mminfer.GenerateOptions{IgnoreEOS: true}
	ends := make([]error, 3)
	for i := range 2 {
		wg.Go(func() {
			for _, err := range e.NewSession().Generate(context.Background(), "Once upon a time", endless) {
				ends[i] = err
				select {
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	wg.Go(func() {
		a, b := e.NewSession(), e.NewSession()
		if err := errors.Join(a.Feed(context.Background(), []int32{5}), b.Feed(context.Background(), []int32{6})); err != nil {
			ends[2] = err
			return
		}
		for _, err := range e.Together(context.Background(), []mminfer.Continuation{{Session: a, Options: endless}, {Session: b, Options: endless}}) {
			ends[2] = err
		}
	})
	for range 20 {
		<-started
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for i, err := range ends {
		if !errors.Is(err, mminfer.ErrClosed) {
			t.Errorf("generation %d ended with %v", i, err)
		}
	}
	s := e.NewSession()
	_, embed := e.Embed(t.Context(), "The wolf")
	_, score := e.LogProbs(t.Context(), []int32{1, 2})
	for i, err := range []error{embed, score, s.FeedText(t.Context(), "The wolf")} {
		if !errors.Is(err, mminfer.ErrClosed) {
			t.Errorf("call %d after Close: %v", i, err)
		}
	}
	if err := e.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestConcurrentSessions generates on one engine from several goroutines at once.
func TestConcurrentSessions(t *testing.T) {
	e := fable(t)
	generate := func(ctx context.Context, i int) (tokens []mminfer.Token, err error) {
		s := e.NewSession()
		s.Seed(uint64(i))
		for token, err := range s.Generate(ctx, "Once upon a time", drawn(12)) {
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token)
		}
		var b bytes.Buffer
		if err := s.Save(&b); err != nil {
			return nil, err
		}
		if s, err = e.Load(&b); err != nil {
			return nil, err
		}
		f := s.Fork()
		for token, err := range f.Continue(ctx, drawn(5)) {
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, token)
		}
		_, err = e.Embed(ctx, "The wolf")
		return tokens, err
	}
	var want [4][]mminfer.Token
	for i := range want {
		var err error
		if want[i], err = generate(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	var got [8][]mminfer.Token
	var errs [8]error
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], errs[i] = generate(t.Context(), i%len(want)) })
	}
	wg.Wait()
	for i := range got {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		sameTokens(t, "beside other goroutines", got[i], want[i%len(want)])
	}
}

// TestSharedMark rewinds forks to one mark from several goroutines.
func TestSharedMark(t *testing.T) {
	e := openGolden(t, noTokenizer)
	s := e.NewSession()
	if err := s.Feed(t.Context(), slices.Repeat([]int32{1, 2, 3}, 30)); err != nil {
		t.Fatal(err)
	}
	mark := s.Mark()
	opts := mminfer.GenerateOptions{MaxTokens: 20, IgnoreEOS: true}
	want := idsOf(collect(t, s.Continue(t.Context(), opts)))
	var wg sync.WaitGroup
	for range 4 {
		f := e.NewSession()
		wg.Go(func() {
			for range 5 {
				if err := f.Rewind(mark); err != nil {
					t.Error(err)
				}
				var ids []int32
				for token, err := range f.Continue(context.Background(), opts) {
					if err != nil {
						t.Error(err)
					}
					ids = append(ids, token.ID)
				}
				if !slices.Equal(ids, want) {
					t.Errorf("%v, want %v", ids, want)
				}
			}
		})
	}
	wg.Wait()
}
