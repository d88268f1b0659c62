package main

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// embed is the command of that name.
type embed struct {
	*app
	model  *modelFlags
	images []string
	file   string
	csv    bool
}

// embedded is what the command writes.
type embedded struct {
	Model     string    `json:"model"`
	Text      string    `json:"text"`
	Pictures  []string  `json:"pictures,omitempty"`
	Embedding []float32 `json:"embedding"`
}

func (a *app) embedCommand() *cobra.Command {
	e := &embed{app: a}
	c := &cobra.Command{
		Use:   "embed [TEXT]",
		Short: "Write the vector that a model makes of a text or a picture",
		Long: `Embed writes the model's last hidden state, after its final norm, at the last token of
a text, of pictures, or of a text after pictures: as many numbers as the model is wide.

The text comes from the arguments, from -f FILE, or, without pictures, from standard
input if that is a file or a pipe. What the tokenizer puts around a text is added.`,
		Example: `  mminfer embed "Once upon a time"
  mminfer embed --image sign.png --csv
  echo "Once upon a time" | mminfer embed`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	e.model = newModelFlags(c)
	f := c.Flags()
	picturesFlag(c, &e.images)
	f.StringVarP(&e.file, "file", "f", "", "read the text from `FILE`, - for standard input")
	f.BoolVar(&e.csv, "csv", false, "write the numbers on one line, with commas, instead of JSON")
	return a.command(c, e.run)
}

func (e *embed) run(ctx context.Context, args []string) error {
	pictures, err := readPictures(e.images)
	if err != nil {
		return err
	}
	var text string
	found := len(pictures) > 0
	if len(args) > 0 || e.file != "" || !found {
		text, found, err = e.readText(args, e.file)
		if len(args) == 0 {
			text = withoutNewline(text)
		}
	}
	if err != nil {
		return err
	}
	if !found {
		return usagef("there is nothing to embed: give a text as an argument, with -f FILE or on standard input, or a picture with --image")
	}
	if text == "" && len(pictures) == 0 {
		return usagef("there is nothing to embed: the text is empty")
	}
	e.model.pictures = len(pictures) > 0
	engine, err := e.open(ctx, e.model)
	if err != nil {
		return err
	}
	defer engine.Close()
	seen, err := look(engine, e.model.name(), pictures)
	if err != nil {
		return err
	}
	vector, err := engine.Embed(ctx, text, seen...)
	if err != nil {
		return err
	}
	if e.csv {
		return e.line(vector)
	}
	out := embedded{Model: e.model.name(), Text: text, Embedding: vector}
	for _, p := range pictures {
		out.Pictures = append(out.Pictures, p.name)
	}
	return writeJSON(e.out, out)
}

// line writes numbers with commas between them.
func (e *embed) line(vector []float32) error {
	words := make([]string, len(vector))
	for i, x := range vector {
		words[i] = strconv.FormatFloat(float64(x), 'g', -1, 32)
	}
	_, err := e.out.Write([]byte(strings.Join(words, ",") + "\n"))
	return err
}
