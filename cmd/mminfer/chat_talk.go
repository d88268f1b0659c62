package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/mminfer/mminfer"
)

// begin returns a new branch: a chat if the model has a template, else an empty text.
func (h *chat) begin() (branch, error) {
	c := mminfer.Conversation{AllowSpecial: h.special}
	if h.system != "" {
		c.Messages = []mminfer.Message{{Role: "system", Content: h.system}}
	}
	s := h.engine.NewSession()
	talk, err := s.Chat(c)
	if errors.Is(err, mminfer.ErrNoChatTemplate) {
		if h.system != "" || h.special {
			return branch{}, fmt.Errorf("--system and --allow-special need a chat template, and the model has none; give one with --template")
		}
		return branch{s: s}, nil
	}
	return branch{s: s, talk: talk}, err
}

// message sends a user's message and shows the model's reply.
func (h *chat) message(ctx context.Context, text string) error {
	if text == "" {
		return errors.New("the message is empty")
	}
	mark := h.mark()
	h.talk.Add(mminfer.Message{Role: "user", Content: text})
	ids, pictures, err := h.talk.Prompt()
	if err != nil {
		return errors.Join(err, h.rewind(mark))
	}
	replyCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	h.reply.Store(&cancel)
	defer h.reply.Store(nil)
	r, err := h.startReply(replyCtx, h.s, ids, pictures...)
	if err == nil {
		err = r.show(h.talk.Reply(replyCtx, h.opts), h.opts, h.out, "")
	}
	if err != nil && len(r.ids) == 0 { // a message without a reply is no part of the conversation
		return errors.Join(h.rewind(mark), h.stopped(ctx, err, "the message was taken back"))
	}
	return h.replied(ctx, r, err)
}

// messagesFile is where the messages of a session stored in a file are.
func messagesFile(session string) string { return session + ".messages.json" }

// store saves the session and, of a chat, the messages.
func (h *chat) store(name string) error {
	if err := h.saveSession(h.s, name); err != nil || h.talk == nil {
		return err
	}
	return h.replaceFile(messagesFile(name), func(w io.Writer) error { return writeJSON(w, h.talk.Messages()) })
}

// restore loads a session and, of a chat, the messages.
func (h *chat) restore(name string) (branch, error) {
	s, err := loadSession(h.engine, name)
	if err != nil || h.talk == nil {
		return branch{s: s}, err
	}
	data, err := os.ReadFile(messagesFile(name))
	if err != nil {
		return branch{}, fmt.Errorf("the messages of the session cannot be read: %w", err)
	}
	c := mminfer.Conversation{AllowSpecial: h.special}
	if err := json.Unmarshal(data, &c.Messages); err != nil {
		return branch{}, fmt.Errorf("%s: %w", messagesFile(name), err)
	}
	talk, err := s.Chat(c)
	return branch{s: s, talk: talk}, err
}
