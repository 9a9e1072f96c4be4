package chat

import (
	"bytes"
	"crypto/rand"
	"strings"
)

// DeltaKind says what a Delta adds to.
type DeltaKind uint8

// The kinds of a Delta.
const (
	// DeltaContent adds Text to the content.
	DeltaContent DeltaKind = iota
	// DeltaReasoning adds Text to the reasoning.
	DeltaReasoning
	// DeltaCall begins call Index, with ID and Name. Its arguments are empty so far.
	DeltaCall
	// DeltaArguments adds Text to the arguments of call Index, which is the latest.
	DeltaArguments
)

// Delta is what a piece of text adds to an answer, in the parts that OpenAI's stream sends:
// https://platform.openai.com/docs/api-reference/chat-streaming.
type Delta struct {
	Kind     DeltaKind
	Text     string // of content, reasoning or arguments; never "" there
	Index    int    // of the call, counted from 0
	ID, Name string // of DeltaCall
}

// ParserOptions say how an answer is read.
type ParserOptions struct {
	// Tools says that functions were offered. Without it calls are not looked for.
	Tools bool
	// ReasoningOpen says that the prompt has opened the reasoning block already, see
	// Format.OpensReasoning.
	ReasoningOpen bool
	// WholeCalls holds a call back until its arguments are whole, so that the arguments of every
	// call are a JSON object.
	WholeCalls bool
	// NewID gives each call its id; nil stands for nine random letters and digits, the only ids that
	// Mistral's templates take.
	NewID func() string
}

// Limits of what is held back, in bytes.
const (
	maxCall  = 1 << 20 // of a call that is not yet known to be one
	maxSpace = 4096    // of white space that may stand next to a call or marker
	maxName  = 256     // of a function's name
)

// state is what a parser reads.
type state uint8

const (
	stateStart     state = iota // white space and the marker of reasoning
	stateReasoning              // until its closing marker
	stateContent
	stateClosing // behind a call: its closing marker
	stateNext    // behind a call of a list: "," or "]"

	// In these, call.raw holds the call.
	stateOpened     // behind the opening marker
	stateName       // of frameTag and frameList
	stateNamed      // behind the name of frameList: one of its markers or the arguments
	stateCallID     // behind markerCallID
	stateArguments  // before the arguments of frameTag and frameList
	stateMember     // behind "{": a key or "}"
	stateKey        // behind ",": a key
	stateKeyText    // in a key
	stateColon      // behind a key
	stateValue      // before a member's value
	stateValueText  // in a member's value
	stateAfterValue // behind a member's value: "," or "}"
)

// Parser reads an answer that comes in pieces. How it is cut does not matter: what the pieces give
// together is the same. It takes the same time for each byte and holds back 1 MiB at most. It
// belongs to one goroutine.
type Parser struct {
	family   family
	openings []string // the opening markers of calls
	options  ParserOptions
	state    state
	call     call
	calls    int // that have gone out

	space  []byte // white space that may be dropped
	held   []byte // behind space: what may be the beginning of a marker
	lead   bool   // at the beginning of reasoning or behind it: line feeds are dropped
	said   bool   // there has been content
	called bool   // since the latest call there has been no content

	kind   DeltaKind
	run    []byte // text that goes out next, of that kind
	deltas []Delta
}

// NewParser makes a parser for one answer.
func NewParser(f Format, o ParserOptions) *Parser {
	p := &Parser{family: f.family(), options: o}
	if !o.Tools {
		p.family.calls, p.family.bare = nil, false
	}
	for _, m := range p.family.calls {
		p.openings = append(p.openings, m.opening)
	}
	if p.family.think.opening == "" {
		p.state = stateContent
	}
	return p
}

// Push takes the next piece of an answer and returns what is now sure.
func (p *Parser) Push(text string) []Delta {
	for i := range len(text) {
		p.take(text[i])
	}
	return p.flush()
}

// Reasoning reports whether the answer is in its reasoning: what comes next belongs to
// it, its closing marker included.
func (p *Parser) Reasoning() bool {
	return p.state == stateReasoning || p.state == stateStart && p.options.ReasoningOpen
}

// Close ends the answer and returns what was held back. Nothing may be pushed behind it.
func (p *Parser) Close() []Delta {
	if p.state == stateStart {
		p.leaveStart()
	}
	switch {
	case p.state == stateReasoning:
		p.emit(DeltaReasoning, p.space...)
		p.emit(DeltaReasoning, p.held...)
	case p.state >= stateOpened:
		p.abandon()
	}
	if p.state != stateReasoning && (len(p.held) > 0 || !p.called) {
		p.say(p.held...)
	}
	p.space, p.held = nil, nil
	return p.flush()
}

// Parse reads a whole answer, with WholeCalls.
func Parse(f Format, o ParserOptions, text string) Message {
	o.WholeCalls = true
	p := NewParser(f, o)
	return gather(append(p.Push(text), p.Close()...))
}

// gather makes a message of an answer's deltas.
func gather(deltas []Delta) Message {
	var content, reasoning, arguments strings.Builder
	m := Message{Role: "assistant"}
	for i, d := range deltas {
		switch d.Kind {
		case DeltaContent:
			content.WriteString(d.Text)
		case DeltaReasoning:
			reasoning.WriteString(d.Text)
		case DeltaCall:
			m.ToolCalls = append(m.ToolCalls, ToolCall{ID: d.ID, Name: d.Name})
		case DeltaArguments:
			arguments.WriteString(d.Text)
			if i+1 == len(deltas) || deltas[i+1].Kind != DeltaArguments {
				m.ToolCalls[d.Index].Arguments = arguments.String()
				arguments.Reset()
			}
		}
	}
	m.Content, m.Reasoning = content.String(), reasoning.String()
	return m
}

