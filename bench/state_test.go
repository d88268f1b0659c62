package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// BenchmarkState reports milliseconds to the next token after a prefix of 4096 tokens: cold, the same again, extended by 16
// tokens, a branch of 16 other tokens after three quarters, back at the first conversation; then of saving the session, of
// restoring it in a new engine, extending that by 16, and the same prompt again. Weights are q8, and there is one thread.
func BenchmarkState(b *testing.B) {
	for _, arch := range []string{"llama-135m", "mamba2-130m"} {
		b.Run("arch="+arch, func(b *testing.B) {
			dir := checkpoint(b, arch)
			for b.Loop() {
				stateRound(b, dir)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func stateRound(b *testing.B, dir string) {
	open := func() *mminfer.Engine {
		e, err := mminfer.Open(dir, mminfer.WithFormat(tensor.FormatQ8), mminfer.WithThreads(1))
		if err != nil {
			b.Fatal(err)
		}
		return e
	}
	timed := func(name string, f func() error) {
		start := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(1e3*time.Since(start).Seconds(), name+"-ms")
	}
	e := open()
	s := e.NewSession()
	random := rand.New(rand.NewPCG(1, 1))
	ids := make([]int32, 4096+32)
	for i := range ids {
		ids[i] = int32(random.IntN(e.Info().Vocab))
	}
	prefix, more, other := ids[:4096], ids[4096:4112], ids[4112:]
	var cut, whole, extended *mminfer.Mark
	timed("cold", func() error {
		if err := s.Feed(b.Context(), prefix[:3072]); err != nil {
			return err
		}
		cut = s.Mark()
		err := s.Feed(b.Context(), prefix[3072:])
		whole = s.Mark()
		return errors.Join(err, next(b, s))
	})
	from := func(m *mminfer.Mark, ids []int32) func() error {
		return func() error {
			return errors.Join(s.Rewind(m), s.Feed(b.Context(), ids), next(b, s))
		}
	}
	timed("same", from(whole, nil))
	timed("extend", func() error {
		err := errors.Join(s.Rewind(whole), s.Feed(b.Context(), more))
		extended = s.Mark()
		return errors.Join(err, next(b, s))
	})
	timed("branch", from(cut, other))
	timed("back", from(extended, nil))
	if err := s.Rewind(extended); err != nil {
		b.Fatal(err)
	}
	var file bytes.Buffer
	timed("save", func() error { return s.Save(&file) })
	b.ReportMetric(float64(file.Len()), "file-bytes")
	if err := e.Close(); err != nil {
		b.Fatal(err)
	}
	e = open()
	defer e.Close()
	timed("restore", func() (err error) {
		s, err = e.Load(bytes.NewReader(file.Bytes()))
		return err
	})
	restored := s.Mark()
	timed("restored-extend", func() error { return errors.Join(s.Feed(b.Context(), other), next(b, s)) })
	timed("restored-same", from(restored, nil))
}

// next computes the next token.
func next(b *testing.B, s *mminfer.Session) error {
	for _, err := range s.Continue(b.Context(), mminfer.GenerateOptions{MaxTokens: 1}) {
		return err
	}
	return nil
}

// BenchmarkRestore reports the median milliseconds of restoring a state of 4096 tokens from a file that the system has in memory,
// and of the token after it and the one after that, which does not touch new memory. Weights are bf16, and there is a thread for
// every core.
func BenchmarkRestore(b *testing.B) {
	for _, c := range []struct {
		arch string
		kv   tensor.Format
	}{{"mamba2-130m", tensor.FormatAuto}, {"mom-340m", tensor.FormatAuto}, {"llama-135m", tensor.FormatF32}, {"llama-135m", tensor.FormatF16}, {"llama-135m", tensor.FormatQ8}} {
		b.Run(fmt.Sprintf("arch=%s/kv=%v", c.arch, c.kv), func(b *testing.B) {
			x := load(b, checkpoint(b, c.arch), models.Options{Format: tensor.FormatBF16, KV: c.kv})
			state := x.m.NewState()
			state.Skip(4096)
			file, err := os.Create(filepath.Join(b.TempDir(), "state"))
			if err != nil {
				b.Fatal(err)
			}
			defer file.Close()
			size, err := state.WriteTo(file)
			if err != nil {
				b.Fatal(err)
			}
			var restore, first, second []float64
			for b.Loop() {
				start := time.Now()
				lap := func() float64 {
					ms := 1e3 * time.Since(start).Seconds()
					start = time.Now()
					return ms
				}
				if _, err := file.Seek(0, io.SeekStart); err != nil {
					b.Fatal(err)
				}
				s, err := x.m.ReadState(file, x.ws.Pool)
				if err != nil {
					b.Fatal(err)
				}
				restore = append(restore, lap())
				batch := &models.Batch{Seqs: []models.Seq{{State: s, Want: models.WantLast}}}
				x.feed(b, batch, x.tokens(1))
				first = append(first, lap())
				x.feed(b, batch, x.tokens(1))
				second = append(second, lap())
			}
			b.ReportMetric(median(restore), "restore-ms")
			b.ReportMetric(median(first), "first-ms")
			b.ReportMetric(median(second), "second-ms")
			b.ReportMetric(float64(size), "file-bytes")
			b.ReportMetric(0, "ns/op")
		})
	}
}
