package cpu

import (
	"math"
	"slices"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// exact is the arithmetic in plain Go, with reductions and functions in float64.
type exact struct{}

func (exact) Name() string { return "plain Go" }

func (exact) Pause() {
	for range 64 {
	}
}

func (exact) Add(out, x, y simd.Rows, first, last int) {
	for t := first; t < last; t++ {
		to, other := out.Row(t), y.Row(t)
		for i, v := range x.Row(t) {
			to[i] = v + other[i]
		}
	}
}

// addTo adds row i of r to x. Rows without data add nothing.
func addTo(x []float32, r *simd.Rows, i int) {
	if r.Data == nil {
		return
	}
	for j, v := range r.Row(i) {
		x[j] += v
	}
}

func (exact) RMSNorm(out, x, residual simd.Rows, weight []float32, epsilon float32, first, last int) {
	for t := first; t < last; t++ {
		to, row := out.Row(t), x.Row(t)
		addTo(row, &residual, t)
		for g := 0; g < len(row); g += len(weight) {
			normalise(to[g:g+len(weight)], row[g:g+len(weight)], weight, float64(epsilon))
		}
	}
}

func normalise(out, x, weight []float32, epsilon float64) {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+epsilon))
	for i, v := range x {
		out[i] = v * scale * weight[i]
	}
}

func (exact) LayerNorm(out, x, residual simd.Rows, weight, bias []float32, epsilon float32, first, last int) {
	for t := first; t < last; t++ {
		to, row := out.Row(t), x.Row(t)
		addTo(row, &residual, t)
		centre(to, row, weight, float64(epsilon))
		for i, b := range bias {
			to[i] += b
		}
	}
}

// centre takes the mean of x away and divides by the deviation. The variance is
// of what is left, not a difference of mean squares, which would cancel.
func centre(out, x, weight []float32, epsilon float64) {
	mean := 0.0
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	sum := 0.0
	for _, v := range x {
		d := float64(v) - mean
		sum += float64(d * d)
	}
	scale := float32(1 / math.Sqrt(sum/float64(len(x))+epsilon))
	for i, v := range x {
		out[i] = float32(float64(v)-mean) * scale * weight[i]
	}
}

func (exact) GLU(a device.Activation, out, gate, up simd.Rows, first, last int) {
	for t := first; t < last; t++ {
		to := out.Row(t)
		for i, x := range gate.Row(t) {
			to[i] = activate(a, x)
		}
		if up.Data != nil {
			for i, y := range up.Row(t) {
				to[i] *= y
			}
		}
	}
}

// activate returns an activation, computed in float64.
func activate(a device.Activation, x32 float32) float32 {
	x := float64(x32)
	switch a {
	case device.GELUTanh: // Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415
		inner := math.Sqrt(2/math.Pi) * (x + float64(0.044715*x*x*x))
		return float32(0.5 * x * (1 + math.Tanh(inner)))
	case device.GELU:
		return float32(0.5 * x * (1 + math.Erf(x/math.Sqrt2)))
	default: // SiLU
		return float32(x / (1 + math.Exp(-x)))
	}
}

func (exact) SoftCap(x simd.Rows, limit float32, first, last int) {
	for t := first; t < last; t++ {
		row := x.Row(t)
		for i, v := range row {
			row[i] = soften(v, float64(limit))
		}
	}
}

// soften returns limit*tanh(x/limit), computed in float64.
func soften(x float32, limit float64) float32 { return float32(limit * math.Tanh(float64(x)/limit)) }

func (exact) Softmax(x []float32) {
	highest := math.Inf(-1)
	for _, v := range x {
		highest = max(highest, float64(v))
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - highest)
	}
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v)-highest) / sum)
	}
}

// LogSumExp of a row that has a NaN is one.
func (exact) LogSumExp(x []float32) float32 {
	highest := math.Inf(-1)
	for _, v := range x {
		highest = max(highest, float64(v))
	}
	if math.IsInf(highest, 0) {
		return float32(highest) // the difference from itself would be NaN
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - highest)
	}
	return float32(highest + math.Log(sum))
}

func (exact) Above(x []float32, first int, limit float32) int {
	for ; first < len(x); first++ {
		if x[first] > limit {
			break
		}
	}
	return first
}

func (exact) Rotate(x []float32, headDim int, angles []float32, step, other int) {
	for ; len(x) > 0; x = x[headDim:] {
		for i := 0; i < len(angles)/2; i++ {
			a, b := i*step, i*step+other
			cos, sin := angles[2*i], angles[2*i+1]
			xa, xb := x[a], x[b]
			x[a] = float32(xa*cos) - float32(xb*sin)
			x[b] = float32(xa*sin) + float32(xb*cos)
		}
	}
}

