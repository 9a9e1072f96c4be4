package engine

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// stopper looks for stop strings in a text that comes in pieces, and holds back
// what may turn out to be the beginning of one.
type stopper struct {
	stops []string
	held  string
}

// newStopper checks the stop strings: none is empty, and each can be text.
func newStopper(stops []string) (stopper, error) {
	for i, stop := range stops {
		if stop == "" || !utf8.ValidString(stop) {
			return stopper{}, fmt.Errorf("stop string %d, %q, is empty or not UTF-8: %w", i, stop, ErrOption)
		}
	}
	return stopper{stops: stops}, nil
}

// push takes the next piece, and returns the text that is sure to be none of a
// stop string. Where one is complete, that is the text before it, and the rest
// is gone. Of several, the one that is complete first counts; of those that end
// together, the longest. So it does not matter how the text is cut in pieces.
func (s *stopper) push(piece string) (text string, stopped bool) {
	if piece == "" {
		return "", false
	}
	s.held += piece
	start, end := -1, len(s.held)+1
	for _, stop := range s.stops {
		if i := strings.Index(s.held, stop); i >= 0 {
			if e := i + len(stop); e < end || e == end && i < start {
				start, end = i, e
			}
		}
	}
	if start >= 0 {
		text, s.held = s.held[:start], ""
		return text, true
	}
	keep := 0
	for _, stop := range s.stops {
		for n := min(len(stop)-1, len(s.held)); n > keep; n-- {
			if strings.HasSuffix(s.held, stop[:n]) {
				keep = n
				break
			}
		}
	}
	cut := len(s.held) - keep
	text, s.held = s.held[:cut], s.held[cut:]
	return text, false
}

// flush returns what is held back, when no more text comes.
func (s *stopper) flush() string {
	text := s.held
	s.held = ""
	return text
}
