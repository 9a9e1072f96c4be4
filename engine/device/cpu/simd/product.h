// Products of packed weights with quantised activations. A lane is a row of the
// tile, so that its sum over the units runs in their order whatever the
// instruction set, and whatever is computed beside it; no product is fused with
// an addition.

// unpack returns the quants of a unit, four to a lane: element 4g+j of the unit
// is byte j of w[g].
INLINE const uint8_t *unpack(int planes, const uint8_t *p, vi w[8]) {
	if (planes == 0x8) {
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++) {
			w[g] = vi_load(p + 64 * g);
			if (BYTE_BIAS)
				w[g] = vi_xor(w[g], vi_set((int)0x80808080));
		}
		return p + 512;
	}
	if ((planes >> 4 ? planes >> 4 : planes) == 4) {
		vi low = vi_set(0x0f0f0f0f);
#pragma GCC unroll 4
		for (int g = 0; g < 4; g++) {
			vi v = vi_load(p + 64 * g);
			w[g] = vi_and(v, low);
			w[g + 4] = vi_and(vi_right(v, 4), low);
		}
		p += 256;
	} else {
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++)
			w[g] = vi_and(vi_right(vi_load(p + 64 * (g / 4)), g % 4 * 2), vi_set(0x03030303));
		p += 128;
	}
	if (planes >> 4) { // a plane of high bits on top of that of low ones
		int bits = planes & 15, to = planes >> 4, fields = 8 / bits;
#pragma GCC unroll 8
		for (int g = 0; g < 8; g++) {
			vi v = vi_load(p + 64 * (g / fields));
			int from = g % fields * bits;
			v = from < to ? vi_left(v, to - from) : vi_right(v, from - to);
			w[g] = vi_or(w[g], vi_and(v, vi_set((((1 << bits) - 1) << to) * 0x01010101)));
		}
		p += 64 * (8 / fields);
	}
	return p;
}

// scales_of returns the scales of a unit's first and second half, and the minimums.
// One for all 32 elements stands in both.
INLINE void scales_of(realm_layout l, const uint8_t *tile, const realm_tile *at, int unit, vf scale[2], vf min[2]) {
	if (!l.super) {
		scale[0] = scale[1] = vf_load_f16((const uint16_t *)(tile + at->d) + 16 * unit);
		if (l.min)
			min[0] = min[1] = vf_load_f16((const uint16_t *)(tile + at->m) + 16 * unit);
		return;
	}
	int block = unit / 8, subs = 32 / l.sub;
	if (!l.sub_scales) {
		scale[0] = scale[1] = vf_load((const float *)(tile + at->d) + 16 * block);
		return;
	}
	vf d = vf_load_f16((const uint16_t *)(tile + at->d) + 16 * block), m;
	if (l.min)
		m = vf_load_f16((const uint16_t *)(tile + at->m) + 16 * block);
#pragma GCC unroll 2
	for (int i = 0; i < subs; i++) {
		const uint8_t *sub = tile + 16 * (subs * unit + i);
		if (l.min && l.sub == 16) { // both in a byte
			vi pair = vi_load_u8(sub);
			scale[i] = vf_mul(d, vf_of_int(vi_and(pair, vi_set(15))));
			min[i] = vf_mul(m, vf_of_int(vi_right(pair, 4)));
			continue;
		}
		scale[i] = vf_mul(d, vf_of_int(vi_load_i8(sub)));
		if (l.min)
			min[i] = vf_mul(m, vf_of_int(vi_load_u8(tile + at->mins + 16 * (subs * unit + i))));
	}
}

// ahead_of is how far ahead of the unit that is computed memory is asked for, in bytes:
// what a core reads in the time that memory takes to answer, and more where a core does
// little else than read. The scales of a tile stand before its quants: they are asked for
// with the end of the tile before.
INLINE int64_t ahead_of(realm_layout l) { return l.planes == 0x8 ? 16384 : 4096; }

// tile_product multiplies a tile with some columns. Tiles follow each other, and
// where it is fresh the one behind is asked for too.
INLINE void tile_product(realm_layout l, const int n, const uint8_t *tile, const realm_tile *at, int units, int fresh,
	const int8_t *quants, const float *scales, const int32_t *sums, vf y[COLUMNS]) {
	const uint8_t *p = tile + at->quants;
	// Quants are signed about the middle of their range: 1 << middle is taken away, and
	// that many times the sum of the activations from a product, before it is made.
	const int bits = (l.planes >> 4) + (l.planes & 15), middle = bits - 1;
	const int centred = !l.min && (bits < 8 || BYTE_BIAS != 0);
#pragma GCC unroll 8
	for (int c = 0; c < n; c++)
		y[c] = vf_set(0);
	int64_t share = fresh ? at->size / units : 0;
	for (int unit = 0; unit < units; unit++) {
		for (int64_t i = 0; i < share; i += 64)
			__builtin_prefetch(tile + ahead_of(l) + unit * share + i);
		vi w[8];
		vf scale[2], min[2];
		p = unpack(l.planes, p, w);
		scales_of(l, tile, at, unit, scale, min);
#pragma GCC unroll 8
		for (int c = 0; c < n; c++) {
			int64_t u = (int64_t)c * units + unit;
			const int8_t *x = quants + 32 * u;
			const int32_t *less = sums + 3 * u;
			vf t;
			if (l.sub == 16) {
				vi a = vi_set(0), b = a;
				if (centred)
					a = vi_left(vi_set(less[0]), middle), b = vi_left(vi_set(less[1]), middle);
				t = vf_add(vf_mul(vf_of_int(vi_dot(a, w, x, l.planes)), scale[0]), vf_mul(vf_of_int(vi_dot(b, w + 4, x + 16, l.planes)), scale[1]));
				if (l.min)
					t = vf_add(t, vf_add(vf_mul(min[0], vf_of_int(vi_set(less[0]))), vf_mul(min[1], vf_of_int(vi_set(less[1])))));
			} else {
				vi a = vi_set(0);
				if (centred)
					a = vi_left(vi_set(less[2]), middle);
				a = n > 1 ? vi_dot(vi_dot(a, w, x, l.planes), w + 4, x + 16, l.planes)
				          : vi_add(vi_dot(a, w, x, l.planes), vi_dot(vi_set(0), w + 4, x + 16, l.planes));
				t = vf_mul(vf_of_int(a), scale[0]);
				if (l.min)
					t = vf_add(t, vf_mul(min[0], vf_of_int(vi_set(less[2]))));
			}
			y[c] = vf_add(y[c], vf_mul(t, vf_set(scales[u])));
		}
	}
}

