package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watched is a writer that calls then once its text is n bytes long.
type watched struct {
	mu   sync.Mutex
	b    bytes.Buffer
	n    int
	then func()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.b.Write(p); w.then != nil && w.b.Len() >= w.n {
		w.then()
		w.then = nil
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

// Interrupted anywhere, the text is the beginning of the whole one, and the session that was
// saved goes on with the rest.
func TestInterruptedGeneration(t *testing.T) {
	whole := must(t, "", "generate", "Once upon a time", "-n", "24", "--seed", "3")
	for _, n := range []int{1, 25, 60} {
		file := filepath.Join(t.TempDir(), "story")
		ctx, cancel := context.WithCancel(t.Context())
		out := &watched{n: n, then: cancel}
		code := run(ctx, []string{"generate", "Once upon a time", "-n", "24", "--seed", "3", "--save", file}, nil, out, io.Discard, nil)
		text, ended := strings.CutSuffix(out.String(), "\n")
		if code != exitInterrupted || !ended || len(text) >= len(whole)-1 || !strings.HasPrefix(whole, text) {
			t.Fatalf("after %d bytes: exit code %d and %q, expected the beginning of %q", n, code, text, whole)
		}
		rest := must(t, "", "generate", "--load", file, "-n", "24")
		if got := text + rest; !strings.HasPrefix(got, strings.TrimSuffix(whole, "\n")) {
			t.Errorf("after %d bytes: then %q, expected %q", n, got, whole)
		}
	}
}

func TestInterruptedJSON(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	errs := &watched{n: 1, then: func() { time.AfterFunc(300*time.Millisecond, cancel) }} // -v tells the seed first
	var out bytes.Buffer
	code := run(ctx, []string{"generate", "Once upon a time", "-n", "0", "--logit-bias", "0=-inf", "--json", "-v"}, nil, &out, errs, nil)
	if code != exitInterrupted || !strings.Contains(out.String(), `"stop": "interrupted"`) {
		t.Errorf("exit code %d and %q", code, out.String())
	}
}

// An interruption before the first token leaves nothing behind.
func TestInterruptedEarly(t *testing.T) {
	file := filepath.Join(t.TempDir(), "story")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{
		{"generate", "Once", "--save", file}, {"chat"}, {"verify", "../../demo/fable"}, {"perplexity", "-f", "../../demo/fable/held.txt"}, {"bench"}, {"doctor"},
	} {
		var out bytes.Buffer
		if code := run(ctx, args, strings.NewReader(""), &out, io.Discard, nil); code != exitInterrupted && args[0] != "chat" || out.Len() > 0 {
			t.Errorf("%v: exit code %d and %q", args, code, out.String())
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a session without a text was saved")
	}
}

// A command that waits and cannot end is left after a second interruption, or after a while.
func TestAbandoned(t *testing.T) {
	for _, signals := range []int{1, 2} {
		never, _ := io.Pipe()
		a := newApp(never, io.Discard, io.Discard, nil)
		for range signals {
			a.signals <- os.Interrupt
		}
		start := time.Now()
		if code := a.run(t.Context(), []string{"generate"}); code != exitInterrupted {
			t.Errorf("%d signals: exit code %d", signals, code)
		}
		if d := time.Since(start); (d < grace) != (signals == 2) {
			t.Errorf("%d signals: it took %v", signals, d)
		}
	}
}

// In a chat the first interruption ends the reply, one at the prompt ends the program.
func TestInterruptedChat(t *testing.T) {
	stdin, typing := io.Pipe()
	replied := make(chan struct{})
	out := &watched{n: 60, then: func() { close(replied) }}
	a := newApp(stdin, out, io.Discard, nil)
	a.interactive = true
	code := make(chan int)
	go func() {
		code <- a.run(t.Context(), []string{"chat", "-n", "0", "--seed", "1", "--logit-bias", "0=-inf", "-t", "1"})
	}()
	io.WriteString(typing, "Once upon a time\n")
	<-replied
	a.signals <- os.Interrupt
	io.WriteString(typing, "/help\n")
	io.WriteString(typing, "/help\n") // is read once the first is under way, so the reply has ended
	if a.reply.Load() != nil {
		t.Error("the reply goes on")
	}
	select {
	case c := <-code:
		t.Fatalf("the chat ended with code %d", c)
	default:
	}
	a.signals <- os.Interrupt
	if c := <-code; c != exitInterrupted {
		t.Errorf("exit code %d", c)
	}
	whole := must(t, "", "generate", "Once upon a time", "-n", "60", "--seed", "1", "--logit-bias", "0=-inf")
	reply, _, _ := strings.Cut(strings.TrimPrefix(out.String(), "> "), "\n> ")
	if got := "Once upon a time" + reply; !strings.HasPrefix(whole, got) && !strings.HasPrefix(got, strings.TrimSuffix(whole, "\n")) {
		t.Errorf("found %q, expected the beginning of %q", got, whole)
	}
}
