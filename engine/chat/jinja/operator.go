package jinja

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

func (u unary) eval(r *run, s *scope) (any, error) {
	operand, err := r.eval(u.operand, s)
	if err != nil {
		return nil, err
	}
	if u.operator == "not" {
		return !truth(operand), nil
	}
	switch v := number(operand).(type) {
	case int64:
		if u.operator == "+" {
			return v, nil
		}
		if v != math.MinInt64 {
			return -v, nil
		}
		return nil, errOverflow
	case float64:
		if u.operator == "+" {
			return v, nil
		}
		return -v, nil
	}
	return nil, fmt.Errorf("%w: %s%s", ErrType, u.operator, typeName(operand))
}

func (b binary) eval(r *run, s *scope) (any, error) {
	left, err := r.eval(b.left, s)
	if err != nil {
		return nil, err
	}
	switch {
	case b.operator == "and" && !truth(left), b.operator == "or" && truth(left):
		return left, nil
	}
	right, err := r.eval(b.right, s)
	if err != nil || b.operator == "and" || b.operator == "or" {
		return right, err
	}
	for _, operand := range [...]any{left, right} {
		if u, ok := operand.(Undefined); ok {
			return nil, fmt.Errorf("%w: %q, an operand of %s", ErrUndefined, u.What, b.operator)
		}
	}
	switch b.operator {
	case "+":
		if value, done, err := r.join(left, right); done || err != nil {
			return value, err
		}
	case "*":
		if value, done, err := r.repeat(left, right); done || err != nil {
			return value, err
		}
	}
	return arithmetic(b.operator, left, right)
}

// number gives a bool as the integer that it is in Python, and other values as they are.
func number(value any) any {
	if b, ok := value.(bool); ok {
		if b {
			return int64(1)
		}
		return int64(0)
	}
	return value
}

// join puts two strings or two lists together.
func (r *run) join(left, right any) (value any, done bool, err error) {
	switch l := left.(type) {
	case string:
		if rest, ok := right.(string); ok {
			if err := r.spend(len(l) + len(rest)); err != nil {
				return nil, true, err
			}
			return l + rest, true, nil
		}
	case []any:
		if rest, ok := right.([]any); ok {
			items, err := r.joinItems(l, rest)
			return items, true, err
		}
	case Tuple:
		if rest, ok := right.(Tuple); ok {
			items, err := r.joinItems(l, rest)
			return Tuple(items), true, err
		}
	}
	return nil, false, nil
}

func (r *run) joinItems(left, right []any) ([]any, error) {
	if err := r.spend((len(left) + len(right)) * elementBytes); err != nil {
		return nil, err
	}
	return slices.Concat(left, right), nil
}

// repeat puts a string or a list after itself.
func (r *run) repeat(left, right any) (value any, done bool, err error) {
	if _, ok := number(left).(int64); ok {
		left, right = right, left
	}
	n, ok := number(right).(int64)
	if !ok {
		return nil, false, nil
	}
	size := 0
	switch l := left.(type) {
	case string:
		size = len(l)
	case []any:
		size = len(l) * elementBytes
	default:
		return nil, false, nil
	}
	n = max(n, 0)
	if size > 0 && n > int64(r.limits.Bytes/size) {
		n = int64(r.limits.Bytes/size) + 1 // over the limit, and no overflow
	}
	if err := r.spend(int(n) * size); err != nil {
		return nil, true, err
	}
	if text, ok := left.(string); ok {
		return strings.Repeat(text, int(n)), true, nil
	}
	return slices.Repeat(left.([]any), int(n)), true, nil
}

var errOverflow = fmt.Errorf("%w: an integer of more than 64 bits", ErrLimit)

// arithmetic calculates with numbers. Integers stay integers, but for "/".
func arithmetic(operator string, left, right any) (any, error) {
	a, b := number(left), number(right)
	x, isInt := a.(int64)
	y, areInts := b.(int64)
	if isInt && areInts && operator != "/" && (operator != "**" || y >= 0) {
		return integers(operator, x, y)
	}
	f, ok1 := float(a)
	g, ok2 := float(b)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("%w: %s %s %s", ErrType, typeName(left), operator, typeName(right))
	}
	if g == 0 && strings.Contains("//%", operator) || operator == "**" && f == 0 && g < 0 {
		return nil, fmt.Errorf("%w: division by zero", ErrType)
	}
	switch operator {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "/":
		return f / g, nil
	case "//":
		return math.Floor(f / g), nil
	case "%":
		rest := math.Mod(f, g)
		if rest != 0 && (rest < 0) != (g < 0) {
			rest += g
		}
		return rest, nil
	}
	return math.Pow(f, g), nil
}

