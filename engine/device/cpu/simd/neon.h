// Vectors of 16 lanes by NEON with dot products: four registers each.

#include <arm_neon.h>

#if defined(__clang__)
#define TARGET __attribute__((target("dotprod")))
#else
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INLINE static inline __attribute__((always_inline)) TARGET

#define COLUMNS 4
#define BYTE_BIAS 0

typedef struct { float32x4_t v[4]; } vf;
typedef struct { int32x4_t v[4]; } vi;

#define EACH(type, expression) \
	type r; \
	for (int i = 0; i < 4; i++) \
		r.v[i] = expression; \
	return r

INLINE vf vf_set(float x) { EACH(vf, vdupq_n_f32(x)); }
INLINE vf vf_load(const float *p) { EACH(vf, vld1q_f32(p + 4 * i)); }
INLINE vf vf_load4(const float *p) { EACH(vf, vld1q_f32(p)); }
INLINE void vf_store(float *p, vf x) {
	for (int i = 0; i < 4; i++)
		vst1q_f32(p + 4 * i, x.v[i]);
}
INLINE vf vf_add(vf x, vf y) { EACH(vf, vaddq_f32(x.v[i], y.v[i])); }
INLINE vf vf_sub(vf x, vf y) { EACH(vf, vsubq_f32(x.v[i], y.v[i])); }
INLINE vf vf_mul(vf x, vf y) { EACH(vf, vmulq_f32(x.v[i], y.v[i])); }
INLINE vf vf_div(vf x, vf y) { EACH(vf, vdivq_f32(x.v[i], y.v[i])); }
INLINE vf vf_below(vf x, vf y, vf then, vf otherwise) { EACH(vf, vbslq_f32(vcltq_f32(x.v[i], y.v[i]), then.v[i], otherwise.v[i])); }
// As on other machines: the second operand where either is not a number.
INLINE vf vf_min(vf x, vf y) { return vf_below(x, y, x, y); }
INLINE vf vf_max(vf x, vf y) { return vf_below(y, x, x, y); }
INLINE vf vf_abs(vf x) { EACH(vf, vabsq_f32(x.v[i])); }
INLINE int vf_any_above(vf x, vf y) {
	uint32x4_t any = vdupq_n_u32(0);
	for (int i = 0; i < 4; i++)
		any = vorrq_u32(any, vcgtq_f32(x.v[i], y.v[i]));
	return vmaxvq_u32(any) != 0;
}
INLINE vf vf_of_int(vi x) { EACH(vf, vcvtq_f32_s32(x.v[i])); }
INLINE vf vf_of_bits(vi x) { EACH(vf, vreinterpretq_f32_s32(x.v[i])); }
INLINE vf vf_load_f16(const uint16_t *p) { EACH(vf, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)))); }
INLINE void vf_store_f16(uint16_t *p, vf x) {
	for (int i = 0; i < 4; i++)
		vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
}
INLINE vf vf_load_bf16(const uint16_t *p) { EACH(vf, vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16))); }

INLINE vi vi_set(int x) { EACH(vi, vdupq_n_s32(x)); }
INLINE vi vi_load(const void *p) { EACH(vi, vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p + 16 * i))); }
INLINE vi vi_load_i8(const void *p) {
	int8x16_t x = vld1q_s8((const int8_t *)p);
	int16x8_t a = vmovl_s8(vget_low_s8(x)), b = vmovl_high_s8(x);
	return (vi){{vmovl_s16(vget_low_s16(a)), vmovl_high_s16(a), vmovl_s16(vget_low_s16(b)), vmovl_high_s16(b)}};
}
INLINE vi vi_load_u8(const void *p) {
	uint8x16_t x = vld1q_u8((const uint8_t *)p);
	int16x8_t a = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x))), b = vreinterpretq_s16_u16(vmovl_high_u8(x));
	return (vi){{vmovl_s16(vget_low_s16(a)), vmovl_high_s16(a), vmovl_s16(vget_low_s16(b)), vmovl_high_s16(b)}};
}
INLINE void vi_store_i8(int8_t *p, vi x) {
	int16x8_t a = vcombine_s16(vqmovn_s32(x.v[0]), vqmovn_s32(x.v[1])), b = vcombine_s16(vqmovn_s32(x.v[2]), vqmovn_s32(x.v[3]));
	vst1q_s8(p, vcombine_s8(vqmovn_s16(a), vqmovn_s16(b)));
}
INLINE vi vi_round(vf x) { EACH(vi, vcvtnq_s32_f32(x.v[i])); }
INLINE vi vi_add(vi x, vi y) { EACH(vi, vaddq_s32(x.v[i], y.v[i])); }
INLINE vi vi_and(vi x, vi y) { EACH(vi, vandq_s32(x.v[i], y.v[i])); }
INLINE vi vi_or(vi x, vi y) { EACH(vi, vorrq_s32(x.v[i], y.v[i])); }
INLINE vi vi_xor(vi x, vi y) { EACH(vi, veorq_s32(x.v[i], y.v[i])); }
INLINE vi vi_left(vi x, int n) { EACH(vi, vreinterpretq_s32_u32(vreinterpretq_u32_s32(x.v[i]) << n)); }
INLINE vi vi_right(vi x, int n) { EACH(vi, vreinterpretq_s32_u32(vreinterpretq_u32_s32(x.v[i]) >> n)); }
INLINE int vi_sum(vi x) { return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3]))); }

INLINE float vf_sum(vf x) {
	float32x4_t a = vaddq_f32(vaddq_f32(x.v[0], x.v[2]), vaddq_f32(x.v[1], x.v[3]));
	float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
	return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
}
INLINE float vf_largest(vf x) {
	return vmaxvq_f32(vmaxq_f32(vmaxq_f32(x.v[0], x.v[1]), vmaxq_f32(x.v[2], x.v[3])));
}

// vi_dot is the same sum as in avx512.h. Quants of six bits and less are signed
// bytes just as well.
INLINE vi vi_dot(vi sum, const vi *w, const int8_t *x, int planes) {
	int8x16_t y = vld1q_s8(x);
	for (int i = 0; i < 4; i++) {
		sum.v[i] = vdotq_laneq_s32(sum.v[i], vreinterpretq_s8_s32(w[0].v[i]), y, 0);
		sum.v[i] = vdotq_laneq_s32(sum.v[i], vreinterpretq_s8_s32(w[1].v[i]), y, 1);
		sum.v[i] = vdotq_laneq_s32(sum.v[i], vreinterpretq_s8_s32(w[2].v[i]), y, 2);
		sum.v[i] = vdotq_laneq_s32(sum.v[i], vreinterpretq_s8_s32(w[3].v[i]), y, 3);
	}
	return sum;
}
