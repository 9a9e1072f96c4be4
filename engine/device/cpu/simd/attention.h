// Attention of some queries over the pages of a sequence. A page of PAGE tokens
// has its keys [dim][PAGE] and its values [PAGE][dim]: a lane is a token in the
// scores, and an element of the head in the sum of values, and neither needs a
// sum across lanes.

#define PAGE 32

// load_cached returns up to 16 numbers of the cache.
INLINE vf load_cached(int half, const void *p, int64_t at, int n) {
	if (!half)
		return load_some((const float *)p + at, n);
	const uint16_t *h = (const uint16_t *)p + at;
	if (n >= 16)
		return vf_load_f16(h);
	uint16_t some[16] = {0};
	for (int i = 0; i < n; i++)
		some[i] = h[i];
	return vf_load_f16(some);
}

// page_scores computes the scores of n queries with the tokens of a page. Even and
// odd elements of the head are added up apart.
INLINE void page_scores(int half, const int n, const float *query, int dim, const void *keys, int64_t at, float *scores, int64_t stride) {
	vf sum[4][2][2];
#pragma GCC unroll 4
	for (int q = 0; q < n; q++)
		for (int i = 0; i < 4; i++)
			sum[q][i / 2][i % 2] = vf_set(0);
	for (int d = 0; d < dim; d += 2) {
#pragma GCC unroll 2
		for (int odd = 0; odd < 2; odd++) {
			vf a = load_cached(half, keys, at + (d + odd) * PAGE, 16), b = load_cached(half, keys, at + (d + odd) * PAGE + 16, 16);
#pragma GCC unroll 4
			for (int q = 0; q < n; q++) {
				vf x = vf_set(query[q * dim + d + odd]);
				sum[q][odd][0] = vf_add(sum[q][odd][0], vf_mul(x, a));
				sum[q][odd][1] = vf_add(sum[q][odd][1], vf_mul(x, b));
			}
		}
	}
#pragma GCC unroll 4
	for (int q = 0; q < n; q++) {
		vf_store(scores + q * stride, vf_add(sum[q][0][0], sum[q][1][0]));
		vf_store(scores + q * stride + 16, vf_add(sum[q][0][1], sum[q][1][1]));
	}
}

// page_values adds to n queries the weighted values of a page's tokens, in columns
// of v times 16 elements.
INLINE void page_values(int half, const int n, const int v, float *out, int dim, const void *values, int64_t at, int column,
	const float *weights, int64_t stride, int first, int last) {
	vf sum[4][4];
#pragma GCC unroll 4
	for (int q = 0; q < n; q++)
#pragma GCC unroll 4
		for (int i = 0; i < v; i++)
			sum[q][i] = load_some(out + q * dim + column + 16 * i, dim - column - 16 * i);
	for (int token = first; token < last; token++) {
		vf x[4];
#pragma GCC unroll 4
		for (int i = 0; i < v; i++)
			x[i] = load_cached(half, values, at + (int64_t)token * dim + column + 16 * i, v > 1 ? 16 : dim - column);
#pragma GCC unroll 4
		for (int q = 0; q < n; q++) {
			vf w = vf_set(weights[q * stride + token]);
#pragma GCC unroll 4
			for (int i = 0; i < v; i++)
				sum[q][i] = vf_add(sum[q][i], vf_mul(w, x[i]));
		}
	}
#pragma GCC unroll 4
	for (int q = 0; q < n; q++)
#pragma GCC unroll 4
		for (int i = 0; i < v; i++)
			store_some(out + q * dim + column + 16 * i, sum[q][i], dim - column - 16 * i);
}

