package mminfer

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/tokenizer/chat"
)

// A Chat keeps a conversation on a session: every turn, only what is new is read. It is not safe for
// concurrent use.
//
// What the session has absorbed is compared with the conversation as the template writes it now. If
// that goes on from there, only the rest is fed. If it differs in the last reply only, which many
// templates trim or strip of its reasoning, the session goes back to the beginning of that reply. If
// it differs further back, the session begins anew, for which all pictures must be at hand.
type Chat struct {
	session  *Session
	template *ChatTemplate
	talk     Conversation

	known []point // of the timeline, from its beginning; the last one is the end of the last prompt
	reply *Mark   // where the last reply begins; nil before the first
	fed   int     // tokens of the last prompt that had to be read
}

// point is a place of the timeline up to which its text is known.
type point struct {
	tokens int
	text   string
}

// Chat returns a chat on the session, for a conversation that may have messages already. The session
// is empty, or it has absorbed the conversation or the beginning of it. The error is that of
// [Engine.ChatTemplate].
func (s *Session) Chat(c Conversation) (*Chat, error) {
	t, err := s.engine.ChatTemplate()
	if err != nil {
		return nil, err
	}
	if s.engine.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	c.Messages = slices.Clip(c.Messages)
	c.AddGenerationPrompt, c.ContinueLast = true, false
	return &Chat{session: s, template: t, talk: c, known: []point{{}}}, nil
}

// Session returns the session of the chat.
func (c *Chat) Session() *Session { return c.session }

// Messages returns the messages so far. They must not be modified.
func (c *Chat) Messages() []Message { return c.talk.Messages }

// Add appends messages, such as the answers of tools.
func (c *Chat) Add(messages ...Message) {
	c.talk.Messages = append(c.talk.Messages[:len(c.talk.Messages):len(c.talk.Messages)], messages...)
}

// Fork returns an independent copy of the chat and its session.
func (c *Chat) Fork() *Chat {
	f := *c
	f.session = c.session.Fork()
	f.known = slices.Clone(c.known)
	return &f
}

// A ChatMark is a point of a chat to return to.
type ChatMark struct {
	chat Chat
	mark *Mark
}

// Mark remembers the present point. It holds a copy of the session's state.
func (c *Chat) Mark() *ChatMark { return &ChatMark{*c, c.session.Mark()} }

// Rewind returns to a mark of this chat, which stays usable: see [Session.Rewind].
func (c *Chat) Rewind(m *ChatMark) error {
	session := c.session
	*c = m.chat
	c.session = session
	return session.Rewind(m.mark)
}

// Fed returns how many tokens had to be read for the last prompt: those of the whole conversation if
// the session began anew.
func (c *Chat) Fed() int { return c.fed }

// Say appends a user's message, with pictures if there are any, and yields the model's reply: see
// [Chat.Reply].
func (c *Chat) Say(ctx context.Context, text string, opts GenerateOptions, pictures ...*Picture) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		c.Add(Message{Role: "user", Content: text, Pictures: pictures})
		for t, err := range c.Reply(ctx, opts) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// Reply yields the model's next message, token by token, as [Session.Continue] does. However it ends,
