//go:build cgo && (amd64 || arm64) && !windows

#include "kernels.h"

#if defined(__x86_64__)

extern const realm_kernels realm_avx512, realm_avx2;

const realm_kernels *realm_kernels_at(int i) {
	const realm_kernels *found[2];
	int n = 0;
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
		__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni"))
		found[n++] = &realm_avx512;
	// Every processor that has AVX2 has the conversions of float16.
	if (__builtin_cpu_supports("avx2"))
		found[n++] = &realm_avx2;
	return i < n ? found[i] : NULL;
}

#define PAUSE __builtin_ia32_pause()

#else

#if defined(__linux__)
#include <sys/auxv.h>
static int has_dot_products(void) { return getauxval(AT_HWCAP) >> 20 & 1; } // HWCAP_ASIMDDP
#elif defined(__APPLE__)
static int has_dot_products(void) { return 1; } // since the first of them
#else
static int has_dot_products(void) { return 0; } // no way to know
#endif

extern const realm_kernels realm_neon;

const realm_kernels *realm_kernels_at(int i) { return i == 0 && has_dot_products() ? &realm_neon : NULL; }

#define PAUSE __asm__ volatile("yield")

#endif

void realm_pause(void) {
	for (int i = 0; i < 8; i++)
		PAUSE;
}
