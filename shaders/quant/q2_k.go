package quant

// Q2_K: 256 two-bit quants; each 16 have a four-bit scale and a four-bit
// minimum; 2.625 bits a weight.
//
//	 0: scales 16 bytes, low nibble the scale, high nibble the minimum
//	16: quants 64 bytes, each 32 of them 128 elements, lowest bits the first 32
//	80: d      float16
//	82: m      float16

func splitQ2K(block []byte, p *Parts) {
	for s, b := range block[:16] {
		p.Scales[s], p.Mins[s] = int8(b&15), b>>4
	}
	spread(p.Quants[:128], block[16:48], 2, 0, false)
	spread(p.Quants[128:], block[48:80], 2, 0, false)
	p.D, p.M = getF16(block[80:]), getF16(block[82:])
}

func joinQ2K(block []byte, p *Parts) {
	for s := range p.Scales {
		block[s] = uint8(p.Scales[s]) | p.Mins[s]<<4
	}
	gather(block[16:48], p.Quants[:128], 2, 0)
	gather(block[48:80], p.Quants[128:], 2, 0)
	putF16(block[80:], p.D)
	putF16(block[82:], p.M)
}
