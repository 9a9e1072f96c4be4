package quant

import "math"

// MaxF16 is the largest finite float16.
const MaxF16 = 65504

// F16ToF32 returns the value of an IEEE 754 binary16, exactly.
func F16ToF32(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, mantissa := uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // a subnormal counts steps of 2^-24; float32 holds each exactly
		return math.Float32frombits(sign | math.Float32bits(float32(float32(mantissa)*0x1p-24)))
	case 0x1f: // infinity, or NaN with its payload
		return math.Float32frombits(sign | 0x7f800000 | mantissa<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | mantissa<<13)
}

// F32ToF16 returns the IEEE 754 binary16 nearest to x, ties to even. What
// passes [MaxF16] by half a step or more becomes an infinity; a NaN stays one.
func F32ToF16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits>>16) & 0x8000
	bits &= 0x7fffffff
	switch {
	case bits > 0x7f800000:
		return sign | 0x7e00 | uint16(bits>>13)&0x3ff
	case bits >= 0x477ff000: // 65520, half a step past MaxF16
		return sign | 0x7c00
	case bits < 0x38800000: // under 2^-14, the least normal float16
		// A float32 just over 0.5 counts steps of 2^-24, as a subnormal
		// float16 does, so the addition rounds where float16 rounds.
		step := math.Float32bits(math.Float32frombits(bits) + 0.5)
		return sign | uint16(step-0x3f000000)
	}
	odd := bits >> 13 & 1
	return sign | uint16((bits-(127-15)<<23+0xfff+odd)>>13)
}

// ClampF16 returns x, held between -[MaxF16] and MaxF16 so that it has a finite
// float16. A NaN stays a NaN.
func ClampF16(x float32) float32 { return max(-MaxF16, min(x, MaxF16)) }

// BF16ToF32 returns the value of a bfloat16, the upper half of a float32.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 returns the bfloat16 nearest to x, ties to even. A NaN stays one.
func F32ToBF16(x float32) uint16 {
	bits := math.Float32bits(x)
	if bits&0x7fffffff > 0x7f800000 {
		return uint16(bits>>16) | 0x40 // quiet, or a small payload would round to infinity
	}
	odd := bits >> 16 & 1
	return uint16((bits + 0x7fff + odd) >> 16)
}
