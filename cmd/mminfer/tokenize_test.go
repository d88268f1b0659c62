package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// What tokenize writes, detokenize reads; the bytes come back as they were.
func TestTokenizeRoundTrip(t *testing.T) {
	for _, text := range []string{"Once upon a time", "", "\n", " naïve 日本 🙂\r\n", "a\x00b\n\n"} {
		ids := must(t, text, "tokenize", "-f", "-")
		if got := must(t, ids, "detokenize"); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := must(t, "[2307, 571,\n261]", "detokenize"); got != "Once upon a" {
		t.Errorf("a list became %q", got)
	}
}

func TestTokenizeJSON(t *testing.T) {
	const text = "Once: naïve 日本"
	var got tokenized
	if err := json.Unmarshal([]byte(must(t, text, "tokenize", "--json")), &got); err != nil {
		t.Fatal(err)
	}
	var all []byte
	for i, p := range got.Tokens {
		all = append(all, p.Bytes...)
		if p.ID != got.IDs[i] || p.Start > p.End || i > 0 && p.Start < got.Tokens[i-1].Start {
			t.Errorf("token %d: %+v", i, p)
		}
	}
	if got.Count != len(got.IDs) || !bytes.Equal(all, []byte(text)) || got.Tokens[len(got.Tokens)-1].End != len([]rune(text)) {
		t.Errorf("found %+v", got)
	}
	if lines := must(t, text, "tokenize", "--pieces"); strings.Count(lines, "\n") != got.Count || !strings.Contains(lines, `"\xc3"`) {
		t.Errorf("found\n%s", lines)
	}
}

func TestDetokenizeRefuses(t *testing.T) {
	for ids, want := range map[string]string{"1 x": `found "x"`, "5000": "5000", "-1": "-1", "1 \xff": "expected token ids", "99999999999": "99999999999"} {
		if code, out, errs := cli(t, ids, "detokenize"); code != exitError || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%q: exit code %d, output %q, message %q", ids, code, out, errs)
		}
	}
}
