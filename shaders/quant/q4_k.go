package quant

// Q4_K: 256 four-bit quants; each 32 have a six-bit scale and a six-bit
// minimum; 4.5 bits a weight.
//
//	 0: d      float16
//	 2: m      float16
//	 4: scales and minimums, 12 bytes (see splitSixBits)
//	16: quants 128 bytes, each 32 of them 64 elements, low nibbles the first 32

func splitQ4K(block []byte, p *Parts) {
	p.D, p.M = getF16(block), getF16(block[2:])
	splitSixBits(block[4:16], p)
	for i := 0; i < 4; i++ {
		spread(p.Quants[64*i:64*i+64], block[16+32*i:48+32*i], 4, 0, false)
	}
}

func joinQ4K(block []byte, p *Parts) {
	putF16(block, p.D)
	putF16(block[2:], p.M)
	joinSixBits(block[4:16], p)
	for i := 0; i < 4; i++ {
		gather(block[16+32*i:48+32*i], p.Quants[64*i:64*i+64], 4, 0)
	}
}

// splitSixBits takes apart the 12 bytes that hold eight scales and eight
// minimums of six bits in Q4_K and Q5_K:
//
//	byte 0-3:  scale 0-3, with the high two bits of scale 4-7 on top
//	byte 4-7:  minimum 0-3, with the high two bits of minimum 4-7 on top
//	byte 8-11: low nibbles the low four bits of scale 4-7, high of minimum 4-7
func splitSixBits(b []byte, p *Parts) {
	for s := 0; s < 4; s++ {
		p.Scales[s], p.Mins[s] = int8(b[s]&63), b[s+4]&63
		p.Scales[s+4] = int8(b[s+8]&15 | b[s]>>6<<4)
		p.Mins[s+4] = b[s+8]>>4 | b[s+4]>>6<<4
	}
}

// joinSixBits is the inverse of splitSixBits.
func joinSixBits(b []byte, p *Parts) {
	for s := 0; s < 4; s++ {
		scale, min := uint8(p.Scales[s+4]), p.Mins[s+4]
		b[s] = uint8(p.Scales[s]) | scale>>4<<6
		b[s+4] = p.Mins[s] | min>>4<<6
		b[s+8] = scale&15 | min<<4
	}
}
