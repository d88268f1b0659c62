package mminfer

import "strings"

// stopper finds the first stop string in a text that arrives in pieces, and holds back what may
// be the beginning of one.
type stopper struct {
	stops []string
	held  string
}

// push adds a piece. It returns the text that can be shown and whether a stop string was met; the
// stop string itself and what follows are never shown. Of several stop strings the one that is
// complete first counts, the longest of those that end together: the pieces do not matter.
func (s *stopper) push(piece string) (text string, stopped bool) {
	if len(s.stops) == 0 {
		return piece, false
	}
	s.held += piece
	from, end := 0, len(s.held)+1
	for _, stop := range s.stops {
		i := strings.Index(s.held, stop)
		if e := i + len(stop); i >= 0 && (e < end || e == end && i < from) {
			from, end = i, e
		}
	}
	if end <= len(s.held) {
		text, s.held = s.held[:from], ""
		return text, true
	}
	keep := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > keep; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				keep = n
			}
		}
	}
	text, s.held = s.held[:len(s.held)-keep], s.held[len(s.held)-keep:]
	return text, false
}

// flush returns what was held back, at the end of the text.
func (s *stopper) flush() string {
	text := s.held
	s.held = ""
	return text
}
