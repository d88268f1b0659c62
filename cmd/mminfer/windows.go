package main

import (
	"fmt"
	"math"

	"github.com/spf13/cobra"
)

// windowFlags choose a text to predict and cut it into windows that are each read from an empty
// state.
type windowFlags struct {
	file                    string
	special                 bool
	context, stride, tokens whole
}

func newWindowFlags(c *cobra.Command) *windowFlags {
	w := &windowFlags{
		context: whole{max: math.MaxInt32}, stride: whole{max: math.MaxInt32}, tokens: whole{max: math.MaxInt32},
	}
	c.Flags().StringVarP(&w.file, "file", "f", "", "the text, - for standard input")
	c.Flags().VarP(&w.context, "context", "c", "read the text in windows of n tokens, each from an empty state; 0 reads it whole")
	c.Flags().Var(&w.stride, "stride", "tokens from one window's start to the next one's; only what no window before has counted counts (default: the context)")
	c.Flags().Lookup("stride").DefValue = ""
	c.Flags().VarP(&w.tokens, "tokens", "n", "use the first n tokens only, 0 for all")
	c.Flags().BoolVar(&w.special, "special", false, "recognise control tokens in the text and add what the tokenizer puts around one")
	return w
}

// window is a part of a text: tokens [from, to) are read, and those from score on are predicted.
type window struct{ from, score, to int }

// read refuses windows without meaning, and returns the text.
func (w *windowFlags) read(a *app) (string, error) {
	if err := w.check(); err != nil {
		return "", err
	}
	text, found, err := a.readText(nil, w.file)
	if err == nil && !found {
		err = usagef("there is no text: give it with -f FILE or on standard input")
	}
	return text, err
}

func (w *windowFlags) check() error {
	switch size, stride := w.context.value, w.stride.value; {
	case size == 0 && stride > 0:
		return usagef("--stride needs --context")
	case size == 1:
		return usagef("--context 1: a window needs 2 tokens, one to predict from")
	case stride > size:
		return usagef("--stride %d is more than --context %d: tokens between would be left out", stride, size)
	}
	return nil
}

// cut returns the tokens to use and their windows.
func (w *windowFlags) cut(ids []int32) ([]int32, []window, error) {
	if n := w.tokens.value; n > 0 && n < len(ids) {
		ids = ids[:n]
	}
	if len(ids) < 2 {
		return nil, nil, fmt.Errorf("the text has %d tokens; at least 2 are needed", len(ids))
	}
	size, stride := w.context.value, w.stride.value
	if size == 0 {
		size = len(ids)
	}
	if stride == 0 {
		stride = size
	}
	var windows []window
	for from, end := 0, 0; end < len(ids); from += stride {
		w := window{from, max(end, from+1), min(from+size, len(ids))}
		if w.score < w.to {
			windows = append(windows, w)
		}
		end = w.to
	}
	return ids, windows, nil
}

// predicted is the number of tokens that windows predict.
func predicted(windows []window) (n int) {
	for _, w := range windows {
		n += w.to - w.score
	}
	return n
}