// what was yielded of it becomes a message of the conversation.
func (c *Chat) Reply(ctx context.Context, opts GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := c.read(ctx); err != nil {
			yield(Token{}, err)
			return
		}
		var text strings.Builder
		tokens := 0
		defer func() {
			if tokens > 0 {
				c.Add(Message{Role: "assistant", Content: text.String()})
			}
		}()
		for t, err := range c.session.Continue(ctx, opts) {
			text.WriteString(t.Text)
			if err == nil {
				tokens++
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// read feeds what is new of the conversation, up to the beginning of the reply.
func (c *Chat) read(ctx context.Context) error {
	ids, pictures, err := c.Prompt()
	if err != nil {
		return err
	}
	if err := c.session.Feed(ctx, ids, pictures...); err != nil {
		return err
	}
	c.reply = c.session.Mark()
	return nil
}

// Prompt brings the session to a place from which the conversation goes on, and returns the ids and
// pictures that are left to feed before the reply. [Chat.Reply] does both; this is for feeding them in
// another way, such as [Session.Append]. Fed or not, the next call goes on from where the session is.
// Where the session has to begin anew and a picture is not at hand, the error wraps
// [ErrPictureGone] and nothing has changed.
func (c *Chat) Prompt() ([]int32, []*Picture, error) {
	out, err := c.template.Render(c.talk)
	if err != nil {
		return nil, nil, err
	}
	pictures := c.talk.Pictures()
	text, err := c.resume(out.Text, pictures)
	if err != nil {
		return nil, nil, err
	}
	ids, err := c.encodeFrom(out, len(text))
	if err != nil {
		return nil, nil, err
	}
	pictures = pictures[len(c.session.pictures):]
	if _, err := c.session.engine.place(0, ids, pictures); err != nil {
		return nil, nil, err
	}
	at := len(c.session.history)
	c.known = []point{{}, {at, text}, {at + len(ids), out.Text}}
	if len(ids) > 0 {
		c.fed = len(ids)
	}
	return ids, pictures, nil
}

// written returns how much of text the first n tokens stand for, -1 if they stand for another text:
// what was rendered, and what was generated since.
func (c *Chat) written(text string, n int) (int, error) {
	last := len(c.known) - 1
	for c.known[last].tokens > n {
		last--
	}
	tok, known := c.session.engine.tokenizer, c.known[last]
	stream, more := tok.Stream(false), []byte(nil)
	stream.Verbatim()
	for _, id := range c.session.history[known.tokens:n] {
		chunk, err := stream.Next(id)
		if err != nil {
			return 0, err
		}
		more = append(more, chunk...)
	}
	more = append(more, stream.Flush()...)
	at := len(known.text)
	if !strings.HasPrefix(text, known.text) {
		return -1, nil
	}
	for _, b := range more {
		switch {
		case at < len(text) && text[at] == b:
			at++
		case b == ' ' && tok.CleansUp(): // a reply is shown without it
		default:
			return -1, nil
		}
	}
	return at, nil
}

// resume brings the session to the last place from which the text goes on, and returns the text up
// to there: the end of the timeline; the end without a token that was chosen, but not absorbed, such
// as an end of text that the template does not write; the beginning of the last reply; or the
// beginning of all. The pictures up to there are the first ones of the conversation's.
func (c *Chat) resume(text string, pictures []*Picture) (string, error) {
	s := c.session
	for _, n := range []int{len(s.history), s.state.Pos()} {
		end, err := c.written(text, n)
		if err != nil {
			return "", err
		}
		if end >= 0 && (n == len(s.history) || len(text) > end) && seen(s.pictures, n, pictures) {
			s.cut(n)
			return text[:end], nil
		}
	}
	if p := c.known[len(c.known)-1]; c.reply != nil && len(c.reply.history) == p.tokens && strings.HasPrefix(text, p.text) &&
		seen(c.reply.pictures, p.tokens, pictures) {
		sampler := s.sampler // the generator of random numbers goes on
		err := s.Rewind(c.reply)
		s.sampler = sampler
		return p.text, err
	}
	for i, p := range pictures {
		if p == nil || !p.atHand() {
			return "", fmt.Errorf("mminfer: picture %d of the conversation, all of which has to be read anew: %w", i+1, ErrPictureGone)
		}
	}
	s.state, s.history, s.pictures, s.progress, c.reply = s.engine.model.NewState(), nil, nil, progress{}, nil
	return "", nil
}

// seen reports whether the first n tokens of a timeline hold the first of a conversation's pictures,
// as far as is known, and none of them in part.
func seen(timeline []placed, n int, pictures []*Picture) bool {
	for i, p := range timeline {
		switch {
		case p.at >= n:
			return true
		case p.end() > n || i >= len(pictures) || pictures[i] != nil && pictures[i].digest != p.picture.digest:
			return false
		}
	}
	return true
}

// encodeFrom returns the ids of a text from a byte on, as parts of the whole text if a token ends
// there.
func (c *Chat) encodeFrom(out *chat.Output, from int) ([]int32, error) {
	all, err := c.template.Encode(out, c.talk.AllowSpecial)
	if err != nil || from == 0 {
		return all, err
	}
	before, err := c.template.Encode(cutOutput(out, 0, from), c.talk.AllowSpecial)
	if err != nil {
		return nil, err
	}
	if len(before) <= len(all) && slices.Equal(all[:len(before)], before) {
		return all[len(before):], nil
	}
	return c.template.Encode(cutOutput(out, from, len(out.Text)), c.talk.AllowSpecial)
}
