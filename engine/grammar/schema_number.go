package grammar

import (
	"encoding/json"
	"math/big"
	"strings"
)

// bound is an end of a range of numbers.
type bound struct {
	set    bool
	value  *big.Int
	strict bool // the value itself is not in it
}

// number makes the expression of numbers.
func (s *schema) number(o *object, pointer string, integer bool) expression {
	if v, ok := o.get("multipleOf"); ok {
		n, _ := v.(json.Number)
		if !integer || n != "1" {
			return s.fail(ErrUnsupported, pointer, "multipleOf", "%v", v)
		}
	}
	low, ok := s.bound(o, pointer, "minimum", "exclusiveMinimum", integer, 1)
	if !ok {
		return literal("")
	}
	high, ok := s.bound(o, pointer, "maximum", "exclusiveMaximum", integer, -1)
	if !ok {
		return literal("")
	}
	if !low.set && !high.set {
		if integer {
			return sequence{optional(literal("-")), natural()}
		}
		return reference(ruleNumber)
	}
	var all choice
	zero := new(big.Int)
	// Numbers from 0 up, and those below, mirrored.
	if !high.set || high.value.Sign() >= 0 {
		from := bound{true, zero, false}
		if low.set && low.value.Sign() >= 0 {
			from = low
		}
		all = append(all, s.upward(from, high, integer)...)
	}
	if !low.set || low.value.Sign() < 0 {
		from := bound{true, big.NewInt(0), true}
		if high.set && high.value.Sign() <= 0 {
			from = bound{true, new(big.Int).Neg(high.value), high.strict}
			if high.value.Sign() == 0 && !high.strict {
				all = append(all, literal("0"))
				from.strict = true
			}
		}
		to := bound{}
		if low.set {
			to = bound{true, new(big.Int).Neg(low.value), low.strict}
		}
		for _, e := range s.upward(from, to, integer) {
			all = append(all, sequence{literal("-"), e})
		}
	}
	if len(all) == 0 {
		return s.fail(ErrSyntax, pointer, "minimum, maximum", "no number is in the range")
	}
	return all
}

// bound reads an end of a range. For integers it is made one that is in the range;
// direction is where the range lies from it.
func (s *schema) bound(o *object, pointer, name, strictName string, integer bool, direction int64) (bound, bool) {
	var out bound
	for _, k := range []struct {
		name   string
		strict bool
	}{{name, false}, {strictName, true}} {
		v, ok := o.get(k.name)
		if !ok {
			continue
		}
		n, _ := v.(json.Number)
		r, ok := new(big.Rat).SetString(string(n))
		const digits = 40
		if !ok || len(n) > digits || strings.ContainsAny(string(n), "eE") {
			s.fail(ErrUnsupported, pointer, k.name, "%v: a number of at most %d digits is wanted", v, digits)
			return out, false
		}
		b := bound{true, new(big.Int), k.strict}
		if !r.IsInt() {
			if !integer {
				s.fail(ErrUnsupported, pointer, k.name, "%v: of numbers with a fraction, only whole bounds are", v)
				return out, false
			}
			// The next whole number inside.
			b.value.Div(r.Num(), r.Denom()) // rounds down
			if direction > 0 {
				b.value.Add(b.value, big.NewInt(1))
			}
			b.strict = false
		} else {
			b.value.Set(r.Num())
			if integer && b.strict {
				b.value.Add(b.value, big.NewInt(direction))
				b.strict = false
			}
		}
		// Both ends may be given twice: the narrower one counts.
		if c := 0; out.set {
			if c = b.value.Cmp(out.value) * int(direction); c < 0 || c == 0 && out.strict {
				continue
			}
		}
		out = b
	}
	return out, true
}

// upward are the numbers of 0 or more from one bound to another, if there is one,
// without a sign.
func (s *schema) upward(from, to bound, integer bool) choice {
	one := big.NewInt(1)
	fraction := sequence{literal("."), repeat{digit, 1, 16}}
	if integer {
		low := new(big.Int).Set(from.value)
		if from.strict {
			low.Add(low, one)
		}
		if !to.set {
			return atLeast(low)
		}
		high := new(big.Int).Set(to.value)
		if to.strict {
			high.Sub(high, one)
		}
		return between(low, high)
	}
	var all choice
	// Whole parts from which every fraction is in the range.
	low := new(big.Int).Set(from.value)
	if from.strict {
		if !to.set || low.Cmp(to.value) < 0 {
			// The bound itself with a fraction that is not 0.
			more := sequence{literal("."), repeat{literal("0"), 0, 15}, class{{'1', '9'}}, repeat{digit, 0, 8}}
			all = append(all, sequence{literal(low.String()), more})
		}
		low.Add(low, one)
	}
	if !to.set {
		return append(all, sequence{atLeast(low), optional(fraction)})
	}
	high := new(big.Int).Sub(to.value, one)
	if inner := between(low, high); len(inner) > 0 {
		all = append(all, sequence{inner, optional(fraction)})
	}
	if !to.strict && to.value.Cmp(low) >= 0 {
		all = append(all, sequence{literal(to.value.String()), optional(sequence{literal("."), repeat{literal("0"), 1, 16}})})
	}
	return all
}

// atLeast are the whole numbers from low on, of 20 digits at most or as many as low
// has.
func atLeast(low *big.Int) choice {
	n := len(low.String())
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	all := between(low, new(big.Int).Sub(most, big.NewInt(1)))
	if more := 19 - n; more >= 0 {
		all = append(all, sequence{class{{'1', '9'}}, repeat{digit, n, n + more}})
	}
	return all
}

// between are the whole numbers from low to high, both 0 or more.
func between(low, high *big.Int) choice {
	if low.Cmp(high) > 0 {
		return nil
	}
	a, b := low.String(), high.String()
	var all choice
	for n := len(a); n <= len(b); n++ {
		from, to := "1"+strings.Repeat("0", n-1), strings.Repeat("9", n)
		if n == len(a) {
			from = a
		}
		if n == len(b) {
			to = b
		}
		all = append(all, digits(from, to))
	}
	return all
}

// digits are the numbers from one to another, of as many digits.
func digits(from, to string) expression {
	if from == "" {
		return literal("")
	}
	if from[0] == to[0] {
		return sequence{literal(from[:1]), digits(from[1:], to[1:])}
	}
	n := len(from) - 1
	low, high := rune(from[0]), rune(to[0])
	var all choice
	if from[1:] != strings.Repeat("0", n) {
		all = append(all, sequence{literal(from[:1]), digits(from[1:], strings.Repeat("9", n))})
		low++
	}
	last := expression(nil)
	if to[1:] != strings.Repeat("9", n) {
		last = sequence{literal(to[:1]), digits(strings.Repeat("0", n), to[1:])}
		high--
	}
	if low <= high {
		all = append(all, sequence{class{{low, high}}, repeat{digit, n, n}})
	}
	if last != nil {
		all = append(all, last)
	}
	return all
}
