// Package simd has the kernels of the CPU device in C, for the vector
// instructions that a processor has: AVX-512 with VNNI, AVX2, or NEON with dot
// products. [All] finds out at run time. The kernels are written once, against
// vectors of 16 lanes that each instruction set spells in a header of its own, and
// no product is fused with an addition: so each of them gives the same bits.
//
// # Products
//
// Activations are rounded to signed bytes with a scale for every 32 ([Activations]),
// and multiplied with the quants of the weights as integers, which is exact. What
// is left to float32 is a scaled sum for each 32 elements, added up in their order.
//
// # Packed weights
//
// A matrix is packed in tiles of 16 rows, so that a lane is a row ([Packing]). A tile
// has, one after the other:
//
//	scales  of super-blocks with scales: 16 signed bytes, one a row, for every Sub
//	        elements; with Sub 16 and minimums the scale is the low nibble of the
//	        byte and the minimum the high one
//	mins    where there are minimums, and Sub is 32: likewise, unsigned
//	d       D of the 16 rows for every block: float16, or float32 in super-blocks
//	        without scales
//	m       M likewise, where there are minimums
//	quants  for each unit of 32 elements its planes of bits, the low ones first; they
//	        begin at a multiple of 64 bytes
//
// A vector of a plane is 64 bytes, 4 of each row: byte 4r+j has fields of the
// elements 4g+j of row r, for as many g as there are fields in a byte:
//
//	8 bits: vector v is group v
//	4 bits: vector v has the groups v and v+4
//	2 bits: vector v has the groups 4v to 4v+3
//	1 bit:  the vector has the groups 0 to 7
package simd
