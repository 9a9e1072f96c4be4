package chat

import "strings"

// maxNesting is how deep objects and lists of a call may stand in each other.
const maxNesting = 64

// verdict is what a scanner says of a byte.
type verdict uint8

const (
	valueMore verdict = iota // the byte belongs to the value, which goes on
	valueDone                // the byte is the value's last
	valueOver                // the value, a number, has ended before the byte
	valueBad                 // the byte cannot be where it is
)

// place is where in a JSON value a scanner is.
type place uint8

const (
	beforeValue   place = iota
	beforeElement       // behind "[": a value or "]"
	beforeMember        // behind "{": a key or "}"
	beforeKey           // behind "," in an object
	beforeColon
	afterValue // in a list or object
	inString
	inEscape
	inHex
	inLiteral
	inMinus
	inZero
	inInteger
	inPoint
	inFraction
	inExponent
	inExponentSign
	inExponentDigits
)

// scanner checks a JSON value (RFC 8259) that comes byte by byte. It takes the same time for each,
// and keeps a byte for each level of nesting. The zero value is ready for a value.
type scanner struct {
	place  place
	nested []byte // '{' and '[' that are open
	key    bool   // the string is a member's name
	rest   string // of a literal
	digits int    // that are missing from \uXXXX
}

// reset makes the scanner ready for another value.
func (s *scanner) reset() { *s = scanner{nested: s.nested[:0]} }

// next takes the next byte. Behind any verdict but valueMore the scanner is to be reset.
func (s *scanner) next(b byte) verdict {
	switch s.place {
	case inString:
		return s.stringByte(b)
	case inEscape:
		switch {
		case b == 'u':
			s.place, s.digits = inHex, 4
		case strings.IndexByte(`"\/bfnrt`, b) >= 0:
			s.place = inString
		default:
			return valueBad
		}
		return valueMore
	case inHex:
		if !isDigit(b) && (b|0x20 < 'a' || b|0x20 > 'f') {
			return valueBad
		}
		if s.digits--; s.digits == 0 {
			s.place = inString
		}
		return valueMore
	case inLiteral:
		if b != s.rest[0] {
			return valueBad
		}
		if s.rest = s.rest[1:]; s.rest == "" {
			return s.ended()
		}
		return valueMore
	case inMinus, inZero, inInteger, inPoint, inFraction, inExponent, inExponentSign, inExponentDigits:
		return s.numberByte(b)
	}
	if isWhite(b) {
		return valueMore
	}
	return s.between(b)
}

// between takes a byte that is in no string, literal or number.
func (s *scanner) between(b byte) verdict {
	switch s.place {
	case beforeValue:
		return s.begin(b)
	case beforeElement:
		if b == ']' {
			return s.close()
		}
		return s.begin(b)
	case beforeMember, beforeKey:
		switch {
		case b == '"':
			s.place, s.key = inString, true
			return valueMore
		case b == '}' && s.place == beforeMember:
			return s.close()
		}
	case beforeColon:
		if b == ':' {
			s.place = beforeValue
			return valueMore
		}
	case afterValue:
		object := s.nested[len(s.nested)-1] == '{'
		switch {
		case b == ',' && object:
			s.place = beforeKey
			return valueMore
		case b == ',':
			s.place = beforeValue
			return valueMore
		case b == '}' && object, b == ']' && !object:
			return s.close()
		}
	}
	return valueBad
}

// begin takes the first byte of a value.
func (s *scanner) begin(b byte) verdict {
	switch {
	case b == '{' || b == '[':
		if len(s.nested) == maxNesting {
			return valueBad
		}
		s.nested = append(s.nested, b)
		s.place = beforeMember
		if b == '[' {
			s.place = beforeElement
		}
	case b == '"':
		s.place, s.key = inString, false
	case b == '-':
		s.place = inMinus
	case b == '0':
		s.place = inZero
	case isDigit(b):
		s.place = inInteger
	case b == 't':
		s.place, s.rest = inLiteral, "rue"
	case b == 'f':
		s.place, s.rest = inLiteral, "alse"
	case b == 'n':
		s.place, s.rest = inLiteral, "ull"
	default:
		return valueBad
	}
	return valueMore
}

// stringByte takes a byte of a string behind its first quote.
func (s *scanner) stringByte(b byte) verdict {
	switch {
	case b == '"' && s.key:
		s.place = beforeColon
	case b == '"':
		return s.ended()
	case b == '\\':
		s.place = inEscape
	case b < 0x20:
		return valueBad
	}
	return valueMore
}

// numberByte takes a byte of a number behind its first, or the byte behind a number.
func (s *scanner) numberByte(b byte) verdict {
	switch p := s.place; {
	case p == inMinus && b == '0':
		s.place = inZero
	case isDigit(b) && (p == inMinus || p == inInteger):
		s.place = inInteger
	case isDigit(b) && (p == inPoint || p == inFraction):
		s.place = inFraction
	case isDigit(b) && p != inZero: // one of an exponent
		s.place = inExponentDigits
	case b == '.' && (p == inZero || p == inInteger):
		s.place = inPoint
	case b|0x20 == 'e' && (p == inZero || p == inInteger || p == inFraction):
		s.place = inExponent
	case (b == '+' || b == '-') && p == inExponent:
		s.place = inExponentSign
	case p == inMinus || p == inPoint || p == inExponent || p == inExponentSign:
		return valueBad
	case len(s.nested) == 0:
		return valueOver
	default:
		s.place = afterValue
		return s.next(b)
	}
	return valueMore
}

// close ends the innermost object or list.
func (s *scanner) close() verdict {
	s.nested = s.nested[:len(s.nested)-1]
	return s.ended()
}

// ended follows the last byte of a value.
func (s *scanner) ended() verdict {
	if len(s.nested) == 0 {
		return valueDone
	}
	s.place = afterValue
	return valueMore
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// white is JSON's white space, which is also what stands around marks.
const white = " \t\r\n"

func isWhite(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }
