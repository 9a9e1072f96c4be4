package grammar

import (
	"errors"
	"fmt"
	"regexp/syntax"
	"strings"
)

// ParseRegex reads a regular expression in Go's syntax (RE2,
// https://github.com/google/re2/wiki/Syntax) that the whole text has to match. Errors
// are ErrSyntax; ErrUnsupported for boundaries of words and lines, and for what RE2
// does not have: look-around and references to groups; and ErrLimit.
func ParseRegex(text string) (*Grammar, error) {
	r, err := readRegex(text, false)
	if err != nil {
		return nil, fmt.Errorf("grammar: regex: %w", err)
	}
	a, err := intersection([]*regex{r}, 0, -1, func(c class) expression { return c })
	if err != nil {
		return nil, fmt.Errorf("grammar: regex: %w", err)
	}
	return newGrammar(map[string]expression{root: a})
}

// regex is a regular expression as a program of Thompson's construction: an
// instruction reads a character, or leads on to others.
type regex struct {
	*syntax.Prog
	least, most int // characters of its texts; most < 0: no end

	classes  map[uint32]class    // that instructions read, as far as they are known
	followed map[uint32]follower // likewise, behind something that was read
	seen     []int               // by follow, at which mark
	mark     int
}

// readRegex reads a regular expression that texts match as a whole, or with search
// somewhere, unless it says where.
func readRegex(text string, search bool) (*regex, error) {
	if len(text) > MaxSource {
		return nil, fmt.Errorf("%d bytes, at most %d: %w", len(text), MaxSource, ErrLimit)
	}
	for _, s := range []string{"(?=", "(?!", "(?<=", "(?<!", "(?>"} {
		if strings.Contains(text, s) {
			return nil, fmt.Errorf("look-around %s...): %w", s, ErrUnsupported)
		}
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		kind := ErrSyntax
		var at *syntax.Error
		if errors.As(err, &at) && (at.Code == syntax.ErrInvalidRepeatSize || at.Code == syntax.ErrLarge || at.Code == syntax.ErrNestingDepth) {
			kind = ErrLimit // of the syntax: 1000 repetitions in all, say
		}
		return nil, fmt.Errorf("%w: %w", kind, err)
	}
	if search {
		any := &syntax.Regexp{Op: syntax.OpStar, Sub: []*syntax.Regexp{{Op: syntax.OpAnyChar}}}
		parsed = &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{any, parsed, any}}
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	for _, i := range program.Inst {
		if i.Op == syntax.InstEmptyWidth && syntax.EmptyOp(i.Arg)&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0 {
			return nil, fmt.Errorf("boundaries of words and lines: %w", ErrUnsupported)
		}
	}
	least, most := lengths(parsed)
	return &regex{Prog: program, least: least, most: most}, nil
}

// lengths returns how many characters the texts of a regular expression have; most < 0:
// there is no end.
func lengths(x *syntax.Regexp) (least, most int) {
	switch x.Op {
	case syntax.OpLiteral:
		return len(x.Rune), len(x.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return 1, 1
	case syntax.OpStar:
		return 0, -1
	case syntax.OpPlus:
		least, _ = lengths(x.Sub[0])
		return least, -1
	case syntax.OpQuest:
		_, most = lengths(x.Sub[0])
		return 0, most
	case syntax.OpRepeat:
		least, most = lengths(x.Sub[0])
		if x.Max < 0 {
			return least * x.Min, -1
		}
		return least * x.Min, max(most*x.Max, -1)
	case syntax.OpAlternate:
		for i, sub := range x.Sub {
			l, m := lengths(sub)
			if i == 0 {
				least, most = l, m
			}
			least = min(least, l)
			if most >= 0 {
				most = max(most, m)
			}
			if m < 0 {
				most = -1
			}
		}
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range x.Sub {
			l, m := lengths(sub)
			least += l
			if m < 0 || most < 0 {
				most = -1
			} else {
				most += m
			}
		}
	}
	return least, most
}

// follow returns the instructions that read the next character, and whether the text
// may end, from an instruction on; begins says that nothing was read yet. steps counts
// the instructions that it looks at.
func (r *regex) follow(from uint32, begins bool, steps *int) (read []uint32, ends bool) {
	if known, ok := r.followed[from]; ok && !begins {
		return known.read, known.ends
	}
	if r.seen == nil {
		r.seen = make([]int, 2*len(r.Inst))
	}
	// An instruction is looked at twice: also where a $ was passed, behind which nothing
	// may follow.
	r.mark++
	for todo := []uint32{2 * from}; len(todo) > 0; {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if r.seen[at] == r.mark {
			continue
		}
		r.seen[at] = r.mark
		*steps++
		end := at % 2
		switch i := &r.Inst[at/2]; i.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			todo = append(todo, 2*i.Arg+end, 2*i.Out+end)
		case syntax.InstCapture, syntax.InstNop:
			todo = append(todo, 2*i.Out+end)
		case syntax.InstEmptyWidth:
			op := syntax.EmptyOp(i.Arg)
			if op&syntax.EmptyEndText != 0 {
				end = 1
			}
			if begins || op&syntax.EmptyBeginText == 0 {
				todo = append(todo, 2*i.Out+end)
			}
		case syntax.InstMatch:
			ends = true
		case syntax.InstFail:
		default:
			if end == 0 {
				read = append(read, at/2)
			}
		}
	}
	if !begins {
		if r.followed == nil {
			r.followed = map[uint32]follower{}
		}
		r.followed[from] = follower{read, ends}
	}
	return read, ends
}

// follower is what follows an instruction.
type follower struct {
	read []uint32
	ends bool
}

// reads returns the characters that an instruction reads.
func (r *regex) reads(at uint32) class {
	c, ok := r.classes[at]
	if !ok {
		if r.classes == nil {
			r.classes = map[uint32]class{}
		}
		c = r.class(at)
		r.classes[at] = c
	}
	return c
}

func (r *regex) class(at uint32) class {
	i := &r.Inst[at]
	switch i.Op {
	case syntax.InstRuneAny:
		return negate(nil)
	case syntax.InstRuneAnyNotNL:
		return negate(class{{'\n', '\n'}})
	}
	if len(i.Rune) == 1 {
		return fold(i.Rune[0], syntax.Flags(i.Arg)&syntax.FoldCase != 0)
	}
	var c class
	for n := 0; n+1 < len(i.Rune); n += 2 {
		c = append(c, span{i.Rune[n], i.Rune[n+1]})
	}
	return normalize(c)
}
