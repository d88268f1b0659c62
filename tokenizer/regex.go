package tokenizer

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// Bounds of a regular expression for which there is no scanner.
const (
	maxRegex    = 1 << 12               // bytes
	matchBudget = 2 * time.Second       // for one match
	textBudget  = 2 * time.Second       // for all matches in one piece of text, and
	byteBudget  = 10 * time.Microsecond // more for each of its bytes
)

// A foreignRegex is a regular expression for which there is no scanner. It backtracks: its matches
// are those of the library, but a hostile text can make it give up.
type foreignRegex struct {
	re     *regexp2.Regexp
	source string
}

// newForeignRegex compiles an expression. As in the library's engine, ^ and $ match at lines.
func newForeignRegex(source string) (*foreignRegex, error) {
	if len(source) > maxRegex {
		return nil, fmt.Errorf("regular expression of %d bytes, expected at most %d", len(source), maxRegex)
	}
	translated, err := translateRegex(source)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q is not supported: %w", source, err)
	}
	re, err := regexp2.Compile(translated, regexp2.Multiline)
	if err != nil {
		return nil, fmt.Errorf("regular expression %q is not supported: %w", source, err)
	}
	re.MatchTimeout = matchBudget
	return &foreignRegex{re, source}, nil
}

// all appends the matches in s[from:], which may be empty, to dst.
func (r *foreignRegex) all(dst []extent, s []byte, from int) ([]extent, error) {
	runes := []rune(string(s[from:]))
	budget := textBudget + time.Duration(len(s)-from)*byteBudget
	deadline := time.Now().Add(budget)
	at, index, last := from, 0, -1 // byte and character; end of the last match
	m, err := r.re.FindRunesMatch(runes)
	for m != nil && err == nil {
		var x extent
		for ; index < m.Index; index++ {
			at += utf8.RuneLen(runes[index])
		}
		x.start = at
		for ; index < m.Index+m.Length; index++ {
			at += utf8.RuneLen(runes[index])
		}
		x.end = at
		// As in the library, no empty match follows another match at once.
		if x.start < x.end || x.end != last {
			dst = append(dst, x)
			last = x.end
		}
		if time.Now().After(deadline) {
			err = fmt.Errorf("more than %v", budget)
			break
		}
		m, err = r.re.FindNextMatch(m)
	}
	if err != nil {
		err = fmt.Errorf("tokenizer: encode: regular expression %q gave up at byte %d of a text of %d: %w; use a shorter text",
			r.source, at, len(s), err)
	}
	return dst, err
}
