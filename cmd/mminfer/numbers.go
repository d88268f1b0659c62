package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// grouped writes a number with separated thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bytesText writes a size in decimal units.
func bytesText(n int64) string { return scaled(float64(n), "B") }

// countText writes a number of parameters.
func countText(n int64) string { return strings.TrimSpace(scaled(float64(n), "")) }

// scaled writes three digits of x with the fitting prefix.
func scaled(x float64, unit string) string {
	prefix := 0
	for ; x >= 999.5 && prefix < 4; prefix++ {
		x /= 1000
	}
	digits := 0
	if prefix > 0 && x < 999.5 {
		digits = max(0, 2-int(math.Log10(max(x, 1))))
	}
	return fmt.Sprintf("%.*f %s%s", digits, x, []string{"", "k", "M", "G", "T"}[prefix], unit)
}

// tokensText writes a number of tokens.
func tokensText(n int64) string { return grouped(n) + " tokens" }

// writeJSON writes v as indented JSON.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// plural returns a number of things by their name.
func plural(n int, name string) string {
	if n != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s", n, name)
}
