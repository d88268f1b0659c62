package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tokenizer"
)

// tokenize is the command of that name.
type tokenize struct {
	*app
	dir, file             string
	special, pieces, json bool
}

// tokenized is what --json writes.
type tokenized struct {
	Count  int     `json:"count"`
	IDs    []int32 `json:"ids"`
	Tokens []piece `json:"tokens"`
}

// piece is one token of a text.
type piece struct {
	ID    int32  `json:"id"`
	Piece string `json:"piece"` // as the vocabulary spells it
	Bytes []byte `json:"bytes"` // what it decodes to, base64
	Start int    `json:"start"` // in code points of the text
	End   int    `json:"end"`
}

func (a *app) tokenizeCommand() *cobra.Command {
	t := &tokenize{app: a}
	c := &cobra.Command{
		Use:   "tokenize [TEXT]",
		Short: "Cut a text into tokens",
		Long: `Tokenize writes the ids of a text's tokens on one line. The text comes from the
arguments, from -f FILE, or from standard input if that is a file or a pipe, of which
every byte counts. Only the model's tokenizer is read, not its weights.`,
		Example: `  mminfer tokenize "Once upon a time"
  mminfer tokenize "Once upon a time" --pieces
  mminfer tokenize -f demo/fable/held.txt --json
  mminfer tokenize "Once upon a time" | mminfer detokenize`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := c.Flags()
	modelFlag(c, &t.dir)
	f.StringVarP(&t.file, "file", "f", "", "read the text from `FILE`, - for standard input")
	f.BoolVar(&t.special, "special", false, "recognise control tokens in the text and add what the tokenizer puts around one")
	f.BoolVar(&t.pieces, "pieces", false, "write a line for each token: id, code points of the text, piece")
	f.BoolVar(&t.json, "json", false, "write JSON: ids, pieces, bytes, offsets")
	c.MarkFlagsMutuallyExclusive("pieces", "json")
	return a.command(c, t.run)
}

func (t *tokenize) run(_ context.Context, args []string) error {
	text, found, err := t.readText(args, t.file)
	if err != nil {
		return err
	}
	if !found {
		return usagef("there is no text: give it as an argument, with -f FILE or on standard input")
	}
	tok, err := openTokenizer(t.dir)
	if err != nil {
		return err
	}
	opts := tokenizer.EncodeOptions{AddSpecial: t.special}
	if t.special {
		opts.Recognize = tokenizer.RecognizeAll
	}
	if !t.pieces && !t.json {
		ids, err := tok.TryEncode(nil, text, opts)
		if err != nil {
			return err
		}
		return t.line(ids)
	}
	ids, spans := tok.EncodeOffsets(text, opts)
	all := tokenized{len(ids), append([]int32{}, ids...), []piece{}}
	for i, id := range ids {
		content, _ := tok.Token(id)
		bytes, _ := tok.TokenBytes(id)
		all.Tokens = append(all.Tokens, piece{id, content, []byte(bytes), spans[i].Start, spans[i].End})
	}
	if t.json {
		return writeJSON(t.out, all)
	}
	return t.table(all.Tokens)
}

// line writes ids on one line.
func (t *tokenize) line(ids []int32) error {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	_, err := fmt.Fprintln(t.out, strings.Join(words, " "))
	return err
}

// table writes a line for each token.
func (t *tokenize) table(tokens []piece) error {
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	for _, p := range tokens {
		fmt.Fprintf(w, "%d\t%d-%d\t%s\n", p.ID, p.Start, p.End, strconv.Quote(string(p.Bytes)))
	}
	return w.Flush()
}

// openTokenizer reads the tokenizer of a model directory or GGUF file, or of the built-in model.
func openTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	ck, err := openFiles(dir)
	if err != nil {
		return nil, err
	}
	defer ck.Close()
	return tokenizerOf(ck)
}

// tokenizerOf reads the tokenizer of a model.
func tokenizerOf(ck *loader.Checkpoint) (*tokenizer.Tokenizer, error) {
	if g := ck.GGUF(); g != nil {
		return mminfer.GGUFTokenizer(g)
	}
	return tokenizer.Open(ck.File)
}

// detokenize is the command of that name.
type detokenize struct {
	*app
	dir, file string
	skip      bool
}

func (a *app) detokenizeCommand() *cobra.Command {
	d := &detokenize{app: a}
	c := &cobra.Command{
		Use:   "detokenize [ID...]",
		Short: "Turn token ids back into text",
		Long: `Detokenize writes the text of token ids and nothing else. The ids come from the
arguments, from -f FILE, or from standard input, separated by white space or commas;
a JSON list is fine.`,
		Example: `  mminfer detokenize 2307 571 261 533
  mminfer tokenize "Once upon a time" | mminfer detokenize
  echo "[2307, 571]" | mminfer detokenize`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	f := c.Flags()
	modelFlag(c, &d.dir)
	f.StringVarP(&d.file, "file", "f", "", "read the ids from `FILE`, - for standard input")
	f.BoolVar(&d.skip, "skip-special", false, "leave control tokens out")
	return a.command(c, d.run)
}

func (d *detokenize) run(_ context.Context, args []string) error {
	text, found, err := d.readText(args, d.file)
	if err != nil {
		return err
	}
	if !found {
		return usagef("there are no ids: give them as arguments, with -f FILE or on standard input")
	}
	ids, err := parseIDs(text)
	if err != nil {
		return err
	}
	tok, err := openTokenizer(d.dir)
	if err != nil {
		return err
	}
	decoded, err := tok.Decode(ids, d.skip)
	if err != nil {
		return err
	}
	_, err = d.out.Write([]byte(decoded))
	if err == nil && isTerminal(d.out.w) && !strings.HasSuffix(decoded, "\n") {
		_, err = fmt.Fprintln(d.out)
	}
	return err
}

// parseIDs reads numbers between white space, commas and brackets.
func parseIDs(text string) ([]int32, error) {
	var ids []int32
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,[]", r) }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			if !utf8.ValidString(word) || len(word) > 20 {
				return nil, errors.New("found what is not a number; expected token ids")
			}
			return nil, fmt.Errorf("found %q, expected a token id", word)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}
