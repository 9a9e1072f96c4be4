// Multiplies packed weights with activations, for instructions_test.go to count: ten
// calls of the AVX2 kernel of a layout, with its numbers as arguments.
#include <stdio.h>
#include <stdlib.h>

#include "../kernels.h"

extern const realm_kernels realm_avx2;

enum { calls = 10, tiles = 4, rows = 16 * tiles };

// measured is what is counted: no other function, and nothing before main.
__attribute__((noinline)) static void measured(realm_product *f, const uint8_t *weights, const realm_tile *tile, int units,
	const int8_t *quants, const float *scales, const int32_t *sums, int columns, float *out) {
	for (int i = 0; i < calls; i++)
		f(weights, tile, units, 0, tiles, 0, rows, quants, scales, sums, columns, out, rows, NULL);
}

int main(int argc, char **argv) {
	long n[12];
	if (argc != 13)
		return 2;
	for (int i = 0; i < 12; i++)
		n[i] = strtol(argv[i + 1], NULL, 10);
	realm_layout layout = {(int)n[0], (int)n[1], (int)n[2], (int)n[3], (int)n[4]};
	realm_tile tile = {n[5], n[6], n[7], n[8], n[9]};
	size_t units = (size_t)n[10], columns = (size_t)n[11];
	realm_product *f = realm_avx2.product(&layout);
	if (!f)
		return 3;
	// Zeros: what is computed does not depend on the values. Tiles are asked for ahead.
	uint8_t *weights = aligned_alloc(64, (size_t)tile.size * (tiles + 1) + 65536 & ~(size_t)63);
	int8_t *quants = calloc(units * columns, 32);
	float *scales = calloc(units * columns, sizeof *scales);
	int32_t *sums = calloc(units * columns, 3 * sizeof *sums);
	float *out = calloc(rows * columns, sizeof *out);
	if (!weights || !quants || !scales || !sums || !out)
		return 4;
	for (size_t i = 0; i < (size_t)tile.size * tiles; i++)
		weights[i] = 0;
	measured(f, weights, &tile, (int)units, quants, scales, sums, (int)columns, out);
	return 0;
}
