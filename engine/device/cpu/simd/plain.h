// Products of rows of float32, float16 or bfloat16 with activations of float32.

INLINE vf load_plain(int bits, int exponent, const uint8_t *p, int n) {
	uint8_t some[64] = {0};
	if (n < 16) {
		__builtin_memcpy(some, p, (size_t)(n * bits / 8));
		p = some;
	}
	if (bits == 32)
		return vf_load((const float *)p);
	return exponent == 5 ? vf_load_f16((const uint16_t *)p) : vf_load_bf16((const uint16_t *)p);
}

INLINE void plain_columns(int bits, int exponent, const int n, const uint8_t *w, const float *x, int64_t stride, int width, float *y) {
	vf sum[4];
#pragma GCC unroll 4
	for (int c = 0; c < n; c++)
		sum[c] = vf_set(0);
	for (int i = 0; i < width; i += 16) {
		vf v = load_plain(bits, exponent, w + i * (bits / 8), width - i);
#pragma GCC unroll 4
		for (int c = 0; c < n; c++)
			sum[c] = vf_add(sum[c], vf_mul(v, load_some(x + c * stride + i, width - i)));
	}
#pragma GCC unroll 4
	for (int c = 0; c < n; c++)
		y[c] = vf_sum(sum[c]);
}

INLINE void plain_rows(int bits, int exponent, const uint8_t *weights, int64_t row_bytes, int64_t first, int64_t last,
	const float *x, int64_t x_stride, int width, int columns, float *out, int64_t out_stride, const float *bias) {
	for (int64_t i = first; i < last; i++) {
		const uint8_t *w = weights + i * row_bytes;
		for (int c = 0; c < columns;) {
			float y[4];
			int n = columns - c >= 4 ? 4 : 1;
			if (n == 4)
				plain_columns(bits, exponent, 4, w, x + c * x_stride, x_stride, width, y);
			else
				plain_columns(bits, exponent, 1, w, x + c * x_stride, x_stride, width, y);
			for (int k = 0; k < n; k++, c++)
				out[c * out_stride + i] = bias ? y[k] + bias[i] : y[k];
		}
	}
}

static TARGET void plain(int bits, int exponent, const uint8_t *weights, int64_t row_bytes, int64_t first, int64_t last,
	const float *x, int64_t x_stride, int width, int columns, float *out, int64_t out_stride, const float *bias) {
	if (bits == 32)
		plain_rows(32, 8, weights, row_bytes, first, last, x, x_stride, width, columns, out, out_stride, bias);
	else if (exponent == 5)
		plain_rows(16, 5, weights, row_bytes, first, last, x, x_stride, width, columns, out, out_stride, bias);
	else
		plain_rows(16, 8, weights, row_bytes, first, last, x, x_stride, width, columns, out, out_stride, bias);
}
