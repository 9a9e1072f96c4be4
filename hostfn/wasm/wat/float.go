package wat

import (
	"math"
	"strconv"
	"strings"
)

// float reads a number of the text format, of 32 or 64 bits, as its bits.
func float(n Node, bits int) uint64 {
	text := strings.ReplaceAll(n.Word, "_", "")
	digits, negative := strings.CutPrefix(text, "-")
	digits = strings.TrimPrefix(digits, "+")
	mantissa := 52
	if bits == 32 {
		mantissa = 23
	}
	exponents := uint64(1)<<(bits-1) - uint64(1)<<mantissa // all of them set
	var v uint64
	switch payload, isNaN := strings.CutPrefix(digits, "nan"); {
	case digits == "inf":
		v = exponents
	case isNaN && payload == "":
		v = exponents | 1<<(mantissa-1)
	case isNaN:
		p, err := strconv.ParseUint(strings.TrimPrefix(payload, ":0x"), 16, mantissa)
		if err != nil {
			failText(n.Line, "float %q: %v", n.Word, err)
		}
		v = exponents | p
	default:
		v = finite(n, digits, bits)
	}
	if negative {
		v |= 1 << (bits - 1)
	}
	return v
}

// finite reads a number without a sign.
func finite(n Node, digits string, bits int) uint64 {
	if strings.HasPrefix(digits, "0x") && !strings.ContainsAny(digits, "pP") {
		digits += "p0"
	}
	v, err := strconv.ParseFloat(digits, bits)
	if err != nil {
		failText(n.Line, "float %q: %v", n.Word, err)
	}
	if bits == 32 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}