// store_rows writes those of a tile's 16 rows that are wanted.
INLINE void store_rows(float *out, vf y, int64_t row, int64_t row_first, int64_t row_last, const float *bias) {
	if (row >= row_first && row + 16 <= row_last) {
		if (bias)
			y = vf_add(y, vf_load(bias + row - row_first));
		vf_store(out + row - row_first, y);
		return;
	}
	float all[16];
	vf_store(all, y);
	for (int i = 0; i < 16; i++)
		if (row + i >= row_first && row + i < row_last)
			out[row + i - row_first] = bias ? all[i] + bias[row + i - row_first] : all[i];
}

// BLOCK is how many columns pass by a tile before the next: their quants should
// stay in the cache of a core.
#define BLOCK 128

INLINE void product(realm_layout l, const uint8_t *weights, const realm_tile *at, int units,
	int64_t first, int64_t last, int64_t row_first, int64_t row_last,
	const int8_t *quants, const float *scales, const int32_t *sums, int columns,
	float *out, int64_t stride, const float *bias) {
	for (int block = 0; block < columns; block += BLOCK) {
		int end = columns < block + BLOCK ? columns : block + BLOCK;
		for (int64_t i = first; i < last; i++) {
			const uint8_t *tile = weights + i * at->size;
			for (int c = block; c < end;) {
				vf y[COLUMNS];
				int n = end - c;
				const int8_t *q = quants + (int64_t)c * units * 32;
				const float *s = scales + (int64_t)c * units;
				const int32_t *b = sums + (int64_t)c * units * 3;
				if (n >= COLUMNS) {
					tile_product(l, n = COLUMNS, tile, at, units, c == 0, q, s, b, y);
				} else if (n >= 4) {
					tile_product(l, n = 4, tile, at, units, c == 0, q, s, b, y);
				} else if (n >= 2) {
					tile_product(l, n = 2, tile, at, units, c == 0, q, s, b, y);
				} else {
					tile_product(l, n = 1, tile, at, units, c == 0, q, s, b, y);
				}
				for (int k = 0; k < n; k++, c++)
					store_rows(out + (int64_t)c * stride, y[k], 16 * i, row_first, row_last, bias);
			}
		}
	}
}

#define PRODUCT(name, ...) \
	static TARGET void name(const uint8_t *weights, const realm_tile *at, int units, \
		int64_t first, int64_t last, int64_t row_first, int64_t row_last, \
		const int8_t *quants, const float *scales, const int32_t *sums, int columns, \
		float *out, int64_t stride, const float *bias) { \
		product((realm_layout){__VA_ARGS__}, weights, at, units, first, last, row_first, row_last, \
			quants, scales, sums, columns, out, stride, bias); \
	}

// LAYOUTS are those that there is a kernel of: planes, sub, super, sub_scales, min.
#define LAYOUTS(X) \
	X(product_4, 0x4, 32, 0, 0, 0) \
	X(product_4_min, 0x4, 32, 0, 0, 1) \
	X(product_41, 0x41, 32, 0, 0, 0) \
	X(product_41_min, 0x41, 32, 0, 0, 1) \
	X(product_8, 0x8, 32, 0, 0, 0) \
	X(product_2_super_min, 0x2, 16, 1, 1, 1) \
	X(product_21_super, 0x21, 16, 1, 1, 0) \
	X(product_4_super_min, 0x4, 32, 1, 1, 1) \
	X(product_41_super_min, 0x41, 32, 1, 1, 1) \
	X(product_42_super, 0x42, 16, 1, 1, 0) \
	X(product_8_super, 0x8, 32, 1, 0, 0)

LAYOUTS(PRODUCT)

static realm_product *product_of(const realm_layout *l) {
#define ROW(name, ...) {{__VA_ARGS__}, name},
	static const struct { realm_layout layout; realm_product *product; } rows[] = {LAYOUTS(ROW)};
#undef ROW
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const realm_layout *r = &rows[i].layout;
		if (r->planes == l->planes && r->sub == l->sub && r->super == l->super && r->sub_scales == l->sub_scales && r->min == l->min)
			return rows[i].product;
	}
	return NULL;
}
