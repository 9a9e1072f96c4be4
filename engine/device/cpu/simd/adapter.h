// Products of adapters, of rows that go by the same one: what is read of it serves up to
// four of them. Each number is the same sum whichever rows are computed beside it.

// down_some computes 4*v elements of n rows of down's out.
INLINE void down_some(float *out, int64_t out_stride, const float *x, int64_t x_stride, const int32_t *rows, const float *scales,
	const int n, const int v, int columns, const float *bank, int64_t width) {
	vf sum[4][6];
#pragma GCC unroll 4
	for (int c = 0; c < n; c++)
#pragma GCC unroll 6
		for (int g = 0; g < v; g++)
			sum[c][g] = vf_set(0);
	for (int i = 0; i < columns; i += 4, bank += 4 * width) {
		vf a[6];
#pragma GCC unroll 6
		for (int g = 0; g < v; g++)
			a[g] = vf_load(bank + 16 * g);
#pragma GCC unroll 4
		for (int c = 0; c < n; c++) {
			vf four = vf_load4(x + rows[c] * x_stride + i);
#pragma GCC unroll 6
			for (int g = 0; g < v; g++)
				sum[c][g] = vf_add(sum[c][g], vf_mul(four, a[g]));
		}
	}
	for (int c = 0; c < n; c++)
		for (int g = 0; g < v; g++) {
			float s[16];
			vf_store(s, sum[c][g]);
			for (int j = 0; j < 4; j++)
				out[rows[c] * out_stride + 4 * g + j] = scales[c] * ((s[4 * j] + s[4 * j + 1]) + (s[4 * j + 2] + s[4 * j + 3]));
		}
}

// down computes the products of n rows of x with the rows of a bank, laid
// [columns/4][width][4], each times the scale of the row.
static TARGET void down(float *out, int64_t out_stride, const float *x, int64_t x_stride, const int32_t *rows, const float *scales, int n,
	int columns, const float *bank, int width) {
	for (; n >= 4; n -= 4, rows += 4, scales += 4)
		for (int j = 0; j < width;) {
			int v = width - j >= 8 ? 2 : 1;
			if (v == 2)
				down_some(out + j, out_stride, x, x_stride, rows, scales, 4, 2, columns, bank + 4 * j, width);
			else
				down_some(out + j, out_stride, x, x_stride, rows, scales, 4, 1, columns, bank + 4 * j, width);
			j += 4 * v;
		}
	for (; n > 0; n--, rows++, scales++)
		for (int j = 0; j < width;) {
			int left = (width - j) / 4, v = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
			if (v == 6)
				down_some(out + j, out_stride, x, x_stride, rows, scales, 1, 6, columns, bank + 4 * j, width);
			else if (v == 4)
				down_some(out + j, out_stride, x, x_stride, rows, scales, 1, 4, columns, bank + 4 * j, width);
			else if (v == 2)
				down_some(out + j, out_stride, x, x_stride, rows, scales, 1, 2, columns, bank + 4 * j, width);
			else
				down_some(out + j, out_stride, x, x_stride, rows, scales, 1, 1, columns, bank + 4 * j, width);
			j += 4 * v;
		}
}

INLINE void up_some(float *out, int64_t out_stride, const int32_t *rows, const int n, int width,
	const float *bank, int64_t bank_stride, const float *by, int64_t by_stride, int rank) {
	for (int i = 0; i < width; i += 16) {
		vf sum[4];
#pragma GCC unroll 4
		for (int c = 0; c < n; c++)
			sum[c] = load_some(out + rows[c] * out_stride + i, width - i);
		for (int r = 0; r < rank; r++) {
			vf b = load_some(bank + r * bank_stride + i, width - i);
#pragma GCC unroll 4
			for (int c = 0; c < n; c++)
				sum[c] = vf_add(sum[c], vf_mul(b, vf_set(by[rows[c] * by_stride + r])));
		}
#pragma GCC unroll 4
		for (int c = 0; c < n; c++)
			store_some(out + rows[c] * out_stride + i, sum[c], width - i);
	}
}

// up adds to n rows of out the rows of a bank, each times one of by.
static TARGET void up(float *out, int64_t out_stride, const int32_t *rows, int n, int width,
	const float *bank, int64_t bank_stride, const float *by, int64_t by_stride, int rank) {
	for (; n >= 4; n -= 4, rows += 4)
		up_some(out, out_stride, rows, 4, width, bank, bank_stride, by, by_stride, rank);
	for (; n > 0; n--, rows++)
		up_some(out, out_stride, rows, 1, width, bank, bank_stride, by, by_stride, rank);
}
