package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	if text == "" && len(h.pending) == 0 {
		return errors.New("the message is empty")
	}
	mark := h.mark()
	h.talk.Add(mminfer.Message{Role: "user", Content: text, Pictures: h.pending})
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
	h.pending = nil
	return h.replied(ctx, r, err)
}

// messagesFile is where the messages of a session stored in a file are.
func messagesFile(session string) string { return session + ".messages.json" }

// saveTalk saves a session and, of a conversation, the messages.
func (a *app) saveTalk(s *mminfer.Session, talk *mminfer.Chat, name string) error {
	if err := a.saveSession(s, name); err != nil || talk == nil {
		return err
	}
	return a.replaceFile(messagesFile(name), func(w io.Writer) error { return writeJSON(w, talk.Messages()) })
}

// loadMessages reads the messages of a stored session, nil if there are none.
func loadMessages(session string) (*mminfer.Conversation, error) {
	data, err := os.ReadFile(messagesFile(session))
	if session == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	c := new(mminfer.Conversation)
	if err == nil {
		err = json.Unmarshal(data, &c.Messages)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: the messages of the session cannot be read: %w", messagesFile(session), err)
	}
	return c, nil
}

// storedPictures reports whether a stored session is a conversation with pictures.
func storedPictures(session string) bool {
	c, err := loadMessages(session)
	return err == nil && c != nil && len(c.Pictures()) > 0
}

// restore loads a session and, of a chat, the messages.
func (h *chat) restore(name string) (branch, error) {
	s, err := loadSession(h.engine, name)
	if err != nil || h.talk == nil {
		return branch{s: s}, err
	}
	c, err := loadMessages(name)
	if err == nil && c == nil {
		err = fmt.Errorf("%s: there are no messages of a conversation beside it (%s)", name, messagesFile(name))
	}
	if err != nil {
		return branch{}, err
	}
	c.AllowSpecial = h.special
	talk, err := s.Chat(*c)
	return branch{s: s, talk: talk}, err
}
