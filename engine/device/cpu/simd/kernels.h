// The kernels of package simd, by instruction set. A pointer that is declared
// const is only read. Lengths are in elements. Nothing is allocated here, and no
// pointer is kept.

#ifndef REALM_KERNELS_H
#define REALM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

// A product that is fused with an addition would give other bits where it is not.
// GCC goes by -std=c11 here.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

// realm_layout is what a kernel has to know of a quantised format: see
// quant.Layout, whose fields these are.
typedef struct {
	int planes; // Bits as hexadecimal digits: {4, 1} is 0x41
	int sub;
	int super;
	int sub_scales;
	int min;
} realm_layout;

// realm_tile is where the parts of a packed tile begin, in bytes: see doc.go.
typedef struct {
	int64_t mins, d, m, quants, size; // scales begin it
} realm_tile;

// realm_product multiplies the tiles [first, last) of packed weights with every
// column of quantised activations: out[c * stride + row - row_first] for rows in
// [row_first, row_last), counted from the first row of tile 0.
typedef void realm_product(const uint8_t *weights, const realm_tile *tile, int units,
	int64_t first, int64_t last, int64_t row_first, int64_t row_last,
	const int8_t *quants, const float *scales, const int32_t *sums, int columns,
	float *out, int64_t stride, const float *bias);

// realm_kernels are the kernels of one instruction set.
typedef struct {
	const char *name;
	// product returns the kernel of a layout; NULL: there is none.
	realm_product *(*product)(const realm_layout *layout);
	// plain is product for row-major rows of float32 (32 bits, exponent 8),
	// float16 (16, 5) or bfloat16 (16, 8), and activations of float32.
	void (*plain)(int bits, int exponent, const uint8_t *weights, int64_t row_bytes, int64_t first, int64_t last,
		const float *x, int64_t x_stride, int width, int columns, float *out, int64_t out_stride, const float *bias);
	void (*quantise)(const float *x, int64_t stride, int width, int rows, int8_t *quants, float *scales, int32_t *sums);
	void (*add)(float *out, int64_t out_stride, const float *x, int64_t x_stride, const float *y, int64_t y_stride, int width, int rows);
	void (*rms_norm)(float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
		const float *weight, int group, int width, int rows, float epsilon);
	void (*layer_norm)(float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
		const float *weight, const float *bias, int width, int rows, float epsilon);
	void (*gate)(int activation, float *out, int64_t out_stride, const float *gate, int64_t gate_stride,
		const float *up, int64_t up_stride, int width, int rows);
	void (*soft_cap)(float *x, int64_t stride, int width, int rows, float cap);
	void (*softmax)(float *x, int width);
	float (*log_sum_exp)(const float *x, int width);
	int (*above)(const float *x, int first, int width, float limit);
	void (*rotate)(float *x, int heads, int head_dim, const float *angles, int pairs, int step, int other);
	void (*to_f16)(uint16_t *out, const float *x, int n);
	// attend computes n queries [n][dim] over the tokens [begins[i], ends[i]) of a
	// sequence; scores has n rows of stride elements, for all of its pages.
	void (*attend)(int half, float *out, const float *queries, int n, int dim,
		const void *keys, const void *values, const int32_t *pages, int64_t page_stride,
		const int32_t *begins, const int32_t *ends, float scale, float cap, float *scores, int64_t stride);
	void (*scale_add)(float *out, const float *x, int n, float scale);
	// Of adapters, for n rows of out and x (or by), which rows has the indices of: A has
	// the layout [columns/4][width][4], B that of rows, of which width columns are read.
	void (*down)(float *out, int64_t out_stride, const float *x, int64_t x_stride, const int32_t *rows, const float *scales, int n,
		int columns, const float *bank, int width);
	void (*up)(float *out, int64_t out_stride, const int32_t *rows, int n, int width,
		const float *bank, int64_t bank_stride, const float *by, int64_t by_stride, int rank);
} realm_kernels;

// realm_kernels_at returns the kernels of instruction set i of those that this
// processor has, the best first; NULL behind the last.
const realm_kernels *realm_kernels_at(int i);

// realm_pause lets some cycles pass.
void realm_pause(void);

#endif