func (exact) ToF16(out []uint16, x []float32) {
	for i, v := range x {
		out[i] = quant.F32ToF16(quant.ClampF16(v))
	}
}

func (exact) ScaleAdd(out, x []float32, scale float32) {
	for i, v := range x {
		out[i] += float32(scale * v)
	}
}

func (exact) Down(out, x simd.Rows, rows []int32, scales, bank []float32) {
	for t, row := range rows {
		to, x := out.Row(int(row)), x.Row(int(row))
		clear(to)
		for i := 0; i < len(x); i += 4 {
			a, b, c, d := x[i], x[i+1], x[i+2], x[i+3]
			for j, block := 0, bank[i*len(to):][:4*len(to)]; j < len(to); j, block = j+1, block[4:] {
				to[j] += (float32(block[0]*a) + float32(block[1]*b)) + (float32(block[2]*c) + float32(block[3]*d))
			}
		}
		for j := range to {
			to[j] *= scales[t]
		}
	}
}

func (e exact) Up(out simd.Rows, rows []int32, bank []float32, stride int, by simd.Rows) {
	for _, row := range rows {
		to := out.Row(int(row))
		for r, v := range by.Row(int(row)) {
			e.ScaleAdd(to, bank[r*stride:][:len(to)], v)
		}
	}
}

// Attend goes through the pages twice: for the scores, and for the values.
func (e exact) Attend(a *simd.Attention) {
	n := len(a.Begins)
	begin, end := int(slices.Min(a.Begins)), int(slices.Max(a.Ends))
	const page = device.PageTokens
	for at := begin / page * page; at < end; at += page {
		keys := cached(a, a.Keys, a.HalfKeys, at/page)
		for i := range n {
			scorePage(a.Scores[i*a.Stride+at:][:page], a.Queries[i*a.Dim:(i+1)*a.Dim], keys)
		}
	}
	for i := range n {
		scores := a.Scores[i*a.Stride+int(a.Begins[i]) : i*a.Stride+int(a.Ends[i])]
		for j, s := range scores {
			scores[j] = a.Scale * s
			if a.Cap > 0 {
				scores[j] = soften(scores[j], float64(a.Cap))
			}
		}
		e.Softmax(scores)
	}
	sums := a.Sums[:n*a.Dim]
	clear(sums)
	for at := begin / page * page; at < end; at += page {
		values := cached(a, a.Values, a.HalfValues, at/page)
		for i := range n {
			for token := max(at, int(a.Begins[i])); token < min(at+page, int(a.Ends[i])); token++ {
				accumulate(sums[i*a.Dim:(i+1)*a.Dim], values[(token-at)*a.Dim:], a.Scores[i*a.Stride+token])
			}
		}
	}
	for i, sum := range sums {
		a.Out[i] = float32(sum)
	}
}

// cached returns what the cache has of a page: as it lies, or converted.
func cached(a *simd.Attention, full []float32, half []uint16, page int) []float32 {
	at, size := int(a.Pages[page])*a.PageStride, device.PageTokens*a.Dim
	if !a.Half {
		return full[at : at+size]
	}
	for i, h := range half[at : at+size] {
		a.Page[i] = quant.F16ToF32(h)
	}
	return a.Page[:size]
}

// scorePage multiplies a query with the keys [dim][token] of a page.
func scorePage(scores, query, keys []float32) {
	for i := 0; i < len(scores); i += 4 {
		var s [4]float64
		for d, q := range query {
			k := keys[d*device.PageTokens+i:][:4]
			s[0] += float64(q * k[0])
			s[1] += float64(q * k[1])
			s[2] += float64(q * k[2])
			s[3] += float64(q * k[3])
		}
		scores[i], scores[i+1], scores[i+2], scores[i+3] = float32(s[0]), float32(s[1]), float32(s[2]), float32(s[3])
	}
}

func accumulate(sums []float64, value []float32, weight float32) {
	w := float64(weight)
	for i, v := range value[:len(sums)] {
		sums[i] += float64(w * float64(v))
	}
}

// dot returns x·w [a multiple of 4 elements]: every fourth product is added up
// by itself, then the four sums in pairs. Products are rounded before they are
// added; the conversion keeps compilers from fusing the two.
func dot(x, w []float32) float32 {
	var a, b, c, d float32
	for i := 3; i < len(x) && i < len(w); i += 4 {
		a += float32(x[i-3] * w[i-3])
		b += float32(x[i-2] * w[i-2])
		c += float32(x[i-1] * w[i-1])
		d += float32(x[i] * w[i])
	}
	return (a + b) + (c + d)
}
