// Package quant is the table of weight formats: how each is laid out in a file,
// what its bytes stand for, how numbers are quantised into it, and how a device
// stores it.
//
// A format is taken apart in one place only, its split function, into [Parts]:
// quants, scales and minimums as small integers and float32. Decoding, packing
// for a device and everything else work on Parts under the format's [Layout],
// so that nothing outside the format's own file knows its bytes. The formats
// and their bytes are GGML's (https://github.com/ggml-org/ggml,
// src/ggml-common.h); all numbers are little-endian.
//
// # Planes
//
// A device stores a matrix [rows, n] as one array of 32-bit words, made of
// planes one after the other ([Format.Planes], [Format.PlaneOffsets]). Inside a
// plane words are ordered [group][word][row], rows padded to a multiple of
// [RowAlign] with zeros, so that threads that own adjacent rows read adjacent
// words. Quants are grouped by the [Unit] of 32 elements, whatever the format:
//
//	4 bits: 4 words a unit, bits 4k..4k+3 of word w are element  8w+k
//	2 bits: 2 words a unit, bits 2k..2k+1 of word w are element 16w+k
//	1 bit:  1 word a unit,  bit k is element k
//	8 bits: 8 words a unit, byte k of word w is element 4w+k, two's complement
//
// A five-bit quant has a plane of its low four bits, then one of its fifth bit;
// Layout.Bits says so. Then come, where the format has them:
//
//	halves      blocks of 32: 1 word for 2 units, float16 D of the even unit in
//	            the low half, of the odd unit in the high half; with a minimum
//	            1 word a unit, float16 D in the low half, M in the high half
//	sub_scales  super-blocks: signed bytes, scale 4w+k is byte k of word w;
//	            4 words for 256 elements where Sub is 16, 2 where it is 32
//	sub_mins    the minimums likewise, unsigned
//	d           float32 D, 1 word for 256 elements
//	m           float32 M, 1 word for 256 elements
//
// Super-blocks have D and M as float32 because many are float16 subnormals,
// which a GPU may flush to zero when it unpacks them. A plain format has one
// plane of values: a unit is 32 words of F32, or 16 of F16 and BF16, low half
// first. An odd last unit, and a unit cut short by the end of a plain row, are
// filled up with zeros.
//
// # The same bits everywhere
//
// Every product is rounded by itself: it is converted explicitly, since Go may
// otherwise fuse it with an addition on machines that can, and give other bits
// there. A test holds the package's sources to that.
package quant
