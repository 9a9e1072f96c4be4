//go:build cgo && (amd64 || arm64) && !windows

#include "kernels.h"

#if defined(__x86_64__)

#include "avx512.h"

#include "product.h"
#include "rows.h"
#include "plain.h"
#include "attention.h"
#include "adapter.h"
#include "table.h"

const realm_kernels realm_avx512 = TABLE("AVX-512");

#endif
