// Vectors of 16 lanes by AVX-512 with VNNI: one register each.

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,f16c")))
#define INLINE static inline __attribute__((always_inline)) TARGET

// COLUMNS is how many columns of activations are multiplied together.
#define COLUMNS 8
// BYTE_BIAS is what signed bytes of weights are raised by to be unsigned.
#define BYTE_BIAS 128

typedef __m512 vf;
typedef __m512i vi;
typedef uint32_t lanes __attribute__((vector_size(64)));
typedef int32_t word __attribute__((may_alias, aligned(1)));

INLINE vf vf_set(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE vf vf_load4(const float *p) { return _mm512_broadcast_f32x4(_mm_loadu_ps(p)); }
INLINE void vf_store(float *p, vf x) { _mm512_storeu_ps(p, x); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
INLINE vf vf_below(vf a, vf b, vf then, vf otherwise) {
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), otherwise, then);
}
INLINE int vf_any_above(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
INLINE vf vf_of_int(vi x) { return _mm512_cvtepi32_ps(x); }
INLINE vf vf_of_bits(vi x) { return _mm512_castsi512_ps(x); }
INLINE vf vf_load_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
INLINE void vf_store_f16(uint16_t *p, vf x) {
	_mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLINE vf vf_load_bf16(const uint16_t *p) {
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}

INLINE vi vi_set(int x) { return _mm512_set1_epi32(x); }
INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE vi vi_load_i8(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
INLINE vi vi_load_u8(const void *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
INLINE void vi_store_i8(int8_t *p, vi x) { _mm_storeu_si128((__m128i *)p, _mm512_cvtsepi32_epi8(x)); }
INLINE vi vi_round(vf x) { return _mm512_cvtps_epi32(x); }
INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
INLINE vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
INLINE vi vi_left(vi a, int n) { return (vi)((lanes)a << n); }
INLINE vi vi_right(vi a, int n) { return (vi)((lanes)a >> n); }
INLINE int vi_sum(vi a) { return _mm512_reduce_add_epi32(a); }

INLINE float vf_sum(vf x) {
	__m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
	__m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
	b = _mm_add_ps(b, _mm_movehl_ps(b, b));
	return _mm_cvtss_f32(_mm_add_ss(b, _mm_shuffle_ps(b, b, 1)));
}
INLINE float vf_largest(vf x) { return _mm512_reduce_max_ps(x); }

// vi_dot adds to every lane the products of its four bytes in each of w[0..3]
// with x[0..3], x[4..7], ...
INLINE vi vi_dot(vi sum, const vi *w, const int8_t *x, int planes) {
	// Each is broadcast by the load of it.
	const word *four = (const word *)x;
#pragma GCC unroll 4
	for (int i = 0; i < 4; i++)
		sum = _mm512_dpbusd_epi32(sum, w[i], _mm512_set1_epi32(four[i]));
	return sum;
}
