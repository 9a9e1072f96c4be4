package memory64

import (
	"math"
	"math/bits"

	"github.com/realm-webgpu/realm/hostfn/wasm"
)

// span is what an integer is known to be: at least low and at most high. An i64 is
// taken as a signed number, an i32 as an unsigned one.
type span struct{ low, high int64 }

// slack is how many addresses are past any memory though they have 32 bits.
const slack = 1<<32 - MaxPages<<16

// spanOf returns what is known of any value of a type.
func spanOf(t wasm.ValueType) span {
	if t == wasm.I32 {
		return span{0, math.MaxUint32}
	}
	return span{math.MinInt64, math.MaxInt64}
}

// wraps reports whether an i64 is as good in 32 bits. It is below 2^32 then, or becomes
// an address, a length or an index that is past everything: as unsigned numbers of 64
// bits those below zero are so, too.
func (s span) wraps() bool { return s.low > -slack && s.high <= math.MaxUint32 }

// small reports whether an i64 is below 2^32.
func (s span) small() bool { return s.low >= 0 && s.high <= math.MaxUint32 }

// and returns what two spans of a value say together.
func (s span) and(t span) span {
	if both := (span{max(s.low, t.low), min(s.high, t.high)}); both.low <= both.high {
		return both
	}
	return s // never reached, as nothing is in both
}

// plus returns the span of sums.
func (s span) plus(t span) span {
	const most = 1 << 62
	if s.low < -most || s.high > most || t.low < -most || t.high > most {
		return spanOf(wasm.I64)
	}
	return span{s.low + t.low, s.high + t.high}
}

// minus returns the span of differences.
func (s span) minus(t span) span {
	if t.low == math.MinInt64 {
		return spanOf(wasm.I64)
	}
	return s.plus(span{-t.high, -t.low})
}

// times returns the span of products of numbers that are not below zero.
func (s span) times(t span) span {
	if high, low := bits.Mul64(uint64(s.high), uint64(t.high)); s.low >= 0 && t.low >= 0 && high == 0 && low <= math.MaxInt64 {
		return span{s.low * t.low, int64(low)}
	}
	return spanOf(wasm.I64)
}

// spanOfResult returns what is known of the value that an instruction leaves, by its
// opcode and its operands, which are on the stack still.
func (f *function) spanOfResult(c *wasm.Code, kind wasm.ValueType) span {
	all, width := spanOf(kind), int64(62)
	if kind == wasm.I32 {
		width = 32
	}
	result := all
	switch c.Op {
	case wasm.OpI32Const:
		result = span{int64(uint32(c.A)), int64(uint32(c.A))}
	case wasm.OpI64Const:
		result = span{int64(c.A), int64(c.A)}
	case wasm.OpI32Load8U, wasm.OpI64Load8U:
		result = span{0, math.MaxUint8}
	case wasm.OpI32Load16U, wasm.OpI64Load16U:
		result = span{0, math.MaxUint16}
	case wasm.OpI64Load32U:
		result = span{0, math.MaxUint32}
	case wasm.OpI64ExtendI32U:
		result = f.spanAt(0)
	case wasm.OpI64ExtendI32S:
		if result = f.spanAt(0); result.high > math.MaxInt32 {
			result = span{math.MinInt32, math.MaxInt32}
		}
	case wasm.OpI32WrapI64:
		result = f.spanAt(0)
	case wasm.OpI32Add, wasm.OpI64Add:
		result = f.spanAt(1).plus(f.spanAt(0))
	case wasm.OpI32Sub, wasm.OpI64Sub:
		result = f.spanAt(1).minus(f.spanAt(0))
	case wasm.OpI32Mul, wasm.OpI64Mul:
		result = f.spanAt(1).times(f.spanAt(0))
	case wasm.OpI32Shl, wasm.OpI64Shl:
		if by := f.spanAt(0); by.low == by.high && by.low >= 0 && by.high < width {
			result = f.spanAt(1).times(span{1 << by.low, 1 << by.low})
		}
	case wasm.OpI32ShrU, wasm.OpI64ShrU:
		if x, by := f.spanAt(1), f.spanAt(0); by.low == by.high && by.low >= 0 && by.high < width {
			if x.low >= 0 {
				result = span{x.low >> by.low, x.high >> by.low}
			} else if by.low > 0 {
				result = span{0, math.MaxInt64 >> (by.low - 1)}
			}
		}
	case wasm.OpI32And, wasm.OpI64And:
		for i := range 2 {
			if x := f.spanAt(i); x.low >= 0 {
				result = span{0, min(result.high, x.high)}
			}
		}
	case wasm.OpI32Or, wasm.OpI64Or:
		if x, y := f.spanAt(1), f.spanAt(0); x.low >= 0 && y.low >= 0 {
			result = span{max(x.low, y.low), int64(1)<<bits.Len64(uint64(x.high|y.high)) - 1}
		}
	default:
		if c.Op >= wasm.OpI32Eqz && c.Op < wasm.OpI32Clz { // comparisons
			result = span{0, 1}
		}
	}
	if result.low < all.low || result.high > all.high {
		return all // it may have overflowed
	}
	return result
}

// spanAt returns what is known of the operand that is n below the top of the stack.
func (f *function) spanAt(n int) span {
	x := f.top(n)
	if x == nil {
		return spanOf(wasm.I64)
	}
	return f.spanOfOperand(x)
}

// spanOfOperand returns what is known of an operand, by how it was made and by what
// the local has shown since that it was made of.
func (f *function) spanOfOperand(x *operand) span {
	if x.local < 0 {
		return x.span
	}
	return x.span.and(f.known.span(x.local, x.version).plus(span{x.plus, x.plus}))
}
