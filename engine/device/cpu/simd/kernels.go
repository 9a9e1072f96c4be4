//go:build cgo && (amd64 || arm64) && !windows

package simd

/*
#cgo CFLAGS: -std=c11 -O3 -Wno-psabi
#cgo LDFLAGS: -lm
#cgo nocallback realm_pause
#cgo noescape realm_pause
#include "kernels.h"

static const char *kernels_name(const realm_kernels *k) { return k->name; }
static realm_product *kernels_product(const realm_kernels *k, int planes, int sub, int super, int sub_scales, int min) {
	realm_layout l = {planes, sub, super, sub_scales, min};
	return k->product(&l);
}
static void multiply(realm_product *f, const uint8_t *weights, int64_t mins_at, int64_t d_at, int64_t m_at, int64_t quants_at, int64_t size,
	int units, int64_t first, int64_t last, int64_t row_first, int64_t row_last,
	const int8_t *quants, const float *scales, const int32_t *sums, int columns, float *out, int64_t stride, const float *bias) {
	realm_tile tile = {mins_at, d_at, m_at, quants_at, size};
	f(weights, &tile, units, first, last, row_first, row_last, quants, scales, sums, columns, out, stride, bias);
}
static void plain(const realm_kernels *k, int bits, int exponent, const uint8_t *weights, int64_t row_bytes, int64_t first, int64_t last,
	const float *x, int64_t x_stride, int width, int columns, float *out, int64_t out_stride, const float *bias) {
	k->plain(bits, exponent, weights, row_bytes, first, last, x, x_stride, width, columns, out, out_stride, bias);
}
static void quantise(const realm_kernels *k, const float *x, int64_t stride, int width, int rows, int8_t *quants, float *scales, int32_t *sums) {
	k->quantise(x, stride, width, rows, quants, scales, sums);
}
static void add(const realm_kernels *k, float *out, int64_t out_stride, const float *x, int64_t x_stride, const float *y, int64_t y_stride, int width, int rows) {
	k->add(out, out_stride, x, x_stride, y, y_stride, width, rows);
}
static void rms_norm(const realm_kernels *k, float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
	const float *weight, int group, int width, int rows, float epsilon) {
	k->rms_norm(out, out_stride, x, x_stride, residual, residual_stride, weight, group, width, rows, epsilon);
}
static void layer_norm(const realm_kernels *k, float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
	const float *weight, const float *bias, int width, int rows, float epsilon) {
	k->layer_norm(out, out_stride, x, x_stride, residual, residual_stride, weight, bias, width, rows, epsilon);
}
static void gate(const realm_kernels *k, int activation, float *out, int64_t out_stride, const float *gate, int64_t gate_stride,
	const float *up, int64_t up_stride, int width, int rows) {
	k->gate(activation, out, out_stride, gate, gate_stride, up, up_stride, width, rows);
}
static void soft_cap(const realm_kernels *k, float *x, int64_t stride, int width, int rows, float cap) { k->soft_cap(x, stride, width, rows, cap); }
static void softmax(const realm_kernels *k, float *x, int width) { k->softmax(x, width); }
static float log_sum_exp(const realm_kernels *k, const float *x, int width) { return k->log_sum_exp(x, width); }
static int above(const realm_kernels *k, const float *x, int first, int width, float limit) { return k->above(x, first, width, limit); }
static void rotate(const realm_kernels *k, float *x, int heads, int head_dim, const float *angles, int pairs, int step, int other) {
	k->rotate(x, heads, head_dim, angles, pairs, step, other);
}
static void to_f16(const realm_kernels *k, uint16_t *out, const float *x, int n) { k->to_f16(out, x, n); }
static void attend(const realm_kernels *k, int half, float *out, const float *queries, int n, int dim,
	const void *keys, const void *values, const int32_t *pages, int64_t page_stride,
	const int32_t *begins, const int32_t *ends, float scale, float cap, float *scores, int64_t stride) {
	k->attend(half, out, queries, n, dim, keys, values, pages, page_stride, begins, ends, scale, cap, scores, stride);
}
static void scale_add(const realm_kernels *k, float *out, const float *x, int n, float scale) { k->scale_add(out, x, n, scale); }
static void down(const realm_kernels *k, float *out, int64_t out_stride, const float *x, int64_t x_stride, const int32_t *rows, const float *scales, int n,
	int columns, const float *bank, int width) {
	k->down(out, out_stride, x, x_stride, rows, scales, n, columns, bank, width);
}
static void up(const realm_kernels *k, float *out, int64_t out_stride, const int32_t *rows, int n, int width,
	const float *bank, int64_t bank_stride, const float *by, int64_t by_stride, int rank) {
	k->up(out, out_stride, rows, n, width, bank, bank_stride, by, by_stride, rank);
}
*/
import "C"

