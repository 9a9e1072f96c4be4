package grammar

import (
	"encoding/json"
	"math/big"
	"strings"
)

// bound is an end of a range of numbers.
type bound struct {
	set    bool
	value  *big.Int // of the last digit that counts
	strict bool     // the value itself is not in it
}

// mostPlaces is how many digits a number may have behind the point.
const mostPlaces = 16

// number makes the expression of numbers.
func (s *schema) number(o *object, pointer string, integer bool) expression {
	lows, ok := s.bounds(o, pointer, "minimum", "exclusiveMinimum")
	if !ok {
		return literal("")
	}
	highs, ok := s.bounds(o, pointer, "maximum", "exclusiveMaximum")
	if !ok {
		return literal("")
	}
	places := -1 // behind the point; -1: as many as there may be
	if v, ok := o.get("multipleOf"); ok {
		n, _ := v.(json.Number)
		step := limit{text: string(n)}
		if places = step.powerOfTen(); places < 0 {
			return s.multiples(step, lows, highs, pointer, integer)
		}
	}
	if integer {
		places = 0
	}
	r := decimals{scale: max(places, 0), places: places}
	for _, b := range append(lows, highs...) {
		r.scale = max(r.scale, b.places())
	}
	low, high := r.narrowest(lows, 1), r.narrowest(highs, -1)
	if !low.set && !high.set && places <= 0 {
		if places == 0 {
			return sequence{optional(literal("-")), natural()}
		}
		return reference(ruleNumber)
	}
	var all choice
	// Numbers from 0 up, and those below, mirrored.
	if !high.set || high.value.Sign() >= 0 {
		from := bound{true, new(big.Int), false}
		if low.set && low.value.Sign() >= 0 {
			from = low
		}
		all = append(all, r.upward(from, high)...)
	}
	if !low.set || low.value.Sign() < 0 {
		from := bound{true, new(big.Int), true}
		if high.set && high.value.Sign() < 0 {
			from = bound{true, new(big.Int).Neg(high.value), high.strict}
		}
		to := bound{}
		if low.set {
			to = bound{true, new(big.Int).Neg(low.value), low.strict}
		}
		for _, e := range r.upward(from, to) {
			all = append(all, sequence{literal("-"), e})
		}
	}
	if len(all) == 0 {
		return s.fail(ErrSyntax, pointer, "minimum, maximum", "no number is in the range")
	}
	return all
}

// mostMultiples is how many numbers a range may have whose multiples are counted out.
const mostMultiples = 1 << 12

// multiples makes the expression of the multiples of a number in a range, one by one.
func (s *schema) multiples(step limit, lows, highs []limit, pointer string, integer bool) expression {
	const keyword = "multipleOf"
	by, ok := step.rat()
	switch {
	case !ok || by.Sign() <= 0 || step.places() > mostPlaces:
		return s.fail(ErrUnsupported, pointer, keyword, "%s: a number above 0 of at most 40 digits is wanted", step.text)
	case len(lows) == 0 || len(highs) == 0:
		return s.fail(ErrUnsupported, pointer, keyword, "%s, without a minimum and a maximum (1, 0.1, 0.01 and so on are)", step.text)
	}
	r := decimals{scale: step.places()}
	for _, l := range append(lows, highs...) {
		r.scale = max(r.scale, l.places())
	}
	unit := r.narrowest([]limit{step}, 1).value
	from, to := r.narrowest(lows, 1), r.narrowest(highs, -1)
	// The first multiple inside, and how many there are.
	first, rest := new(big.Int).DivMod(from.value, unit, new(big.Int))
	if rest.Sign() > 0 || from.strict {
		first.Add(first, big.NewInt(1))
	}
	last, rest := new(big.Int).DivMod(to.value, unit, rest)
	if rest.Sign() == 0 && to.strict {
		last.Sub(last, big.NewInt(1))
	}
	count := new(big.Int).Sub(last, first)
	if count.Cmp(big.NewInt(mostMultiples)) >= 0 {
		return s.fail(ErrLimit, pointer, keyword, "more than %d multiples of %s are in the range", mostMultiples, step.text)
	}
	var all choice
	for n := first; n.Cmp(last) <= 0; n.Add(n, big.NewInt(1)) {
		v := new(big.Rat).SetInt(n)
		if v.Mul(v, by); integer && !v.IsInt() {
			continue
		}
		text := v.FloatString(step.places())
		if strings.Contains(text, ".") {
			text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
		}
		all = append(all, literal(text))
	}
	if len(all) == 0 {
		return s.fail(ErrSyntax, pointer, keyword, "no multiple of %s is in the range", step.text)
	}
	return all
}

