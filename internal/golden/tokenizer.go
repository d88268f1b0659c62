package golden

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/tokenizer"
)

// Vocabulary is a directory of texts and their tokens, with the tokenizer that makes them.
type Vocabulary struct {
	dir       string
	tokenizer *tokenizer.Tokenizer
}

// OpenVocabulary reads the tokenizer of a directory; that of smollm2 lies in two files. Where the
// directory lists what the tokenizers library does otherwise, the tokenizer is sentencepiece's.
func OpenVocabulary(dir string) (*Vocabulary, error) {
	v := &Vocabulary{dir: dir}
	if _, err := os.Stat(filepath.Join(dir, "tokenizers_lib_differs.jsonl")); err == nil {
		v.tokenizer, err = sentencePiece(dir)
		return v, err
	}
	t, err := tokenizer.Open(func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(dir, name)) })
	if errors.Is(err, fs.ErrNotExist) {
		var raw []byte
		if raw, err = v.joined(); err == nil {
			t, err = tokenizer.Parse(raw)
		}
	}
	v.tokenizer = t
	return v, err
}

// sentencePiece reads tokenizer.model with the added tokens that only tokenizer.json has.
func sentencePiece(dir string) (*tokenizer.Tokenizer, error) {
	model, err := os.ReadFile(filepath.Join(dir, "tokenizer.model"))
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if err != nil {
		return nil, err
	}
	library, err := tokenizer.Parse(raw)
	if err != nil {
		return nil, err
	}
	t, err := tokenizer.ParseSentencePiece(model, tokenizer.SentencePieceOptions{})
	if err != nil {
		return nil, err
	}
	var opts tokenizer.SentencePieceOptions
	for _, added := range library.AddedTokens() {
		if int(added.ID) >= t.VocabSize() {
			opts.Added = append(opts.Added, added)
		}
	}
	return tokenizer.ParseSentencePiece(model, opts)
}