// float gives a number as a float.
func float(value any) (float64, bool) {
	switch v := value.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// integers calculates with integers; quotients are rounded down.
func integers(operator string, x, y int64) (any, error) {
	switch operator {
	case "+":
		if sum := x + y; (sum > x) == (y > 0) {
			return sum, nil
		}
	case "-":
		if difference := x - y; (difference < x) == (y > 0) {
			return difference, nil
		}
	case "*":
		if product, ok := times(x, y); ok {
			return product, nil
		}
	case "//", "%":
		if y == 0 {
			return nil, fmt.Errorf("%w: division by zero", ErrType)
		}
		if x == math.MinInt64 && y == -1 {
			break
		}
		quotient, rest := x/y, x%y
		if rest != 0 && (rest < 0) != (y < 0) {
			quotient, rest = quotient-1, rest+y
		}
		if operator == "//" {
			return quotient, nil
		}
		return rest, nil
	case "**":
		power := int64(1)
		if x == 0 || x == 1 || x == -1 {
			y = min(y, 2-y%2) // the same power, in few steps
		}
		for ok := true; y > 0; y-- {
			if power, ok = times(power, x); !ok {
				return nil, errOverflow
			}
		}
		return power, nil
	}
	return nil, errOverflow
}

// times multiplies where the product fits.
func times(x, y int64) (int64, bool) {
	high, low := bits.Mul64(magnitude(x), magnitude(y))
	if high != 0 || low > math.MaxInt64 {
		return 0, false
	}
	if (x < 0) != (y < 0) {
		return -int64(low), true
	}
	return int64(low), true
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func (c comparison) eval(r *run, s *scope) (any, error) {
	left, err := r.eval(c.first, s)
	if err != nil {
		return nil, err
	}
	for _, next := range c.rest {
		right, err := r.eval(next.operand, s)
		if err != nil {
			return nil, err
		}
		holds, err := r.compare(next.operator, left, right)
		if err != nil || !holds {
			return false, err
		}
		left = right
	}
	return true, nil
}

// compare reports whether left operator right.
func (r *run) compare(operator string, left, right any) (bool, error) {
	switch operator {
	case "==":
		return r.equal(left, right, 0)
	case "!=":
		equal, err := r.equal(left, right, 0)
		return !equal, err
	case "in":
		return r.contains(right, left)
	case "not in":
		found, err := r.contains(right, left)
		return !found, err
	}
	order, err := r.order(left, right, 0)
	if err != nil {
		return false, err
	}
	switch operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// equal compares values, lists and dicts by their elements.
func (r *run) equal(left, right any, depth int) (bool, error) {
	if err := r.visit(depth); err != nil {
		return false, err
	}
	left, right = number(left), number(right)
	if a, ok := float(left); ok {
		if x, ok := left.(int64); ok {
			if y, ok := right.(int64); ok {
				return x == y, nil
			}
		}
		b, ok := float(right)
		return ok && a == b, nil
	}
	switch l := left.(type) {
	case nil:
		return right == nil, nil
	case string:
		text, ok := right.(string)
		return ok && l == text, r.spend(len(l))
	case Undefined:
		_, ok := right.(Undefined)
		return ok, nil
	case []any:
		items, ok := right.([]any)
		if !ok {
			return false, nil
		}
		return r.equalItems(l, items, depth)
	case Tuple:
		items, ok := right.(Tuple)
		if !ok {
			return false, nil
		}
		return r.equalItems(l, items, depth)
	case *Dict:
		other, ok := right.(*Dict)
		if !ok || l.Len() != other.Len() {
			return false, nil
		}
		for i, key := range l.keys {
			value, found := other.Get(key)
			if !found {
				return false, nil
			}
			if equal, err := r.equal(l.values[i], value, depth+1); err != nil || !equal {
				return false, err
			}
		}
		return true, nil
	case *namespace:
		return left == right, nil
	}
	return false, nil
}

func (r *run) equalItems(left, right []any, depth int) (bool, error) {
	if len(left) != len(right) {
		return false, nil
	}
	for i := range left {
		if equal, err := r.equal(left[i], right[i], depth+1); err != nil || !equal {
			return false, err
		}
	}
	return true, nil
}

// order compares numbers, strings, or lists by their first elements that differ.
func (r *run) order(left, right any, depth int) (int, error) {
	if err := r.visit(depth); err != nil {
		return 0, err
	}
	a, b := number(left), number(right)
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return cmp.Compare(x, y), nil
		}
	}
	if x, ok := float(a); ok {
		if y, ok := float(b); ok {
			return cmp.Compare(x, y), nil
		}
	}
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), r.spend(min(len(x), len(y)))
		}
	}
	x, ok1 := sequence(a)
	y, ok2 := sequence(b)
	if !ok1 || !ok2 || typeName(a) != typeName(b) {
		return 0, fmt.Errorf("%w: %s and %s have no order", ErrType, typeName(left), typeName(right))
	}
	for i := range min(len(x), len(y)) {
		if order, err := r.order(x[i], y[i], depth+1); err != nil || order != 0 {
			return order, err
		}
	}
	return cmp.Compare(len(x), len(y)), nil
}

// contains reports whether a string has a part, a list an element or a dict a key.
func (r *run) contains(container, value any) (bool, error) {
	switch c := container.(type) {
	case string:
		part, ok := value.(string)
		if !ok {
			return false, fmt.Errorf("%w: %s in str", ErrType, typeName(value))
		}
		return strings.Contains(c, part), r.spend(len(c))
	case *Dict:
		if !hashable(value) {
			return false, fmt.Errorf("%w: %s as a key", ErrType, typeName(value))
		}
		_, found := c.Get(value)
		return found, nil
	case Undefined:
		return false, nil
	}
	items, ok := sequence(container)
	if !ok {
		return false, fmt.Errorf("%w: %s in %s", ErrType, typeName(value), typeName(container))
	}
	for _, element := range items {
		if equal, err := r.equal(element, value, 0); err != nil || equal {
			return equal, err
		}
	}
	return false, nil
}