// powerOfTen returns n of a number that is 10 to the power of -n, or -1.
func (l limit) powerOfTen() int {
	r, ok := l.rat()
	if !ok {
		return -1
	}
	for places := range mostPlaces + 1 {
		if r.IsInt() && r.Num().IsInt64() && r.Num().Int64() == 1 {
			return places
		}
		r.Mul(r, big.NewRat(10, 1))
	}
	return -1
}

// limit is a bound as a schema has it.
type limit struct {
	text   string
	strict bool
}

// rat returns its value.
func (l limit) rat() (*big.Rat, bool) {
	const digits = 40
	if len(l.text) > digits || strings.ContainsAny(l.text, "eE") {
		return nil, false
	}
	return new(big.Rat).SetString(l.text)
}

// places returns how many digits it has behind the point.
func (l limit) places() int {
	_, fraction, _ := strings.Cut(l.text, ".")
	return len(strings.TrimRight(fraction, "0"))
}

// bounds reads an end of a range, which may be given by two keywords.
func (s *schema) bounds(o *object, pointer, name, strictName string) ([]limit, bool) {
	var all []limit
	for _, k := range []struct {
		name   string
		strict bool
	}{{name, false}, {strictName, true}} {
		v, ok := o.get(k.name)
		if !ok {
			continue
		}
		n, _ := v.(json.Number)
		l := limit{string(n), k.strict}
		if _, ok := l.rat(); !ok || l.places() > mostPlaces {
			s.fail(ErrUnsupported, pointer, k.name, "%v: a number of at most 40 digits, and %d behind the point, is wanted", v, mostPlaces)
			return nil, false
		}
		all = append(all, l)
	}
	return all, true
}

// decimals makes expressions of numbers in decimal digits. Their values are counted in
// units of the scale: of 10 to the power of -scale.
type decimals struct {
	scale  int
	places int // the most digits behind the point; -1: some behind those of the scale
}

// power returns 10 to the power of n.
func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// narrowest returns the limit that leaves the least; direction is where the range lies
// from it.
func (d decimals) narrowest(all []limit, direction int) bound {
	var out bound
	for _, l := range all {
		r, _ := l.rat()
		r.Mul(r, new(big.Rat).SetInt(power(d.scale)))
		b := bound{true, r.Num(), l.strict}
		if out.set {
			if c := b.value.Cmp(out.value) * direction; c < 0 || c == 0 && out.strict {
				continue
			}
		}
		out = b
	}
	return out
}

// upward are the numbers of 0 or more from one bound to another, if there is one,
// without a sign.
func (d decimals) upward(from, to bound) choice {
	var all choice
	exact := d.scale // of how many numbers of digits behind the point nothing more follows
	if d.places >= 0 {
		exact = d.places + 1
	}
	for places := range exact {
		low, high := d.rounded(from, to, places)
		all = append(all, pointed(low, high, places)...)
	}
	if d.places >= 0 {
		return all
	}
	// What is behind the digits of the scale: any digits, zeros alone, or not zeros alone.
	zero, tail := literal("0"), func(e expression) expression { return optional(sequence{literal("."), e}) }
	if d.scale > 0 {
		tail = func(e expression) expression { return optional(e) }
	}
	more := max(1, mostPlaces-d.scale)
	low := from.value
	if from.strict {
		if !to.set || low.Cmp(to.value) < 0 {
			behind := sequence{repeat{zero, 0, more - 1}, class{{'1', '9'}}, repeat{digit, 0, more / 2}}
			if d.scale == 0 {
				behind = sequence{literal("."), behind}
			}
			all = append(all, sequence{pointed(low, low, d.scale), behind})
		}
		low = new(big.Int).Add(low, big.NewInt(1))
	}
	if !to.set {
		return append(all, sequence{pointed(low, nil, d.scale), tail(repeat{digit, 1, more})})
	}
	if inner := pointed(low, new(big.Int).Sub(to.value, big.NewInt(1)), d.scale); len(inner) > 0 {
		all = append(all, sequence{inner, tail(repeat{digit, 1, more})})
	}
	if !to.strict && to.value.Cmp(low) >= 0 {
		all = append(all, sequence{pointed(to.value, to.value, d.scale), tail(repeat{zero, 1, more})})
	}
	return all
}

