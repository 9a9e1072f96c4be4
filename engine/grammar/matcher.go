package grammar

import (
	"fmt"
	"slices"

	"github.com/realm-webgpu/realm/engine/sample"
)

// Matcher is a place in a text that keeps to a grammar. It is for one goroutine at
// a time; matchers of one grammar may be used by several.
type Matcher struct {
	grammar    *Grammar
	vocabulary *Vocabulary
	places     []*place // behind each of the tokens; the first is the beginning
	ended      bool     // by the last token
}

// NewMatcher returns a matcher at the beginning of a text.
func (g *Grammar) NewMatcher(v *Vocabulary) *Matcher {
	g.mu.Lock()
	defer g.mu.Unlock()
	p, err := g.begin()
	if err != nil {
		p = g.dead // compile has begun once, and it was no error
	}
	return &Matcher{grammar: g, vocabulary: v, places: []*place{p}}
}

func (m *Matcher) here() *place { return m.places[len(m.places)-1] }

// Advance goes on past a token. Where the grammar does not allow it, the error is
// ErrRejected and the matcher is where it was; ErrLimit: the text is too deep or
// too ambiguous.
func (m *Matcher) Advance(token int32) error {
	v, g := m.vocabulary, m.grammar
	if token < 0 || int(token) >= v.size {
		return fmt.Errorf("grammar: advance: token %d of %d: %w", token, v.size, ErrRejected)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p := m.here()
	if slices.Contains(v.ends, token) {
		if !p.done || m.ended {
			return fmt.Errorf("grammar: advance: the text ends with token %d, and may not: %w", token, ErrRejected)
		}
		m.places, m.ended = append(m.places, p), true
		return nil
	}
	piece := v.pieces[token]
	if piece == "" || m.ended {
		return fmt.Errorf("grammar: advance: token %d: %w", token, ErrRejected)
	}
	p, err := g.read(p, piece)
	if err != nil {
		return fmt.Errorf("grammar: advance: token %d, %q: %w", token, piece, err)
	}
	m.places = append(m.places, p)
	return nil
}

// AdvanceText goes on past bytes, as Advance does; they count as one token for
// Rollback.
func (m *Matcher) AdvanceText(text string) error {
	m.grammar.mu.Lock()
	defer m.grammar.mu.Unlock()
	p, err := m.grammar.read(m.here(), text)
	if err == nil && m.ended {
		err = ErrRejected
	}
	if err != nil {
		return fmt.Errorf("grammar: advance: %.40q: %w", text, err)
	}
	m.places = append(m.places, p)
	return nil
}

// read returns where bytes lead. The caller holds the lock.
func (m *machine) read(p *place, text string) (*place, error) {
	for i := range len(text) {
		var err error
		if p, err = m.step(p, text[i]); err != nil {
			return nil, err
		}
		if p.empty() {
			return nil, ErrRejected
		}
	}
	return p, nil
}

// Rollback takes back the last n tokens. Its error is ErrRewind, and nothing has
// been taken back then.
func (m *Matcher) Rollback(n int) error {
	if n < 0 || n >= len(m.places) {
		return fmt.Errorf("grammar: rollback: %d of %d tokens: %w", n, len(m.places)-1, ErrRewind)
	}
	m.places = m.places[:len(m.places)-n]
	m.ended = m.ended && n == 0
	return nil
}

// Fork returns a matcher that is where this one is.
func (m *Matcher) Fork() *Matcher {
	f := *m
	f.places = slices.Clone(m.places)
	return &f
}

// Mask sets the tokens that may come next, and clears all others. dst has the size
// of the vocabulary. Errors: ErrLimit, sample.ErrSize.
func (m *Matcher) Mask(dst sample.Mask) error {
	if len(dst) != len(sample.NewMask(m.vocabulary.size)) {
		return fmt.Errorf("grammar: mask: %d words for %d tokens: %w", len(dst), m.vocabulary.size, sample.ErrSize)
	}
	if m.ended {
		clear(dst)
		return nil
	}
	m.grammar.mu.Lock()
	defer m.grammar.mu.Unlock()
	mask, err := m.grammar.maskOf(m.vocabulary, m.here())
	if err != nil {
		return err
	}
	copy(dst, mask)
	return nil
}

// Allows reports whether a token may come next.
func (m *Matcher) Allows(token int32) bool {
	if m.Advance(token) != nil {
		return false
	}
	return m.Rollback(1) == nil
}

// Done reports whether the text may end here.
func (m *Matcher) Done() bool { return m.here().done }

// Forced returns the bytes that have to come next, up to where there is a choice:
// "" if there is one at once.
func (m *Matcher) Forced() string {
	const most = 4096
	m.grammar.mu.Lock()
	defer m.grammar.mu.Unlock()
	var out []byte
	for p := m.here(); len(out) < most && !p.done; {
		only, n := byte(0), 0
		for _, s := range p.stacks {
			for _, e := range m.grammar.states[s.state].edges {
				if e.lo != e.hi || n > 0 && e.lo != only {
					return string(out)
				}
				only, n = e.lo, n+1
			}
		}
		next, err := m.grammar.step(p, only)
		if n == 0 || err != nil {
			break
		}
		out, p = append(out, only), next
	}
	return string(out)
}
