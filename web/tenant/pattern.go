package tenant

import "fmt"

// Patterns are names that may be used. In each, * stands for any letters, and ? for
// one byte; "*" alone is every name.
type Patterns []string

// Match reports whether one of the patterns is that of a name.
func (p Patterns) Match(name string) bool {
	for _, pattern := range p {
		if match(pattern, name) {
			return true
		}
	}
	return false
}

// match reports whether a name is one of a pattern. It goes back to the last * only,
// so that the time is at most the product of the lengths.
func match(pattern, name string) bool {
	p, n := 0, 0
	star, from := -1, 0 // the last *, and where what follows it was tried
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// validate names a pattern that is out of bounds.
func (p Patterns) validate() error {
	if len(p) > MaxPatterns {
		return fmt.Errorf("%d patterns: at most %d", len(p), MaxPatterns)
	}
	for _, pattern := range p {
		if pattern == "" || len(pattern) > MaxPattern {
			return fmt.Errorf("pattern %.80q: 1 to %d bytes", pattern, MaxPattern)
		}
	}
	return nil
}
