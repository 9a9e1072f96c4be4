package sample

// Constants of Philox4x32 (Salmon et al., "Parallel Random Numbers: As Easy as
// 1, 2, 3", SC'11, https://doi.org/10.1145/2063384.2063405, table 2).
const (
	philoxRounds = 10
	philoxM0     = 0xD2511F53
	philoxM1     = 0xCD9E8D57
	philoxW0     = 0x9E3779B9 // golden ratio
	philoxW1     = 0xBB67AE85 // sqrt(3) - 1
)

// Philox is the counter-based generator Philox4x32-10: 128 random bits that are
// a pure function of counter and key. It needs 32-bit arithmetic only; where
// there is no 32x32 -> 64 bit product, as in WGSL, the high word comes from
// 16-bit halves (a = ah<<16 + al, b = bh<<16 + bl):
//
//	t  = ah*bl + (al*bl >> 16)
//	t2 = al*bh + (t & 0xffff)
//	hi = ah*bh + (t >> 16) + (t2 >> 16)
func Philox(counter [4]uint32, key [2]uint32) [4]uint32 {
	c, k := counter, key
	for range philoxRounds {
		p0 := uint64(philoxM0) * uint64(c[0])
		p1 := uint64(philoxM1) * uint64(c[2])
		c = [4]uint32{
			uint32(p1>>32) ^ c[1] ^ k[0], uint32(p1),
			uint32(p0>>32) ^ c[3] ^ k[1], uint32(p0),
		}
		k[0] += philoxW0
		k[1] += philoxW1
	}
	return c
}

// Uniform returns the random number of one position of a sequence: a multiple
// of 2^-24 in [0, 1), which float32 holds exactly, so that a device computes the
// same. It is the upper 24 bits of the first word of
//
//	Philox(counter = {position low, position high, 0, 0}, key = {seed low, seed high})
//
// The position is the index in the sequence of the token to be chosen: the
// length of the prompt for the first output token.
func Uniform(seed, position uint64) float32 {
	out := Philox(
		[4]uint32{uint32(position), uint32(position >> 32), 0, 0},
		[2]uint32{uint32(seed), uint32(seed >> 32)},
	)
	return float32(out[0]>>8) * 0x1p-24
}
