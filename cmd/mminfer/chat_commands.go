package main

import (
	"errors"
	"fmt"
	"strings"
)

// errQuit ends a chat.
var errQuit = errors.New("quit")

// command does a line that begins with a slash.
func (h *chat) command(line string) error {
	name, arg, _ := strings.Cut(line, " ")
	arg = strings.TrimSpace(arg)
	if name == "/save" || name == "/load" || name == "/image" {
		if arg == "" {
			return fmt.Errorf("%s needs the name of a file", name)
		}
	} else if arg != "" {
		return fmt.Errorf("%s takes nothing after it; // begins a line of text that starts with a slash", name)
	}
	switch name {
	case "/image":
		pictures, err := readPictures([]string{arg})
		if err != nil {
			return err
		}
		return h.show(pictures)
	case "/undo":
		return h.undo()
	case "/fork":
		h.fork()
	case "/back":
		return h.back()
	case "/reset":
		b, err := h.begin()
		if err != nil {
			return err
		}
		h.branch, h.pending = b, nil
		h.sampling.sow(h.s, true)
		h.note("a new text begins")
	case "/save":
		if err := h.saveTalk(h.s, h.talk, arg); err != nil {
			return err
		}
		h.note("saved %d tokens in %s", h.s.Len(), arg)
	case "/load":
		b, err := h.restore(arg)
		if err != nil {
			return err
		}
		h.branch = b
		h.note("a text of %d tokens", h.s.Len())
	case "/help":
		fmt.Fprintln(h.stderr, chatCommands)
	case "/quit", "/exit":
		return errQuit
	default:
		return fmt.Errorf("unknown command %s; /help lists what there is", name)
	}
	return nil
}

// undo takes the last turn back. Unless a seed was given the next reply will be another one.
func (h *chat) undo() error {
	if len(h.marks) == 0 {
		return errors.New("there is no turn to take back")
	}
	if err := h.rewind(h.marks[len(h.marks)-1]); err != nil {
		return err
	}
	if !h.sampling.set.Changed("seed") {
		h.sampling.sow(h.s, true)
	}
	h.note("back at %d tokens", h.s.Len())
	return nil
}

// fork goes on with a copy of the timeline.
func (h *chat) fork() {
	h.forks = append(h.forks, h.branch)
	b := branch{marks: append(h.marks[:0:0], h.marks...)}
	if h.talk != nil {
		b.talk = h.talk.Fork()
		b.s = b.talk.Session()
	} else {
		b.s = h.s.Fork()
	}
	h.branch = b
	h.note("in a branch now; /back returns here")
}

// back forgets the branch and goes on where it was forked.
func (h *chat) back() error {
	if len(h.forks) == 0 {
		return errors.New("there is no branch to leave: /fork makes one")
	}
	last := len(h.forks) - 1
	h.branch, h.forks = h.forks[last], h.forks[:last]
	h.note("back before the fork, at %d tokens", h.s.Len())
	return nil
}
