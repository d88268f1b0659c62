package mminfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tokenizer"
	"github.com/mminfer/mminfer/tokenizer/chat"
)

// A ChatTemplate turns conversations into the text that a model was trained on. It is safe for
// concurrent use.
type ChatTemplate struct {
	templates map[string]*chat.Template // by name; one alone is the default
	tokens    map[string]string         // special tokens by their names in tokenizer_config.json
	tokenizer *tokenizer.Tokenizer      // nil: none
	control   map[int32]bool            // tokens that the templates write, besides the special ones
	turnEnd   string                    // the token that ends a reply, where only the template knows
	now       func() time.Time
}

const (
	defaultTemplate = "default"
	toolTemplate    = "tool_use"
)

// OpenChatTemplate reads the chat template of a model directory: the one that config.json names, see
// [chat.Builtin], with its system_message, or else chat_template.jinja, or else chat_template of
// tokenizer_config.json, a template or a list of named ones. Where config.json names a template, the
// model's own code uses that and not the tokenizer's, from which it can differ. read returns the
// contents of a file, or an error that wraps [fs.ErrNotExist]. The tokenizer is the one that encodes
// the texts; nil is none. The error is [ErrNoChatTemplate] if there is no template, a
// [*chat.Error] if it is malformed.
func OpenChatTemplate(read func(name string) ([]byte, error), tok *tokenizer.Tokenizer) (*ChatTemplate, error) {
	optional := func(name string) ([]byte, error) {
		b, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return b, err
	}
	config, err := optional("tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	jinja, err := optional("chat_template.jinja")
	if err != nil {
		return nil, err
	}
	tokens, sources, err := readTokenizerConfig(config)
	if err != nil {
		return nil, err
	}
	if config, err = optional("config.json"); err != nil {
		return nil, err
	}
	if t, err := builtinTemplate(config, tokens, tok); !errors.Is(err, ErrNoChatTemplate) {
		return t, err
	}
	if jinja != nil {
		sources = map[string]string{defaultTemplate: string(jinja)}
	}
	if len(sources) == 0 {
		return nil, ErrNoChatTemplate
	}
	return newChatTemplate("chat_template", sources, tokens, tok)
}

// builtinTemplate returns the template that config.json names, ErrNoChatTemplate if it names none that
// is known.
func builtinTemplate(config []byte, tokens map[string]string, tok *tokenizer.Tokenizer) (*ChatTemplate, error) {
	var c struct {
		Template      string  `json:"template"`
		SystemMessage *string `json:"system_message"`
	}
	if config != nil {
		_ = json.Unmarshal(loader.StandardJSON(config), &c) // what is wrong with it, the model tells
	}
	source, ok := chat.Builtin(c.Template)
	if !ok {
		return nil, ErrNoChatTemplate
	}
	if c.SystemMessage != nil {
		tokens["system_message"] = *c.SystemMessage
	}
	t, err := newChatTemplate(c.Template, map[string]string{defaultTemplate: source}, tokens, tok)
	if t != nil {
		t.turnEnd = "<|im_end|>"
	}
	return t, err
}

// NewChatTemplate returns a template of the user's own for a model directory, which read opens for
// the names of the special tokens: see [OpenChatTemplate]. The name is for error messages.
func NewChatTemplate(name, source string, read func(name string) ([]byte, error), tok *tokenizer.Tokenizer) (*ChatTemplate, error) {
	config, err := read("tokenizer_config.json")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	tokens, _, err := readTokenizerConfig(config)
	if err != nil {
		return nil, err
	}
	return newChatTemplate(name, map[string]string{defaultTemplate: source}, tokens, tok)
}

// newChatTemplate parses templates. Tokens that one of them writes are control tokens, special or
// not, unless they are mere white space.
func newChatTemplate(file string, sources, tokens map[string]string, tok *tokenizer.Tokenizer) (*ChatTemplate, error) {
	t := &ChatTemplate{templates: make(map[string]*chat.Template), tokens: tokens, tokenizer: tok, control: make(map[int32]bool), now: time.Now}
	all := ""
	for name, source := range sources {
		at := file
		if len(sources) > 1 {
			at += " " + name
		}
		var err error
		if t.templates[name], err = chat.Parse(at, source); err != nil {
			return nil, err
		}
		all += source + "\n"
	}
	for _, content := range tokens {
		all += content + "\n"
	}
	if tok != nil {
		for _, a := range tok.AddedTokens() {
			if strings.TrimSpace(a.Content) != "" && strings.Contains(all, a.Content) {
				t.control[a.ID] = true
			}
		}
	}
	return t, nil
}

// readTokenizerConfig returns the special tokens and the templates of tokenizer_config.json.
func readTokenizerConfig(config []byte) (tokens, templates map[string]string, err error) {
	tokens = make(map[string]string)
	if config == nil {
		return tokens, nil, nil
	}
	fields, err := object(loader.StandardJSON(config))
	if err != nil {
		return nil, nil, fmt.Errorf("mminfer: tokenizer_config.json: %w", err)
	}
	for name, raw := range fields {
		if strings.HasSuffix(name, "_token") {
			if content, ok := tokenContent(raw); ok {
				tokens[name] = content
			}
		}
	}
	extra, _ := object(fields["extra_special_tokens"]) // a list has no names
	for name, raw := range extra {
		if content, ok := tokenContent(raw); ok {
			tokens[name] = content
		}
	}
	templates, err = readTemplates(fields["chat_template"])
	return tokens, templates, err
}

// tokenContent returns the text of a special token: a string, or an object that has it as content.
func tokenContent(raw json.RawMessage) (content string, ok bool) {
	var token struct{ Content *string }
	if json.Unmarshal(raw, &token) == nil && token.Content != nil {
		return *token.Content, true
	}
	err := json.Unmarshal(raw, &content)
	return content, err == nil && string(raw) != "null"
}

// readTemplates reads a template or a list of named ones.
func readTemplates(raw json.RawMessage) (map[string]string, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return map[string]string{defaultTemplate: one}, nil
	}
	var list []struct{ Name, Template string }
	if json.Unmarshal(raw, &list) != nil {
		return nil, errors.New("mminfer: tokenizer_config.json: chat_template: expected a string or a list of objects with name and template")
	}
	templates := make(map[string]string)
	for _, t := range list {
		templates[t.Name] = t.Template
	}
	return templates, nil
}