// joined puts merges.txt.gz into tokenizer_base.json: token 252+i is the two halves of line i.
func (v *Vocabulary) joined() ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(v.dir, "tokenizer_base.json"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(v.dir, "merges.txt.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var base map[string]any
	if err := json.Unmarshal(raw, &base); err != nil {
		return nil, err
	}
	model, _ := base["model"].(map[string]any)
	vocab, _ := model["vocab"].(map[string]any)
	if vocab == nil {
		return nil, fmt.Errorf("golden: %s: tokenizer_base.json has no vocabulary", v.dir)
	}
	var merges []string
	for lines := bufio.NewScanner(z); lines.Scan(); {
		vocab[strings.Replace(lines.Text(), " ", "", 1)] = 252 + len(merges)
		merges = append(merges, lines.Text())
	}
	model["merges"] = merges
	return json.Marshal(base)
}

// all finds every added token, as the libraries do.
var all = tokenizer.EncodeOptions{Recognize: tokenizer.RecognizeAll}

// textCase is a line of cases.jsonl.
type textCase struct {
	Tag         string
	Text        string
	Bytes       *string `json:"bytes_b64"`
	IDs         []int32
	Plain       *[]int32 `json:"ids_no_special"`
	Fallback    *[]int32 `json:"ids_byte_fallback"` // accepted as well
	Decoded     *string
	DecodedSkip *string `json:"decoded_skip"`
	Offsets     []int
}

// Cases calls check with what is wrong with each case of cases.jsonl, nil if nothing. Where the
// libraries differ, either's ids are right, and the texts are not compared. Letters that depend on
// the version of Unicode are not counted.
func (v *Vocabulary) Cases(check func(error)) error {
	other := map[int][]int32{}
	for _, name := range []string{"sentencepiece_differs.jsonl", "tokenizers_lib_differs.jsonl"} {
		err := readLines(v.dir, name, func(_ int, c *struct {
			Line int
			IDs  []int32 `json:"ids_no_special"`
		}) {
			other[c.Line] = c.IDs
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return readLines(v.dir, "cases.jsonl", func(line int, c *textCase) {
		if c.Tag == "unicode_version" {
			return
		}
		ids, differ := other[line]
		if err := v.text(c, ids, differ); err != nil {
			check(fmt.Errorf("line %d (%s): %w", line, c.Tag, err))
		} else {
			check(nil)
		}
	})
}

// text checks one case; other holds another library's ids where they differ.
func (v *Vocabulary) text(c *textCase, other []int32, differ bool) error {
	text := c.Text
	if c.Bytes != nil {
		raw, err := base64.StdEncoding.DecodeString(*c.Bytes)
		if err != nil {
			return err
		}
		text = string(raw)
	}
	plain := c.IDs
	if c.Plain != nil {
		plain = *c.Plain
	}
	got, spans := v.tokenizer.EncodeOffsets(text, all)
	switch {
	case slices.Equal(got, plain):
	case differ && slices.Equal(got, other), c.Fallback != nil && slices.Equal(got, *c.Fallback):
		return nil
	default:
		return fmt.Errorf("%q: ids %v, want %v", text, got, plain)
	}
	special := all
	special.AddSpecial = true
	if got := v.tokenizer.Encode(nil, text, special); !slices.Equal(got, c.IDs) {
		return fmt.Errorf("%q: ids %v, want %v", text, got, c.IDs)
	}
	for i, s := range spans {
		if c.Offsets != nil && (s.Start != c.Offsets[2*i] || s.End != c.Offsets[2*i+1]) {
			return fmt.Errorf("%q: token %d is %d-%d of the text, want %d-%d", text, i, s.Start, s.End, c.Offsets[2*i], c.Offsets[2*i+1])
		}
	}
	if c.Tag == "invalid_utf8" || differ {
		return nil
	}
	decoded, skipped := text, text
	if c.Decoded != nil {
		decoded, skipped = *c.Decoded, *c.Decoded
	}
	if c.DecodedSkip != nil {
		skipped = *c.DecodedSkip
	}
	return errors.Join(v.decodes(plain, false, decoded), v.decodes(c.IDs, true, skipped))
}

func (v *Vocabulary) decodes(ids []int32, skip bool, want string) error {
	got, err := v.tokenizer.Decode(ids, skip)
	if err == nil && got != want {
		err = fmt.Errorf("%v decodes to %q, want %q", ids, got, want)
	}
	return err
}

// Long checks long.jsonl: texts of many repetitions.
func (v *Vocabulary) Long(check func(error)) error {
	return readLines(v.dir, "long.jsonl", func(line int, c *struct {
		Repeat []repeated
		N      int
		SHA256 string
	}) {
		var text strings.Builder
		for _, r := range c.Repeat {
			text.WriteString(strings.Repeat(r.text, r.n))
		}
		ids := v.tokenizer.Encode(nil, text.String(), all)
		h := sha256.New()
		for k, id := range ids {
			if k > 0 {
				h.Write([]byte{','})
			}
			h.Write(strconv.AppendInt(nil, int64(id), 10))
		}
		if len(ids) != c.N || hex.EncodeToString(h.Sum(nil)) != c.SHA256 {
			check(fmt.Errorf("line %d: %d ids, want %d, or others", line, len(ids), c.N))
			return
		}
		check(nil)
	})
}

// repeated is a text and how often it stands: a list of the two.
type repeated struct {
	text string
	n    int
}

// UnmarshalJSON reads one.
func (r *repeated) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.text, &r.n})
}

// Stream checks stream.jsonl, which not every vocabulary has: what can be shown after each id.
func (v *Vocabulary) Stream(check func(error)) error {
	err := readLines(v.dir, "stream.jsonl", func(line int, c *struct {
		IDs    []int32
		Chunks []string
		Tail   string
	}) {
		check(v.chunks(line, c.IDs, append(c.Chunks, c.Tail)))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// chunks checks what is shown after each id and at the end.
func (v *Vocabulary) chunks(line int, ids []int32, want []string) error {
	s := v.tokenizer.Stream(true)
	for k, id := range ids {
		got, err := s.Next(id)
		if err == nil && string(got) != want[k] {
			err = fmt.Errorf("after id %d %q is shown, want %q", k, got, want[k])
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
	if got := string(s.Flush()); got != want[len(ids)] {
		return fmt.Errorf("line %d: %q is left, want %q", line, got, want[len(ids)])
	}
	return nil
}

// readLines decodes a file of one JSON object a line; lines count from 1.
func readLines[T any](dir, name string, each func(line int, x *T)) error {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	for line := 1; ; line++ {
		x := new(T)
		switch err := d.Decode(x); err {
		case nil:
			each(line, x)
		case io.EOF:
			return nil
		default:
			return fmt.Errorf("golden: %s: line %d: %w", filepath.Join(dir, name), line, err)
		}
	}
}
