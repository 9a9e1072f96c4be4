// Operations on rows of float32: 16 partial sums each, lane by lane, which are
// added up in halves at the end.

INLINE vf load_some(const float *p, int n) {
	if (n >= 16)
		return vf_load(p);
	float some[16] = {0};
	for (int i = 0; i < n; i++)
		some[i] = p[i];
	return vf_load(some);
}

INLINE void store_some(float *p, vf x, int n) {
	if (n >= 16) {
		vf_store(p, x);
		return;
	}
	float some[16];
	vf_store(some, x);
	for (int i = 0; i < n; i++)
		p[i] = some[i];
}

// vf_exp is e^x to a few units in the last place: 2^n times e^r with r in
// [-ln(2)/2, ln(2)/2], by the polynomial of Cephes (https://www.netlib.org/cephes).
INLINE vf vf_exp(vf x) {
	x = vf_max(vf_set(-87.3f), vf_min(vf_set(88.0f), x)); // NaN stays
	vi n = vi_round(vf_mul(x, vf_set(1.44269504f)));
	vf f = vf_of_int(n);
	vf r = vf_sub(vf_sub(x, vf_mul(f, vf_set(0.693359375f))), vf_mul(f, vf_set(-2.12194440e-4f)));
	vf p = vf_set(1.9875691500e-4f);
	p = vf_add(vf_mul(p, r), vf_set(1.3981999507e-3f));
	p = vf_add(vf_mul(p, r), vf_set(8.3334519073e-3f));
	p = vf_add(vf_mul(p, r), vf_set(4.1665795894e-2f));
	p = vf_add(vf_mul(p, r), vf_set(1.6666665459e-1f));
	p = vf_add(vf_mul(p, r), vf_set(5.0000001201e-1f));
	p = vf_add(vf_add(vf_mul(p, vf_mul(r, r)), r), vf_set(1));
	return vf_mul(p, vf_of_bits(vi_left(vi_add(n, vi_set(127)), 23)));
}

// vf_tanh: by a polynomial near 0, and by the exponential elsewhere (Cephes).
INLINE vf vf_tanh(vf x) {
	vf s = vf_mul(x, x), a = vf_abs(x);
	vf p = vf_set(-5.70498872745e-3f);
	p = vf_add(vf_mul(p, s), vf_set(2.06390887954e-2f));
	p = vf_add(vf_mul(p, s), vf_set(-5.37397155531e-2f));
	p = vf_add(vf_mul(p, s), vf_set(1.33314422036e-1f));
	p = vf_add(vf_mul(p, s), vf_set(-3.33332819422e-1f));
	vf near = vf_add(vf_mul(vf_mul(p, s), x), x);
	vf far = vf_sub(vf_set(1), vf_div(vf_set(2), vf_add(vf_exp(vf_add(a, a)), vf_set(1))));
	far = vf_below(x, vf_set(0), vf_sub(vf_set(0), far), far);
	return vf_below(a, vf_set(0.625f), near, far);
}

// vf_erf is good to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
INLINE vf vf_erf(vf x) {
	vf a = vf_abs(x), t = vf_div(vf_set(1), vf_add(vf_set(1), vf_mul(vf_set(0.3275911f), a)));
	vf p = vf_set(1.061405429f);
	p = vf_add(vf_mul(p, t), vf_set(-1.453152027f));
	p = vf_add(vf_mul(p, t), vf_set(1.421413741f));
	p = vf_add(vf_mul(p, t), vf_set(-0.284496736f));
	p = vf_add(vf_mul(p, t), vf_set(0.254829592f));
	vf y = vf_sub(vf_set(1), vf_mul(vf_mul(p, t), vf_exp(vf_sub(vf_set(0), vf_mul(a, a)))));
	return vf_below(x, vf_set(0), vf_sub(vf_set(0), y), y);
}

static TARGET void quantise(const float *x, int64_t stride, int width, int rows, int8_t *quants, float *scales, int32_t *sums) {
	for (int t = 0; t < rows; t++, x += stride) {
		for (int i = 0; i < width; i += 32, quants += 32, scales++, sums += 3) {
			vf a = vf_load(x + i), b = vf_load(x + i + 16);
			float peak = vf_largest(vf_max(vf_abs(a), vf_abs(b)));
			vf inverse = vf_set(peak < 1e-30f ? 0 : 127 / peak);
			vi p = vi_round(vf_mul(a, inverse)), q = vi_round(vf_mul(b, inverse));
			vi_store_i8(quants, p);
			vi_store_i8(quants + 16, q);
			*scales = peak / 127;
			sums[0] = -vi_sum(p);
			sums[1] = -vi_sum(q);
			sums[2] = sums[0] + sums[1];
		}
	}
}

