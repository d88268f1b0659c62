package mminfer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// A Message is one message of a conversation.
type Message struct {
	Role      string // system, user, assistant, tool or what the model's template knows
	Content   string
	Reasoning string     // what an assistant thought before it wrote the content
	ToolCalls []ToolCall // of an assistant
	Name      string     // of the tool or the author
	CallID    string     // of a tool's answer: the ID of the call

	// Pictures come before the content. With JSON they are those of its parts, in order, which are
	// what the pictures marshal to.
	Pictures []*Picture

	// JSON is the whole message as a JSON object, in place of the other fields, in the form that the
	// template expects: with parts of content, for instance. The order of its keys is kept.
	JSON json.RawMessage
}

// A ToolCall is a call of a function by an assistant.
type ToolCall struct {
	ID        string
	Name      string
	Arguments json.RawMessage // a JSON object
}

// MarshalJSON writes the message in the form of chat templates.
func (m Message) MarshalJSON() ([]byte, error) {
	if m.JSON != nil {
		return m.JSON, nil
	}
	type function struct {
		Name      string          `json:"name"`
		Arguments json.RawMessage `json:"arguments"`
	}
	type call struct {
		ID       string   `json:"id,omitempty"`
		Type     string   `json:"type"`
		Function function `json:"function"`
	}
	var calls []call
	for _, c := range m.ToolCalls {
		if c.Arguments == nil {
			c.Arguments = json.RawMessage("{}")
		}
		calls = append(calls, call{c.ID, "function", function{c.Name, c.Arguments}})
	}
	return json.Marshal(struct {
		Role      string `json:"role"`
		Content   any    `json:"content"`
		Reasoning string `json:"reasoning_content,omitempty"`
		ToolCalls []call `json:"tool_calls,omitempty"`
		Name      string `json:"name,omitempty"`
		CallID    string `json:"tool_call_id,omitempty"`
	}{m.Role, m.content(), m.Reasoning, calls, m.Name, m.CallID})
}

// content returns the content as templates take it: a text, or a list of pictures and a text.
func (m Message) content() any {
	if len(m.Pictures) == 0 {
		return m.Content
	}
	type text struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	var parts []any
	for _, p := range m.Pictures {
		parts = append(parts, p)
	}
	if m.Content != "" {
		parts = append(parts, text{"text", m.Content})
	}
	return parts
}

// pictures returns the message's pictures, nil for each of which only the place is known.
func (m Message) pictures() (list []*Picture) {
	if len(m.Pictures) > 0 || m.JSON == nil {
		return m.Pictures
	}
	var message struct {
		Content []struct {
			Type string `json:"type"`
		} `json:"content"`
	}
	_ = json.Unmarshal(m.JSON, &message) // a content that is a text has no pictures
	for _, part := range message.Content {
		if part.Type == "image" || part.Type == "image_url" {
			list = append(list, nil)
		}
	}
	return list
}

// UnmarshalJSON keeps the message as JSON. Role and Content are set if they are strings.
func (m *Message) UnmarshalJSON(data []byte) error {
	fields, err := object(data)
	if err != nil {
		return fmt.Errorf("mminfer: a message: %w", err)
	}
	*m = Message{JSON: bytes.Clone(data)}
	_ = json.Unmarshal(fields["role"], &m.Role) // they may be missing or something else
	_ = json.Unmarshal(fields["content"], &m.Content)
	return nil
}

// object reads a JSON object.
func object(data []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return nil, errors.New("expected a JSON object")
	}
	return fields, nil
}

// reasoningNames are the names under which templates look for an assistant's reasoning.
var reasoningNames = [...]string{"reasoning_content", "thinking", "reasoning"}

// forTemplate returns the message as JSON, the reasoning of an assistant under all of its names, as
// transformers gives it to templates.
func (m Message) forTemplate() (json.RawMessage, error) {
	data, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	fields, err := object(data)
	if err != nil {
		return nil, err
	}
	var role string
	if json.Unmarshal(fields["role"], &role) != nil || role != "assistant" {
		return data, nil
	}
	var reasoning json.RawMessage
	for _, name := range reasoningNames {
		if v, ok := fields[name]; ok && string(v) != "null" {
			reasoning = v
			break
		}
	}
	if reasoning == nil {
		return data, nil
	}
	end := bytes.LastIndexByte(data, '}')
	data = bytes.Clone(data[:end])
	for _, name := range reasoningNames {
		if v, ok := fields[name]; !ok || string(v) == "null" {
			data = fmt.Appendf(data, ",%q:%s", name, reasoning)
		}
	}
	return append(data, '}'), nil
}

// A Conversation is what a chat template is rendered with.
type Conversation struct {
	Messages  []Message
	Tools     json.RawMessage // a JSON array of tools; nil is none
	Documents json.RawMessage // a JSON array of documents; nil is none
	Arguments map[string]any  // what else the template takes, such as enable_thinking; written as JSON

	AddGenerationPrompt bool // end with the beginning of the assistant's next message
	ContinueLast        bool // end within the last message, so that it is continued

	// AllowSpecial lets messages, tools and arguments write control tokens. Without it a control
	// token that they spell out is ordinary text, so that nobody can forge a turn.
	AllowSpecial bool
}

// Pictures returns the pictures of the messages, in order: what [Session.Feed] needs beside the ids
// of [Engine.EncodeChat]. It is nil for a picture of which the messages have only the place.
func (c *Conversation) Pictures() (list []*Picture) {
	for _, m := range c.Messages {
		list = append(list, m.pictures()...)
	}
	return list
}

// UnmarshalJSON reads a JSON array of messages, or an object with messages, tools, documents,
// add_generation_prompt, continue_final_message and the template's other arguments.
func (c *Conversation) UnmarshalJSON(data []byte) error {
	*c = Conversation{}
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return json.Unmarshal(data, &c.Messages)
	}
	fields, err := object(data)
	if err != nil {
		return errors.New("mminfer: a conversation: expected a JSON array of messages, or an object that has one")
	}
	take := func(name string, v any) {
		if raw, ok := fields[name]; ok && string(raw) != "null" {
			if e := json.Unmarshal(raw, v); e != nil {
				err = errors.Join(err, fmt.Errorf("mminfer: a conversation: %s: %w", name, e))
			}
		}
		delete(fields, name)
	}
	take("messages", &c.Messages)
	take("tools", &c.Tools)
	take("documents", &c.Documents)
	take("add_generation_prompt", &c.AddGenerationPrompt)
	take("continue_final_message", &c.ContinueLast)
	if len(fields) > 0 {
		c.Arguments = make(map[string]any)
		for name, v := range fields {
			c.Arguments[name] = v
		}
	}
	return err
}

// variables returns the template's variables as a JSON object.
func (c *Conversation) variables() (json.RawMessage, error) {
	messages := make([]json.RawMessage, len(c.Messages))
	for i, m := range c.Messages {
		var err error
		if messages[i], err = m.forTemplate(); err != nil {
			return nil, fmt.Errorf("mminfer: message %d: %w", i, err)
		}
	}
	vars := maps.Clone(c.Arguments)
	if vars == nil {
		vars = make(map[string]any)
	}
	vars["messages"], vars["add_generation_prompt"] = messages, c.AddGenerationPrompt
	if c.Tools != nil {
		vars["tools"] = c.Tools
	}
	if c.Documents != nil {
		vars["documents"] = c.Documents
	}
	data, err := json.Marshal(vars)
	if err != nil {
		return nil, fmt.Errorf("mminfer: a conversation: %w", err)
	}
	return data, nil
}