// rounded returns the least and the greatest number with so many digits behind the
// point between two bounds, in units of the last; nil: there is no greatest.
func (d decimals) rounded(from, to bound, places int) (low, high *big.Int) {
	unit, rest := power(d.scale-places), new(big.Int)
	low, _ = new(big.Int).DivMod(from.value, unit, rest)
	if rest.Sign() > 0 || from.strict {
		low.Add(low, big.NewInt(1))
	}
	if !to.set {
		return low, nil
	}
	high, _ = new(big.Int).DivMod(to.value, unit, rest)
	if rest.Sign() == 0 && to.strict {
		high.Sub(high, big.NewInt(1))
	}
	return low, high
}

// pointed are the numbers from low to high, both 0 or more, in units of the last of
// some digits behind a point. Without high there is no end: they have 20 digits at most
// before the point, or as many as low has.
func pointed(low, high *big.Int, places int) choice {
	if high != nil && low.Cmp(high) > 0 {
		return nil
	}
	// A zero stands before the point where there is nothing else.
	least := power(places + 1)
	var all choice
	if low.Cmp(least) < 0 {
		last := new(big.Int).Sub(least, big.NewInt(1))
		if high != nil && high.Cmp(last) < 0 {
			last = high
		}
		all = append(all, digits(padded(low, places+1), padded(last, places+1), places))
		low = least
	}
	n := len(low.String())
	end := high
	if high == nil {
		end = new(big.Int).Sub(power(n), big.NewInt(1))
	}
	if low.Cmp(end) <= 0 {
		a, b := low.String(), end.String()
		for n := len(a); n <= len(b); n++ {
			from, to := "1"+strings.Repeat("0", n-1), strings.Repeat("9", n)
			if n == len(a) {
				from = a
			}
			if n == len(b) {
				to = b
			}
			all = append(all, digits(from, to, places))
		}
	}
	if more := 20 - n; high == nil && more > 0 {
		whole := n - places // digits before the point
		e := sequence{class{{'1', '9'}}, repeat{digit, whole, whole + more}}
		if places > 0 {
			e = append(e, literal("."), repeat{digit, places, places})
		}
		all = append(all, e)
	}
	return all
}

// padded writes a number with zeros before it.
func padded(n *big.Int, width int) string {
	text := n.String()
	return strings.Repeat("0", max(0, width-len(text))) + text
}

// digits are the numbers from one to another, of as many digits, with a point before the
// last places of them.
func digits(from, to string, places int) expression {
	if places > 0 && len(from) == places {
		return sequence{literal("."), digits(from, to, 0)}
	}
	if from == "" {
		return literal("")
	}
	if from[0] == to[0] {
		return sequence{literal(from[:1]), digits(from[1:], to[1:], places)}
	}
	n := len(from) - 1
	zeros, nines := strings.Repeat("0", n), strings.Repeat("9", n)
	low, high := rune(from[0]), rune(to[0])
	var all choice
	if from[1:] != zeros {
		all = append(all, sequence{literal(from[:1]), digits(from[1:], nines, places)})
		low++
	}
	last := expression(nil)
	if to[1:] != nines {
		last = sequence{literal(to[:1]), digits(zeros, to[1:], places)}
		high--
	}
	if low <= high {
		rest := sequence{repeat{digit, n, n}}
		if places > 0 {
			rest = sequence{repeat{digit, n - places, n - places}, literal("."), repeat{digit, places, places}}
		}
		all = append(all, sequence{class{{low, high}}, rest})
	}
	if last != nil {
		all = append(all, last)
	}
	return all
}
