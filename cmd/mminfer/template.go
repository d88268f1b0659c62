package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tokenizer"
	jinja "github.com/mminfer/mminfer/tokenizer/chat"
)

// template is the command of that name.
type template struct {
	*app
	dir, file                  string
	prompt, special, ids, json bool
}

// rendered is what --json writes.
type rendered struct {
	Text       string   `json:"text"`
	IDs        []int32  `json:"ids,omitempty"`
	Untrusted  [][2]int `json:"untrusted"`            // bytes of the text
	Generation [][2]int `json:"generation,omitempty"` // code points of the text
}

// templateFlag adds --template.
func templateFlag(c *cobra.Command, file *string) {
	c.Flags().StringVar(file, "template", "", "use the chat template in `FILE`, not the model's")
}

func (a *app) templateCommand() *cobra.Command {
	t := &template{app: a}
	c := &cobra.Command{
		Use:   "template [FILE]",
		Short: "Render messages with a chat template",
		Long: `Template writes messages as the model's chat template does, and nothing else. They
come from FILE, or from standard input if that is - or left out: a JSON array of
messages, or an object with messages and, where they are wanted, tools, documents,
add_generation_prompt, continue_final_message and what else the template takes.

With --ids, control tokens that messages spell out are ordinary text, unless
--allow-special is given. Only the model's tokenizer is read, not its weights.`,
		Example: `  mminfer template --template chat.jinja messages.json
  mminfer template --template chat.jinja messages.json --ids
  echo '[{"role": "user", "content": "Hi"}]' | mminfer template --template chat.jinja --add-generation-prompt`,
		Args: cobra.MaximumNArgs(1),
	}
	f := c.Flags()
	modelFlag(c, &t.dir)
	templateFlag(c, &t.file)
	f.BoolVar(&t.prompt, "add-generation-prompt", false, "end with the beginning of the assistant's message")
	f.BoolVar(&t.special, "allow-special", false, "let messages write control tokens")
	f.BoolVar(&t.ids, "ids", false, "write the ids of the text on one line")
	f.BoolVar(&t.json, "json", false, "write JSON: text, ids, and the parts that come from the messages")
	c.MarkFlagsMutuallyExclusive("ids", "json")
	return a.command(c, t.run)
}

func (t *template) run(_ context.Context, args []string) error {
	talk, err := t.conversation(args)
	if err != nil {
		return err
	}
	talk.AllowSpecial = t.special
	talk.AddGenerationPrompt = talk.AddGenerationPrompt || t.prompt
	ck, err := openFiles(t.dir)
	if err != nil {
		return err
	}
	defer ck.Close()
	tok, err := tokenizerOf(ck)
	if errors.Is(err, fs.ErrNotExist) && !t.ids {
		err = nil
	}
	if err != nil {
		return err
	}
	tmpl, err := t.open(ck, tok)
	if err != nil {
		return err
	}
	out, err := tmpl.Render(talk)
	if err != nil {
		return err
	}
	var ids []int32
	if tok != nil {
		if ids, err = tmpl.Encode(out, t.special); err != nil {
			return err
		}
	}
	switch {
	case t.json:
		return writeJSON(t.out, rendered{out.Text, ids, pairs(out.Untrusted), pairs(out.Generation)})
	case t.ids:
		return (&tokenize{app: t.app}).line(ids)
	}
	_, err = io.WriteString(t.out, out.Text)
	return err
}

// pairs returns spans in the form for JSON.
func pairs(spans []jinja.Span) [][2]int {
	list := [][2]int{}
	for _, s := range spans {
		list = append(list, [2]int{s.Start, s.End})
	}
	return list
}

// conversation reads the messages.
func (t *template) conversation(args []string) (talk mminfer.Conversation, err error) {
	file := ""
	if len(args) > 0 {
		file = args[0]
	}
	source, found, err := t.readText(nil, file)
	if err != nil {
		return talk, err
	}
	if !found {
		return talk, usagef("there are no messages: name a JSON file, or give them on standard input")
	}
	if err := json.Unmarshal([]byte(source), &talk); err != nil {
		return talk, fmt.Errorf("the messages: %w", err)
	}
	return talk, nil
}

// open reads the template, and the special tokens of the model.
func (t *template) open(ck *loader.Checkpoint, tok *tokenizer.Tokenizer) (*mminfer.ChatTemplate, error) {
	read := ck.File
	if g := ck.GGUF(); g != nil {
		read = mminfer.GGUFChat(g, tok)
	}
	if t.file == "" {
		return mminfer.OpenChatTemplate(read, tok)
	}
	source, err := os.ReadFile(t.file)
	if err != nil {
		return nil, err
	}
	return mminfer.NewChatTemplate(t.file, string(source), read, tok)
}