// weigh turns the scores of the tokens [from, to) of n into the weights of their
// softmax, and all others into 0.
INLINE void weigh(float *s, int from, int to, int n, float scale, float cap) {
	int left = from / 16 * 16, right = (to + 15) / 16 * 16;
	for (int i = left; i < right; i += 16) {
		vf x = vf_mul(vf_load(s + i), vf_set(scale));
		vf_store(s + i, cap > 0 ? vf_mul(vf_set(cap), vf_tanh(vf_div(x, vf_set(cap)))) : x);
	}
	const float none = -__builtin_inff();
	for (int i = left; i < from; i++)
		s[i] = none;
	for (int i = to; i < right; i++)
		s[i] = none;
	vf top = vf_set(none), sum = vf_set(0);
	for (int i = left; i < right; i += 16)
		top = vf_max(top, vf_load(s + i));
	vf h = vf_set(vf_largest(top));
	for (int i = left; i < right; i += 16) {
		vf x = vf_load(s + i);
		x = vf_below(x, vf_set(-3e38f), vf_set(0), vf_exp(vf_sub(x, h)));
		vf_store(s + i, x);
		sum = vf_add(sum, x);
	}
	vf share = vf_set(1 / vf_sum(sum));
	for (int i = 0; i < n; i += 16)
		vf_store(s + i, i >= left && i < right ? vf_mul(vf_load(s + i), share) : vf_set(0));
}

INLINE void attend_queries(int half, float *out, const float *queries, int n, int dim,
	const void *keys, const void *values, const int32_t *pages, int64_t page_stride,
	const int32_t *begins, const int32_t *ends, float scale, float cap, float *scores, int64_t stride) {
	int begin = begins[0], end = ends[0];
	for (int q = 1; q < n; q++) {
		begin = begins[q] < begin ? begins[q] : begin;
		end = ends[q] > end ? ends[q] : end;
	}
	int first = begin / PAGE, last = (end + PAGE - 1) / PAGE;
	for (int page = first; page < last; page++) {
		float *to = scores + (int64_t)(page - first) * PAGE;
		int q = 0;
		for (; q + 4 <= n; q += 4)
			page_scores(half, 4, queries + q * dim, dim, keys, pages[page] * page_stride, to + q * stride, stride);
		for (; q < n; q++)
			page_scores(half, 1, queries + q * dim, dim, keys, pages[page] * page_stride, to + q * stride, stride);
	}
	for (int q = 0; q < n; q++)
		weigh(scores + q * stride, begins[q] - first * PAGE, ends[q] - first * PAGE, (last - first) * PAGE, scale, cap);
	for (int i = 0; i < n * dim; i++)
		out[i] = 0;
	for (int page = first; page < last; page++) {
		int64_t at = pages[page] * page_stride;
		int from = page == first ? begin - first * PAGE : 0, to = end - page * PAGE;
		const float *w = scores + (int64_t)(page - first) * PAGE;
		to = to < PAGE ? to : PAGE;
		for (int column = 0; column < dim;) {
			int v = dim - column >= 64 ? 4 : 1, q = 0;
			for (; q + 4 <= n; q += 4)
				if (v == 4)
					page_values(half, 4, 4, out + q * dim, dim, values, at, column, w + q * stride, stride, from, to);
				else
					page_values(half, 4, 1, out + q * dim, dim, values, at, column, w + q * stride, stride, from, to);
			for (; q < n; q++)
				if (v == 4)
					page_values(half, 1, 4, out + q * dim, dim, values, at, column, w + q * stride, stride, from, to);
				else
					page_values(half, 1, 1, out + q * dim, dim, values, at, column, w + q * stride, stride, from, to);
			column += 16 * v;
		}
	}
}

static TARGET void attend(int half, float *out, const float *queries, int n, int dim,
	const void *keys, const void *values, const int32_t *pages, int64_t page_stride,
	const int32_t *begins, const int32_t *ends, float scale, float cap, float *scores, int64_t stride) {
	if (half)
		attend_queries(1, out, queries, n, dim, keys, values, pages, page_stride, begins, ends, scale, cap, scores, stride);
	else
		attend_queries(0, out, queries, n, dim, keys, values, pages, page_stride, begins, ends, scale, cap, scores, stride);
}
