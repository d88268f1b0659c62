package main

import (
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/tensor"
)

// number is a flag that takes a number within bounds.
type number struct {
	value    float64
	min, max float64
}

func (n *number) String() string { return strconv.FormatFloat(n.value, 'g', -1, 64) }
func (n *number) Type() string   { return "x" }

func (n *number) Set(s string) error {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || !(x >= n.min && x <= n.max) {
		return fmt.Errorf("expected %s", bounds("a number", n.min, n.max, math.MaxFloat64))
	}
	n.value = x
	return nil
}

// whole is a flag that takes a whole number within bounds.
type whole struct {
	value    int
	min, max int
}

func (n *whole) String() string { return strconv.Itoa(n.value) }
func (n *whole) Type() string   { return "n" }

func (n *whole) Set(s string) error {
	x, err := strconv.Atoi(s)
	if err != nil || x < n.min || x > n.max {
		return fmt.Errorf("expected %s", bounds("a whole number", float64(n.min), float64(n.max), math.MaxInt32))
	}
	n.value = x
	return nil
}

func bounds(what string, lo, hi, unbounded float64) string {
	switch {
	case lo == -unbounded:
		return what
	case hi == unbounded:
		return fmt.Sprintf("%s of at least %v", what, lo)
	}
	return fmt.Sprintf("%s from %v to %v", what, lo, hi)
}

// format is a flag that takes a weight format.
type format struct{ tensor.Format }

func (f *format) Type() string { return "format" }

func (f *format) Set(s string) (err error) {
	if s == "q8_0" { // its name in other engines
		s = "q8"
	}
	if f.Format, err = tensor.ParseFormat(s); err != nil {
		return fmt.Errorf("expected %s", strings.Join(formatNames(), ", "))
	}
	return nil
}

// formatNames lists the weight formats.
func formatNames() (names []string) {
	for f := tensor.Format(0); ; f++ {
		if _, err := tensor.ParseFormat(f.String()); err != nil {
			return names
		}
		names = append(names, f.String())
	}
}

// choice is a flag that takes one of some words.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(s string) error {
	for _, w := range c.words {
		if s == w {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("expected %s", strings.Join(c.words, ", "))
}

// maxThreads bounds -t.
const maxThreads = 1024

func quantHelp() string {
	return "weights in memory: " + strings.Join(formatNames(), ", ") + "; bf16-dot rounds activations, too, and is for AVX-512 BF16"
}

// completeQuant completes --quant on the command line.
func completeQuant(c *cobra.Command) {
	// The error would be that the flag does not exist.
	_ = c.RegisterFlagCompletionFunc("quant", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
}

// threadsFlag adds -t.
func threadsFlag(c *cobra.Command) *whole {
	n := &whole{runtime.GOMAXPROCS(0), 1, maxThreads}
	c.Flags().VarP(n, "threads", "t", "threads that share a computation")
	return n
}

// quantFlag adds --quant.
func quantFlag(c *cobra.Command) *format {
	f := new(format)
	c.Flags().Var(f, "quant", quantHelp())
	completeQuant(c)
	return f
}

// kvFormats are the formats of keys and values.
var kvFormats = map[string]tensor.Format{"f32": tensor.FormatF32, "bf16": tensor.FormatBF16, "f16": tensor.FormatF16, "q8": tensor.FormatQ8}

// kvFlag adds --kv.
func kvFlag(c *cobra.Command) *choice {
	k := &choice{"f32", []string{"f32", "bf16", "f16", "q8"}}
	c.Flags().Var(k, "kv", "keys and values of softmax attention in memory: "+strings.Join(k.words, ", "))
	return k
}

// list is a flag that takes several values, separated by commas.
type list[T any, P interface {
	*T
	Set(string) error
	String() string
	Type() string
}] struct {
	zero   T // what values begin as
	values []T
}

func (l *list[T, P]) String() string {
	var words []string
	for i := range l.values {
		words = append(words, P(&l.values[i]).String())
	}
	return strings.Join(words, ",")
}

func (l *list[T, P]) Type() string { return P(&l.zero).Type() + ",..." }

func (l *list[T, P]) Set(s string) error {
	l.values = nil
	for word := range strings.SplitSeq(s, ",") {
		v := l.zero
		if err := P(&v).Set(strings.TrimSpace(word)); err != nil {
			return err
		}
		l.values = append(l.values, v)
	}
	return nil
}