// newID makes an id for a call.
func (p *Parser) newID() string {
	if p.options.NewID != nil {
		return p.options.NewID()
	}
	return rand.Text()[:9]
}

// take reads a byte. One that a state does not take is read again in the next.
func (p *Parser) take(b byte) {
	for !p.step(b) {
	}
}

// step reads a byte in the present state, and reports whether it was taken. Otherwise the state is
// another one, or less is held.
func (p *Parser) step(b byte) bool {
	switch {
	case p.state == stateStart:
		return p.start(b)
	case p.state == stateReasoning:
		return p.reasoning(b)
	case p.state == stateContent:
		return p.content(b)
	case p.state == stateClosing:
		return p.closing(b)
	case p.state == stateNext:
		return p.next(b)
	case len(p.call.raw)+len(p.held) >= maxCall:
		return p.abandon()
	}
	return p.inCall(b)
}

// start reads the beginning of an answer.
func (p *Parser) start(b byte) bool {
	if len(p.held) == 0 && isWhite(b) && len(p.space) < maxSpace {
		p.space = append(p.space, b)
		return true
	}
	switch p.match(b, p.family.think.opening) {
	case matchNone:
		p.leaveStart()
		return false
	case matchPart:
	default:
		p.space, p.held = p.space[:0], p.held[:0]
		p.state, p.lead = stateReasoning, true
	}
	return true
}

// leaveStart reads what was held at the beginning as what it is without a marker.
func (p *Parser) leaveStart() {
	p.state = stateContent
	if p.options.ReasoningOpen {
		p.state, p.lead = stateReasoning, true
	}
	p.space = append(p.space, p.held...)
	p.held = nil
	p.again(&p.space)
}

// reasoning reads a reasoning block.
func (p *Parser) reasoning(b byte) bool {
	if len(p.held) == 0 && b == '\n' && len(p.space) < maxSpace {
		if !p.lead {
			p.space = append(p.space, b)
		}
		return true
	}
	switch p.match(b, p.family.think.closing) {
	case matchNone:
		p.lead = false
		p.emit(DeltaReasoning, p.space...)
		p.space = p.space[:0]
		return p.shift(DeltaReasoning, b)
	case matchPart:
	default:
		p.space, p.held = p.space[:0], p.held[:0]
		p.state, p.lead = stateContent, true
	}
	return true
}

// content reads content, and the opening markers of calls in it.
func (p *Parser) content(b byte) bool {
	if len(p.held) == 0 {
		if p.lead && b == '\n' {
			return true
		}
		p.lead = false
		switch {
		case len(p.openings) > 0 && isWhite(b) && len(p.space) < maxSpace:
			p.space = append(p.space, b)
			return true
		case p.family.bare && (b == '{' && !p.said || p.called && (b == '{' || b == separator)):
			p.open(marker{frame: frameBare})
			return b == separator && p.keep(b)
		}
	}
	if len(p.openings) == 0 {
		p.say(b)
		return true
	}
	switch i := p.match(b, p.openings...); i {
	case matchNone:
		p.settle()
		return p.shift(DeltaContent, b)
	case matchPart:
	default:
		p.open(p.family.calls[i], p.held...)
		p.held = p.held[:0]
	}
	return true
}

// What match says where no marker is whole.
const (
	matchNone = -1
	matchPart = -2
)

// match holds a byte if what is held is then the beginning of a marker, and returns the number of
// the marker that is whole.
func (p *Parser) match(b byte, markers ...string) int {
	n := len(p.held)
	result := matchNone
	for i, m := range markers {
		if len(m) <= n || m[n] != b || m[:n] != string(p.held) {
			continue
		}
		if result = matchPart; len(m) == n+1 {
			result = i
			break
		}
	}
	if result != matchNone {
		p.held = append(p.held, b)
	}
	return result
}

// shift gives out the first of what is held, or else b, and reads the rest again. It reports whether
// b was taken.
func (p *Parser) shift(kind DeltaKind, b byte) bool {
	if len(p.held) == 0 {
		p.emit(kind, b)
		return true
	}
	p.emit(kind, p.held[0])
	p.held = p.held[1:]
	p.again(&p.held)
	return false
}

// again takes what was held and reads it once more.
func (p *Parser) again(held *[]byte) {
	pending := *held
	*held = nil
	for _, b := range pending {
		p.take(b)
	}
}

// say gives content out.
func (p *Parser) say(text ...byte) {
	p.settle()
	p.emit(DeltaContent, text...)
}

// settle gives out the white space before content, unless a call stands between it and the answer's
// beginning.
func (p *Parser) settle() {
	if p.said || !p.called {
		p.emit(DeltaContent, p.space...)
	}
	p.space = p.space[:0]
	p.called, p.said = false, true
}

// emit adds to the text that goes out.
func (p *Parser) emit(kind DeltaKind, text ...byte) {
	if kind != p.kind {
		p.cut()
		p.kind = kind
	}
	p.run = append(p.run, text...)
}

// cut makes a delta of the text that goes out.
func (p *Parser) cut() {
	if len(p.run) == 0 {
		return
	}
	d := Delta{Kind: p.kind, Text: string(p.run)}
	if d.Kind == DeltaArguments {
		d.Index = p.calls - 1
	}
	p.deltas = append(p.deltas, d)
	p.run = p.run[:0]
}

// flush returns the deltas that have come together.
func (p *Parser) flush() []Delta {
	p.cut()
	deltas := p.deltas
	p.deltas = nil
	return deltas
}

// isBlank reports whether there is nothing but white space in a text.
func isBlank(text []byte) bool { return len(bytes.TrimLeft(text, white)) == 0 }
