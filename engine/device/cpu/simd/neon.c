//go:build cgo && (amd64 || arm64) && !windows

#include "kernels.h"

#if defined(__aarch64__)

#include "neon.h"

#include "product.h"
#include "rows.h"
#include "plain.h"
#include "attention.h"
#include "adapter.h"
#include "table.h"

const realm_kernels realm_neon = TABLE("NEON");

#endif
