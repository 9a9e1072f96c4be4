// Vectors of 16 lanes by AVX2: two registers each.

#include <immintrin.h>

#define TARGET __attribute__((target("avx2,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

#define COLUMNS 4
#define BYTE_BIAS 0

typedef struct { __m256 a, b; } vf;
typedef struct { __m256i a, b; } vi;
typedef uint32_t lanes __attribute__((vector_size(32)));
typedef int32_t word __attribute__((may_alias, aligned(1)));

#define EACH(type, f, ...) return (type){f(x.a, __VA_ARGS__.a), f(x.b, __VA_ARGS__.b)}

INLINE vf vf_set(float x) { return (vf){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE vf vf_load(const float *p) { return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE vf vf_load4(const float *p) {
	__m256 four = _mm256_broadcast_ps((const __m128 *)p);
	return (vf){four, four};
}
INLINE void vf_store(float *p, vf x) { _mm256_storeu_ps(p, x.a), _mm256_storeu_ps(p + 8, x.b); }
INLINE vf vf_add(vf x, vf y) { EACH(vf, _mm256_add_ps, y); }
INLINE vf vf_sub(vf x, vf y) { EACH(vf, _mm256_sub_ps, y); }
INLINE vf vf_mul(vf x, vf y) { EACH(vf, _mm256_mul_ps, y); }
INLINE vf vf_div(vf x, vf y) { EACH(vf, _mm256_div_ps, y); }
INLINE vf vf_min(vf x, vf y) { EACH(vf, _mm256_min_ps, y); }
INLINE vf vf_max(vf x, vf y) { EACH(vf, _mm256_max_ps, y); }
INLINE vf vf_abs(vf x) {
	__m256 sign = _mm256_set1_ps(-0.0f);
	return (vf){_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
INLINE vf vf_below(vf x, vf y, vf then, vf otherwise) {
	return (vf){
		_mm256_blendv_ps(otherwise.a, then.a, _mm256_cmp_ps(x.a, y.a, _CMP_LT_OQ)),
		_mm256_blendv_ps(otherwise.b, then.b, _mm256_cmp_ps(x.b, y.b, _CMP_LT_OQ))};
}
INLINE int vf_any_above(vf x, vf y) {
	return _mm256_movemask_ps(_mm256_or_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ), _mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))) != 0;
}
INLINE vf vf_of_int(vi x) { return (vf){_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
INLINE vf vf_of_bits(vi x) { return (vf){_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
INLINE vf vf_load_f16(const uint16_t *p) {
	return (vf){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
INLINE void vf_store_f16(uint16_t *p, vf x) {
	_mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
	_mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE vf vf_load_bf16(const uint16_t *p) {
	return (vf){
		_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16)),
		_mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p + 8))), 16))};
}

INLINE vi vi_set(int x) { return (vi){_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
INLINE vi vi_load(const void *p) {
	return (vi){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)p + 1)};
}
INLINE vi vi_load_i8(const void *p) {
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	return (vi){_mm256_cvtepi8_epi32(x), _mm256_cvtepi8_epi32(_mm_srli_si128(x, 8))};
}
INLINE vi vi_load_u8(const void *p) {
	__m128i x = _mm_loadu_si128((const __m128i *)p);
	return (vi){_mm256_cvtepu8_epi32(x), _mm256_cvtepu8_epi32(_mm_srli_si128(x, 8))};
}
INLINE void vi_store_i8(int8_t *p, vi x) {
	__m256i y = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8); // 16 words in order
	_mm_storeu_si128((__m128i *)p, _mm_packs_epi16(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1)));
}
INLINE vi vi_round(vf x) { return (vi){_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
INLINE vi vi_add(vi x, vi y) { EACH(vi, _mm256_add_epi32, y); }
INLINE vi vi_and(vi x, vi y) { EACH(vi, _mm256_and_si256, y); }
INLINE vi vi_or(vi x, vi y) { EACH(vi, _mm256_or_si256, y); }
INLINE vi vi_xor(vi x, vi y) { EACH(vi, _mm256_xor_si256, y); }
INLINE vi vi_left(vi x, int n) { return (vi){(__m256i)((lanes)x.a << n), (__m256i)((lanes)x.b << n)}; }
INLINE vi vi_right(vi x, int n) { return (vi){(__m256i)((lanes)x.a >> n), (__m256i)((lanes)x.b >> n)}; }
INLINE int vi_sum(vi x) {
	__m256i a = _mm256_add_epi32(x.a, x.b);
	__m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
	b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}

INLINE float vf_sum(vf x) {
	__m256 a = _mm256_add_ps(x.a, x.b);
	__m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	b = _mm_add_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}
INLINE float vf_largest(vf x) {
	__m256 a = _mm256_max_ps(x.a, x.b);
	__m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	b = _mm_max_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_max_ss(b, _mm_shuffle_ps(b, b, 1)));
}

// vi_dot is the same sum as in avx512.h. Pairs of products are added in 16 bits,
// which hold what quants of so many bits give: of four bits and less all four
// vectors, of five or six two. A signed byte is taken apart into its magnitude,
// and its sign, which goes to x.
INLINE vi vi_dot(vi sum, const vi *w, const int8_t *x, int planes) {
	const word *four = (const word *)x;
	__m256i one = _mm256_set1_epi16(1), a[4], b[4];
	for (int i = 0; i < 4; i++) {
		__m256i y = _mm256_set1_epi32(four[i]);
		if (planes == 0x8) {
			a[i] = _mm256_maddubs_epi16(_mm256_abs_epi8(w[i].a), _mm256_sign_epi8(y, w[i].a));
			b[i] = _mm256_maddubs_epi16(_mm256_abs_epi8(w[i].b), _mm256_sign_epi8(y, w[i].b));
			sum.a = _mm256_add_epi32(sum.a, _mm256_madd_epi16(a[i], one));
			sum.b = _mm256_add_epi32(sum.b, _mm256_madd_epi16(b[i], one));
		} else {
			a[i] = _mm256_maddubs_epi16(w[i].a, y);
			b[i] = _mm256_maddubs_epi16(w[i].b, y);
		}
	}
	if (planes == 0x8)
		return sum;
	for (int i = 0; i < 4; i += 2) {
		a[i] = _mm256_add_epi16(a[i], a[i + 1]);
		b[i] = _mm256_add_epi16(b[i], b[i + 1]);
	}
	if (planes == 0x42) {
		sum.a = _mm256_add_epi32(sum.a, _mm256_madd_epi16(a[2], one));
		sum.b = _mm256_add_epi32(sum.b, _mm256_madd_epi16(b[2], one));
	} else {
		a[0] = _mm256_add_epi16(a[0], a[2]);
		b[0] = _mm256_add_epi16(b[0], b[2]);
	}
	sum.a = _mm256_add_epi32(sum.a, _mm256_madd_epi16(a[0], one));
	sum.b = _mm256_add_epi32(sum.b, _mm256_madd_epi16(b[0], one));
	return sum;
}