// choose returns the template for a conversation: tool_use if tools are given and there is one, else
// the default.
func (t *ChatTemplate) choose(tools bool) (*chat.Template, error) {
	if tmpl := t.templates[toolTemplate]; tools && tmpl != nil {
		return tmpl, nil
	}
	if tmpl := t.templates[defaultTemplate]; tmpl != nil {
		return tmpl, nil
	}
	var names []string
	for name := range t.templates {
		names = append(names, name)
	}
	slices.Sort(names)
	return nil, fmt.Errorf("mminfer: the chat templates are %q; none of them is the default", names)
}

// Render returns the text of a conversation. Where the template refuses it, the error is a
// [*chat.Error] of the kind [chat.Raise] with the template's own message.
func (t *ChatTemplate) Render(c Conversation) (*chat.Output, error) {
	if c.ContinueLast {
		return t.renderOpen(c)
	}
	tmpl, err := t.choose(c.Tools != nil && string(c.Tools) != "null")
	if err != nil {
		return nil, err
	}
	vars, err := c.variables()
	if err != nil {
		return nil, err
	}
	return tmpl.Render(chat.Input{Variables: vars, Tokens: t.tokens, Now: t.now})
}

// openMark is put after the last message, to find where its content ends in the text.
const openMark = "CONTINUE_FINAL_MESSAGE_TAG "

// renderOpen ends the text within the last message, as transformers does: what is written of the
// message up to a mark after its content. Where the template trims the content, so is the text.
func (t *ChatTemplate) renderOpen(c Conversation) (*chat.Output, error) {
	if c.AddGenerationPrompt {
		return nil, errors.New("mminfer: a conversation: the last message cannot both be continued and be followed by another")
	}
	c.ContinueLast = false
	if len(c.Messages) == 0 {
		return nil, errors.New("mminfer: a conversation: there is no message to continue")
	}
	last := c.Messages[len(c.Messages)-1]
	if last.JSON != nil {
		fields, err := object(last.JSON)
		if err != nil {
			return nil, err
		}
		var content string
		if json.Unmarshal(fields["content"], &content) != nil {
			return nil, errors.New("mminfer: a conversation: only a message whose content is a string can be continued")
		}
		fields["content"], _ = json.Marshal(content + openMark) // a string can be written
		if last.JSON, err = json.Marshal(fields); err != nil {
			return nil, err
		}
	}
	last.Content += openMark
	c.Messages = append(slices.Clone(c.Messages[:len(c.Messages)-1]), last)
	out, err := t.Render(c)
	if err != nil {
		return nil, err
	}
	end := strings.LastIndex(out.Text, strings.TrimSpace(openMark))
	if end < 0 {
		return nil, errors.New("mminfer: a conversation: the template does not write the last message, so it cannot be continued")
	}
	if !strings.HasPrefix(out.Text[end:], openMark) {
		end = len(strings.TrimRight(out.Text[:end], " \t\r\n"))
	}
	return cutOutput(out, 0, end), nil
}

// cutOutput returns the bytes of a rendered text from up to to, without its generation spans.
func cutOutput(out *chat.Output, from, to int) *chat.Output {
	cut := &chat.Output{Text: out.Text[from:to]}
	for _, s := range out.Untrusted {
		if start, end := max(s.Start, from), min(s.End, to); start < end {
			cut.Untrusted = append(cut.Untrusted, chat.Span{Start: start - from, End: end - from})
		}
	}
	return cut
}

// Encode returns the ids of a rendered text. Nothing is added in front of it: a template writes the
// beginning-of-text token itself. Unless allowSpecial, a control token that shares a byte with an
// untrusted part of the text is ordinary text; control tokens are the special ones and those that
// the template writes.
func (t *ChatTemplate) Encode(out *chat.Output, allowSpecial bool) ([]int32, error) {
	if t.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	u := tokenizer.Untrusted{Also: t.control}
	for _, s := range out.Untrusted {
		if !allowSpecial {
			u.Spans = append(u.Spans, tokenizer.ByteSpan{Start: s.Start, End: s.End})
		}
	}
	return t.tokenizer.EncodeSpans(nil, out.Text, u, tokenizer.EncodeOptions{Recognize: tokenizer.RecognizeAll}), nil
}

// ChatTemplate returns the model's chat template. The error is [ErrNoChatTemplate] if it has none,
// a [*chat.Error] if its template is malformed.
func (e *Engine) ChatTemplate() (*ChatTemplate, error) { return e.template, e.templateErr }

// EncodeChat renders a conversation and returns its ids: see [ChatTemplate.Render] and
// [ChatTemplate.Encode].
func (e *Engine) EncodeChat(c Conversation) ([]int32, error) {
	t, err := e.ChatTemplate()
	if err != nil {
		return nil, err
	}
	out, err := t.Render(c)
	if err != nil {
		return nil, err
	}
	return t.Encode(out, c.AllowSpecial)
}