static TARGET void add(float *out, int64_t out_stride, const float *x, int64_t x_stride, const float *y, int64_t y_stride, int width, int rows) {
	for (int t = 0; t < rows; t++, out += out_stride, x += x_stride, y += y_stride)
		for (int i = 0; i < width; i += 16)
			store_some(out + i, vf_add(load_some(x + i, width - i), load_some(y + i, width - i)), width - i);
}

static TARGET void rms_norm(float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
	const float *weight, int group, int width, int rows, float epsilon) {
	for (int t = 0; t < rows; t++, out += out_stride, x += x_stride) {
		if (residual)
			add(x, 0, x, 0, residual + t * residual_stride, 0, width, 1);
		for (int g = 0; g < width; g += group) {
			vf sum = vf_set(0);
			for (int i = 0; i < group; i += 16) {
				vf v = load_some(x + g + i, group - i);
				sum = vf_add(sum, vf_mul(v, v));
			}
			vf scale = vf_set(1 / __builtin_sqrtf(vf_sum(sum) / (float)group + epsilon));
			for (int i = 0; i < group; i += 16) {
				vf v = vf_mul(load_some(x + g + i, group - i), scale);
				store_some(out + g + i, vf_mul(v, load_some(weight + i, group - i)), group - i);
			}
		}
	}
}

static TARGET void layer_norm(float *out, int64_t out_stride, float *x, int64_t x_stride, const float *residual, int64_t residual_stride,
	const float *weight, const float *bias, int width, int rows, float epsilon) {
	for (int t = 0; t < rows; t++, out += out_stride, x += x_stride) {
		if (residual)
			add(x, 0, x, 0, residual + t * residual_stride, 0, width, 1);
		vf sum = vf_set(0);
		for (int i = 0; i < width; i += 16)
			sum = vf_add(sum, load_some(x + i, width - i));
		vf mean = vf_set(vf_sum(sum) / (float)width);
		// What the mean was rounded by is the mean of what is left. The variance is of
		// that too, not a difference of mean squares, which would cancel.
		sum = vf_set(0);
		for (int i = 0; i < width; i += 16) {
			store_some(out + i, vf_sub(load_some(x + i, width - i), mean), width - i);
			sum = vf_add(sum, load_some(out + i, width - i));
		}
		mean = vf_set(vf_sum(sum) / (float)width);
		sum = vf_set(0);
		for (int i = 0; i < width; i += 16) {
			store_some(out + i, vf_sub(load_some(out + i, width - i), mean), width - i);
			vf v = load_some(out + i, width - i); // zeros past the end
			sum = vf_add(sum, vf_mul(v, v));
		}
		vf scale = vf_set(1 / __builtin_sqrtf(vf_sum(sum) / (float)width + epsilon));
		for (int i = 0; i < width; i += 16) {
			vf v = vf_mul(vf_mul(load_some(out + i, width - i), scale), load_some(weight + i, width - i));
			if (bias)
				v = vf_add(v, load_some(bias + i, width - i));
			store_some(out + i, v, width - i);
		}
	}
}

// The activations, by the numbers of device.Activation.
enum { SILU, GELU_TANH, GELU };

INLINE vf activate(int activation, vf x) {
	vf one = vf_set(1), zero = vf_set(0);
	if (activation == GELU)
		return vf_mul(vf_mul(vf_set(0.5f), x), vf_add(one, vf_erf(vf_mul(x, vf_set(0.70710678f)))));
	vf inner = x;
	if (activation == GELU_TANH) // 0.5 (1 + tanh(z)) is 1 / (1 + e^-2z)
		inner = vf_mul(vf_set(1.59576912f), vf_add(x, vf_mul(vf_mul(vf_set(0.044715f), x), vf_mul(x, x))));
	return vf_div(x, vf_add(one, vf_exp(vf_sub(zero, inner))));
}

INLINE void gate_rows(int activation, float *out, int64_t out_stride, const float *gate, int64_t gate_stride,
	const float *up, int64_t up_stride, int width, int rows) {
	for (int t = 0; t < rows; t++, out += out_stride, gate += gate_stride)
		for (int i = 0; i < width; i += 16) {
			vf y = activate(activation, load_some(gate + i, width - i));
			if (up)
				y = vf_mul(y, load_some(up + t * up_stride + i, width - i));
			store_some(out + i, y, width - i);
		}
}

