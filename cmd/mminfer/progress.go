package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// statusLine is the line at the bottom of the terminal that tells what goes on.
type statusLine struct {
	mu      sync.Mutex
	to      io.Writer
	visible bool // the terminal can show one
	drawn   bool // the cursor's line holds one now
}

// draw replaces the line.
func (l *statusLine) draw(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drawLocked(line)
}

func (l *statusLine) drawLocked(line string) {
	if l.visible {
		fmt.Fprint(l.to, "\r"+line+"\x1b[K")
		l.drawn = true
	}
}

// clear erases the line.
func (l *statusLine) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn {
		fmt.Fprint(l.to, "\r\x1b[K")
		l.drawn = false
	}
}

// end erases the line for good.
func (l *statusLine) end() {
	l.clear()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.visible = false
}

// bar shows the progress of one piece of work on the status line, once it has taken a while.
type bar struct {
	on    *statusLine
	label string
	unit  func(n int64) string
	next  time.Time // when to draw
	ended bool
}

// bar starts a bar that stays hidden for a while.
func (a *app) bar(label string, hidden time.Duration, unit func(n int64) string) *bar {
	return &bar{on: &a.status, label: label, unit: unit, next: time.Now().Add(hidden)}
}

// set shows that done of total is done.
func (b *bar) set(done, total int64) {
	b.on.mu.Lock()
	defer b.on.mu.Unlock()
	now := time.Now()
	if b.ended || total <= 0 || now.Before(b.next) {
		return
	}
	b.next = now.Add(100 * time.Millisecond)
	const width = 24
	filled := int(width * done / total)
	b.on.drawLocked(fmt.Sprintf("%s [%s%s] %d %% of %s", b.label, strings.Repeat("=", filled), strings.Repeat(" ", width-filled),
		100*done/total, b.unit(total)))
}

// done erases the bar.
func (b *bar) done() {
	b.on.mu.Lock()
	b.ended = true
	b.on.mu.Unlock()
	b.on.clear()
}