import (
	"unsafe"

	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// kernels are Kernels in C.
type kernels struct{ c *C.realm_kernels }

// All returns the kernels of every instruction set that this processor has, best
// first.
func All() []Kernels {
	var all []Kernels
	for i := 0; ; i++ {
		c := C.realm_kernels_at(C.int(i))
		if c == nil {
			return all
		}
		all = append(all, &kernels{c})
	}
}

func (k *kernels) Name() string { return C.GoString(C.kernels_name(k.c)) }

func (k *kernels) Pause() { C.realm_pause() }

func (k *kernels) Product(p *Packing) (Product, bool) {
	l := p.layout
	c := C.kernels_product(k.c, C.int(p.planes()), C.int(l.Sub), flag(l.Super), flag(l.SubScales), flag(l.Min))
	return product{c}, c != nil
}

func flag(b bool) C.int {
	if b {
		return 1
	}
	return 0
}

type product struct{ c *C.realm_product }

func (p product) Multiply(m *Multiplication, first, last int) {
	k, a := m.Packing, m.Activations
	C.multiply(p.c, bytes(m.Weights), C.int64_t(k.mins), C.int64_t(k.d), C.int64_t(k.m), C.int64_t(k.quants), C.int64_t(k.size),
		C.int(k.units), C.int64_t(first), C.int64_t(last), C.int64_t(m.RowFirst), C.int64_t(m.RowFirst+m.Out.Width),
		(*C.int8_t)(unsafe.Pointer(unsafe.SliceData(a.Quants[m.First*k.units*unit:]))),
		floats(a.Scales[m.First*k.units:]),
		(*C.int32_t)(unsafe.Pointer(unsafe.SliceData(a.Sums[3*m.First*k.units:]))),
		C.int(m.Last-m.First), at(&m.Out, m.First), C.int64_t(m.Out.Stride), floats(m.Bias))
}

func (k *kernels) Plain(l *quant.Layout, weights []byte, rowBytes, first, last int, x Rows, from, to int, out Rows, bias []float32) {
	C.plain(k.c, C.int(8*rowBytes/x.Width), C.int(l.Exponent), bytes(weights), C.int64_t(rowBytes), C.int64_t(first), C.int64_t(last),
		at(&x, from), C.int64_t(x.Stride), C.int(x.Width), C.int(to-from), at(&out, from), C.int64_t(out.Stride), floats(bias))
}

func (k *kernels) Quantise(a *Activations, to int, x Rows, first, last int) {
	units := x.Width / unit
	C.quantise(k.c, at(&x, first), C.int64_t(x.Stride), C.int(x.Width), C.int(last-first),
		(*C.int8_t)(unsafe.Pointer(unsafe.SliceData(a.Quants[to*x.Width:]))), floats(a.Scales[to*units:]),
		(*C.int32_t)(unsafe.Pointer(unsafe.SliceData(a.Sums[3*to*units:]))))
}

func (k *kernels) Add(out, x, y Rows, first, last int) {
	C.add(k.c, at(&out, first), C.int64_t(out.Stride), at(&x, first), C.int64_t(x.Stride), at(&y, first), C.int64_t(y.Stride),
		C.int(out.Width), C.int(last-first))
}

func (k *kernels) RMSNorm(out, x, residual Rows, weight []float32, epsilon float32, first, last int) {
	C.rms_norm(k.c, at(&out, first), C.int64_t(out.Stride), at(&x, first), C.int64_t(x.Stride), at(&residual, first), C.int64_t(residual.Stride),
		floats(weight), C.int(len(weight)), C.int(x.Width), C.int(last-first), C.float(epsilon))
}

func (k *kernels) LayerNorm(out, x, residual Rows, weight, bias []float32, epsilon float32, first, last int) {
	C.layer_norm(k.c, at(&out, first), C.int64_t(out.Stride), at(&x, first), C.int64_t(x.Stride), at(&residual, first), C.int64_t(residual.Stride),
		floats(weight), floats(bias), C.int(x.Width), C.int(last-first), C.float(epsilon))
}

func (k *kernels) GLU(activation device.Activation, out, gate, up Rows, first, last int) {
	C.gate(k.c, C.int(activation), at(&out, first), C.int64_t(out.Stride), at(&gate, first), C.int64_t(gate.Stride),
		at(&up, first), C.int64_t(up.Stride), C.int(out.Width), C.int(last-first))
}

func (k *kernels) SoftCap(x Rows, limit float32, first, last int) {
	C.soft_cap(k.c, at(&x, first), C.int64_t(x.Stride), C.int(x.Width), C.int(last-first), C.float(limit))
}

func (k *kernels) Softmax(x []float32) { C.softmax(k.c, floats(x), C.int(len(x))) }

func (k *kernels) LogSumExp(x []float32) float32 {
	return float32(C.log_sum_exp(k.c, floats(x), C.int(len(x))))
}

func (k *kernels) Above(x []float32, first int, limit float32) int {
	return int(C.above(k.c, floats(x), C.int(first), C.int(len(x)), C.float(limit)))
}

func (k *kernels) Rotate(x []float32, headDim int, angles []float32, step, other int) {
	C.rotate(k.c, floats(x), C.int(len(x)/headDim), C.int(headDim), floats(angles), C.int(len(angles)/2), C.int(step), C.int(other))
}

func (k *kernels) ToF16(out []uint16, x []float32) {
	C.to_f16(k.c, (*C.uint16_t)(unsafe.Pointer(unsafe.SliceData(out))), floats(x), C.int(len(x)))
}

func (k *kernels) Attend(a *Attention) {
	keys, values := unsafe.Pointer(unsafe.SliceData(a.Keys)), unsafe.Pointer(unsafe.SliceData(a.Values))
	if a.Half {
		keys, values = unsafe.Pointer(unsafe.SliceData(a.HalfKeys)), unsafe.Pointer(unsafe.SliceData(a.HalfValues))
	}
	C.attend(k.c, flag(a.Half), floats(a.Out), floats(a.Queries), C.int(len(a.Begins)), C.int(a.Dim), keys, values,
		ints(a.Pages), C.int64_t(a.PageStride), ints(a.Begins), ints(a.Ends), C.float(a.Scale), C.float(a.Cap), floats(a.Scores), C.int64_t(a.Stride))
}

func (k *kernels) ScaleAdd(out, x []float32, scale float32) {
	C.scale_add(k.c, floats(out), floats(x), C.int(len(x)), C.float(scale))
}

func (k *kernels) Down(out, x Rows, rows []int32, scales, bank []float32) {
	C.down(k.c, floats(out.Data), C.int64_t(out.Stride), floats(x.Data), C.int64_t(x.Stride), ints(rows), floats(scales), C.int(len(rows)),
		C.int(x.Width), floats(bank), C.int(out.Width))
}

func (k *kernels) Up(out Rows, rows []int32, bank []float32, stride int, by Rows) {
	C.up(k.c, floats(out.Data), C.int64_t(out.Stride), ints(rows), C.int(len(rows)), C.int(out.Width),
		floats(bank), C.int64_t(stride), floats(by.Data), C.int64_t(by.Stride), C.int(by.Width))
}

// at returns where row i begins; nil where there are none.
func at(r *Rows, i int) *C.float {
	if r.Data == nil {
		return nil
	}
	return floats(r.Data[i*r.Stride:])
}

func floats(x []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(x))) }

func ints(x []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(x))) }

func bytes(x []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(x))) }