static TARGET void gate(int activation, float *out, int64_t out_stride, const float *gate, int64_t gate_stride,
	const float *up, int64_t up_stride, int width, int rows) {
	if (activation == GELU)
		gate_rows(GELU, out, out_stride, gate, gate_stride, up, up_stride, width, rows);
	else if (activation == GELU_TANH)
		gate_rows(GELU_TANH, out, out_stride, gate, gate_stride, up, up_stride, width, rows);
	else
		gate_rows(SILU, out, out_stride, gate, gate_stride, up, up_stride, width, rows);
}

static TARGET void soft_cap(float *x, int64_t stride, int width, int rows, float cap) {
	for (int t = 0; t < rows; t++, x += stride)
		for (int i = 0; i < width; i += 16)
			store_some(x + i, vf_mul(vf_set(cap), vf_tanh(vf_div(load_some(x + i, width - i), vf_set(cap)))), width - i);
}

INLINE float highest(const float *x, int width) {
	vf top = vf_set(-__builtin_inff());
	int i = 0;
	for (; i + 16 <= width; i += 16)
		top = vf_max(top, vf_load(x + i));
	float h = vf_largest(top);
	for (; i < width; i++)
		h = x[i] > h ? x[i] : h;
	return h;
}

// exponentials returns the sum of e^(x-h), and writes them to out if there is one.
// Long rows are added up in pieces, so that no small number meets a large sum.
INLINE float exponentials(float *out, const float *x, int width, float h) {
	const int piece = 1024;
	vf total = vf_set(0);
	for (int first = 0; first < width; first += piece) {
		int last = first + piece < width ? first + piece : width;
		vf sum = vf_set(0);
		for (int i = first; i < last; i += 16) {
			vf e = vf_exp(vf_sub(load_some(x + i, last - i), vf_set(h)));
			if (last - i < 16) {
				float some[16] = {0};
				store_some(some, e, last - i);
				e = vf_load(some);
			}
			sum = vf_add(sum, e);
			if (out)
				store_some(out + i, e, last - i);
		}
		total = vf_add(total, sum);
	}
	return vf_sum(total);
}

static TARGET void softmax(float *x, int width) {
	vf share = vf_set(1 / exponentials(x, x, width, highest(x, width)));
	for (int i = 0; i < width; i += 16)
		store_some(x + i, vf_mul(load_some(x + i, width - i), share), width - i);
}

static TARGET float log_sum_exp(const float *x, int width) {
	float h = highest(x, width);
	if (__builtin_isinf(h))
		return h; // the difference from itself would be NaN
	return h + __builtin_logf(exponentials(NULL, x, width, h));
}

// above returns the first element from first on that is over a limit, or width.
static TARGET int above(const float *x, int first, int width, float limit) {
	int i = first;
	for (; i + 16 <= width && !vf_any_above(vf_load(x + i), vf_set(limit)); i += 16)
		;
	while (i < width && !(x[i] > limit))
		i++;
	return i;
}

static TARGET void rotate(float *x, int heads, int head_dim, const float *angles, int pairs, int step, int other) {
	for (int h = 0; h < heads; h++, x += head_dim)
		for (int i = 0; i < pairs; i++) {
			float cos = angles[2 * i], sin = angles[2 * i + 1];
			float *a = x + i * step, *b = a + other, xa = *a, xb = *b;
			*a = xa * cos - xb * sin;
			*b = xa * sin + xb * cos;
		}
}

// to_f16 converts n numbers, held to the finite range.
static TARGET void to_f16(uint16_t *out, const float *x, int n) {
	for (int i = 0; i < n; i += 16) {
		vf v = vf_max(vf_set(-65504), vf_min(vf_set(65504), load_some(x + i, n - i)));
		if (n - i >= 16) {
			vf_store_f16(out + i, v);
			continue;
		}
		uint16_t some[16];
		vf_store_f16(some, v);
		for (int k = 0; i + k < n; k++)
			out[i + k] = some[k];
	}
}

// scale_add adds a multiple of x to out.
static TARGET void scale_add(float *out, const float *x, int n, float scale) {
	for (int i = 0; i < n; i += 16)
		store_some(out + i, vf_add(load_some(out + i, n - i), vf_mul(load_some(x + i, n - i), vf_set(scale))), n - i);
}
