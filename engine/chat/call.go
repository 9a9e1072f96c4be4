package chat

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// call is a call that is being read.
type call struct {
	marker marker
	list   bool // it stands in a list
	named  bool // the name stands before the arguments, outside of JSON
	// raw is what is held of the call: all of it until it is announced, and then what stands behind
	// its arguments.
	raw     []byte
	mark    int // in raw: the beginning of the name, key or value that is being read
	scanner scanner
	key     string // of the member that is being read
	name    string

	from, to  int  // in raw: the arguments
	begun     bool // there are arguments
	whole     bool // all of them have been read
	announced bool // the call has gone out
}

// open begins a call behind its opening marker or a separator, which is raw.
func (p *Parser) open(m marker, raw ...byte) {
	p.call = call{marker: m, raw: append(p.call.raw[:0], raw...), scanner: p.call.scanner}
	p.call.scanner.reset()
	p.state = stateOpened
	if m.frame == frameTag {
		p.state, p.call.mark = stateName, len(raw)
	}
}

// keep holds text of the call. Like the functions below it reports whether the byte was taken.
func (p *Parser) keep(text ...byte) bool {
	p.call.raw = append(p.call.raw, text...)
	return true
}

// inCall reads a byte of a call.
func (p *Parser) inCall(b byte) bool {
	switch p.state {
	case stateName:
		return p.inName(b)
	case stateNamed:
		return p.behindName(b)
	case stateCallID:
		if isName(b) {
			return p.keep(b)
		}
		p.state = stateNamed
		return false
	case stateKeyText:
		return p.inKey(b)
	case stateValueText:
		return p.inValue(b)
	}
	switch {
	case isWhite(b):
		return p.keep(b)
	case p.state == stateOpened:
		return p.opened(b)
	case p.state == stateArguments:
		p.call.key = "arguments"
		return p.beginValue(b)
	case p.state == stateValue:
		return p.beginValue(b)
	case b == '"' && (p.state == stateMember || p.state == stateKey):
		p.state, p.call.mark = stateKeyText, len(p.call.raw)
		return false
	case b == ':' && p.state == stateColon:
		p.state = stateValue
		return p.keep(b)
	case b == ',' && p.state == stateAfterValue:
		p.state = stateKey
		return p.keep(b)
	case b == '}' && (p.state == stateMember || p.state == stateAfterValue):
		return p.endObject(b)
	}
	return p.abandon()
}

// opened reads the first byte behind an opening marker, or behind "[" or "," of a list.
func (p *Parser) opened(b byte) bool {
	c := &p.call
	switch {
	case b == '{':
		p.state = stateMember
		return p.keep(b)
	case c.marker.frame != frameList || c.list:
	case b == '[':
		c.list = true
		return p.keep(b)
	case isName(b):
		p.state, c.mark = stateName, len(c.raw)
		return false
	}
	return p.abandon()
}

// inName reads a name outside of JSON, and the byte behind it.
func (p *Parser) inName(b byte) bool {
	c := &p.call
	text := c.raw[c.mark:]
	switch {
	case isName(b) && len(text) < maxName:
		return p.keep(b)
	case len(text) == 0 || !utf8.Valid(text):
		return p.abandon()
	}
	c.name, c.named = string(text), true
	switch {
	case c.marker.frame == frameList:
		p.state = stateNamed
		return false
	case b == '>':
		p.state = stateArguments
		return p.keep(b)
	}
	return p.abandon()
}

// behindName reads what stands between name and arguments in frameList.
func (p *Parser) behindName(b byte) bool {
	if len(p.held) == 0 {
		switch {
		case isWhite(b):
			return p.keep(b)
		case b == '{':
			p.state = stateArguments
			return false
		}
	}
	switch p.match(b, markerArguments, markerCallID) {
	case matchNone:
		return p.abandon()
	case matchPart:
		return true
	case 0:
		p.state = stateArguments
	default:
		p.state = stateCallID
	}
	p.keep(p.held...)
	p.held = p.held[:0]
	return true
}

// inKey reads a member's key.
func (p *Parser) inKey(b byte) bool {
	c := &p.call
	verdict := c.scanner.next(b)
	if verdict == valueBad || len(c.raw)-c.mark > maxName {
		return p.abandon()
	}
	p.keep(b)
	if verdict == valueMore {
		return true
	}
	c.scanner.reset()
	p.state = stateColon
	c.key = unquote(c.raw[c.mark:])
	switch c.key {
	case "name", "arguments", "parameters", "type", "id":
	default:
		if c.marker.frame == frameBare {
			p.abandon()
		}
	}
	return true
}

// beginValue looks at the first byte of a member's value.
func (p *Parser) beginValue(b byte) bool {
	c := &p.call
	c.mark = len(c.raw)
	p.state = stateValueText
	switch c.key {
	case "name":
		if c.name != "" || b != '"' {
			return p.abandon()
		}
	case "arguments", "parameters":
		if c.begun || b != '{' {
			return p.abandon()
		}
		c.begun, c.from, c.to = true, c.mark, c.mark
		if c.name != "" && !p.options.WholeCalls {
			p.announce()
		}
	}
	return false
}

// inValue reads a member's value, and the byte behind it if it is a number.
func (p *Parser) inValue(b byte) bool {
	c := &p.call
	verdict := c.scanner.next(b)
	switch {
	case verdict == valueBad:
		return p.abandon()
	case verdict == valueOver:
	case c.announced && !c.whole:
		p.emit(DeltaArguments, b)
	default:
		p.keep(b)
	}
	if verdict != valueMore {
		c.scanner.reset()
		p.endValue()
	}
	return verdict != valueOver
}

// endValue ends a member's value, or the arguments behind a name.
func (p *Parser) endValue() {
	c := &p.call
	p.state = stateAfterValue
	switch c.key {
	case "name":
		text := c.raw[c.mark:]
		c.name = unquote(text)
		if c.name == "" || len(c.name) > maxName || !utf8.Valid(text) {
			p.abandon()
			return
		}
	case "arguments", "parameters":
		c.whole, c.to = true, len(c.raw)
	}
	if c.name != "" && c.whole && !c.announced {
		p.announce()
	}
	if c.named {
		p.endCall()
	}
}

// endObject ends the object around name and arguments.
func (p *Parser) endObject(b byte) bool {
	c := &p.call
	p.keep(b)
	if !c.announced {
		if c.name == "" || c.marker.frame == frameBare {
			p.abandon()
			return true
		}
		p.announce()
		p.emit(DeltaArguments, '{', '}')
	}
	p.endCall()
	return true
}

// announce gives the call out, with the arguments that are held.
func (p *Parser) announce() {
	c := &p.call
	if !p.said {
		p.space = p.space[:0]
	}
	p.cut()
	p.deltas = append(p.deltas, Delta{Kind: DeltaCall, Index: p.calls, ID: p.newID(), Name: c.name})
	p.calls++
	p.emit(DeltaArguments, c.raw[c.from:c.to]...)
	c.raw = c.raw[:0]
	c.announced, p.called = true, true
}

// endCall goes on behind a call.
func (p *Parser) endCall() {
	c := &p.call
	c.mark = len(p.space)
	switch {
	case c.list:
		p.state = stateNext
	case c.marker.closing == "":
		p.state = stateContent
	default:
		p.state = stateClosing
	}
}

// abandon gives what is held of a call back as content. Behind whole arguments only the closing
// brace is missing if there is nothing but white space.
func (p *Parser) abandon() bool {
	c := &p.call
	switch {
	case c.whole && c.announced && isBlank(c.raw):
		p.endCall()
		p.space = append(p.space, c.raw...)
	case len(c.raw) > 0:
		p.say(c.raw...)
		fallthrough
	default:
		p.state = stateContent
	}
	c.raw = c.raw[:0]
	p.again(&p.held)
	return false
}

// closing reads the closing marker of a call.
func (p *Parser) closing(b byte) bool {
	if len(p.held) == 0 && isWhite(b) && len(p.space) < maxSpace {
		p.space = append(p.space, b)
		return true
	}
	switch p.match(b, p.call.marker.closing) {
	case matchNone:
		p.state = stateContent
		p.again(&p.held)
		return false
	case matchPart:
	default:
		p.state, p.space, p.held = stateContent, p.space[:p.call.mark], p.held[:0]
	}
	return true
}

// next reads what stands behind a call of a list.
func (p *Parser) next(b byte) bool {
	switch {
	case isWhite(b) && len(p.space) < maxSpace:
		p.space = append(p.space, b)
		return true
	case b == ',':
		p.space = p.space[:p.call.mark]
		p.open(p.call.marker, b)
		p.call.list = true
		return true
	case b == ']':
		p.space = p.space[:p.call.mark]
		p.state = stateContent
		return true
	}
	p.state = stateContent
	return false
}

// unquote is the text of a JSON string.
func unquote(text []byte) string {
	var s string
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	return s
}

// isName reports whether a byte may be part of a name outside of JSON.
func isName(b byte) bool {
	return b > ' ' && b != 0x7f && strings.IndexByte(`<>[]{}"`, b) < 0
}
