package quant

// Q3_K: 256 three-bit quants about 4; each 16 have a six-bit scale about 32;
// 3.4375 bits a weight.
//
//	  0: third bits 32 bytes, bit j of byte i for element 32j+i
//	 32: quants 64 bytes, each 32 of them 128 elements, lowest bits the first 32
//	 96: scales 8 bytes of low four bits (low nibbles scales 0-7, high 8-15),
//	     then 4 bytes of high two bits (lowest two scales 0-3, next 4-7, ...)
//	108: d      float16

func splitQ3K(block []byte, p *Parts) {
	spread(p.Quants[:128], block[32:64], 2, 0, false)
	spread(p.Quants[128:], block[64:96], 2, 0, false)
	spread(p.Quants[:], block[:32], 1, 2, true)
	low, high := block[96:104], block[104:108]
	for s := range p.Scales {
		scale := low[s%8]>>(s/8*4)&15 | high[s%4]>>(s/4*2)&3<<4
		p.Scales[s] = int8(scale) - 32
	}
	p.D = getF16(block[108:])
}

func joinQ3K(block []byte, p *Parts) {
	gather(block[32:64], p.Quants[:128], 2, 0)
	gather(block[64:96], p.Quants[128:], 2, 0)
	gather(block[:32], p.Quants[:], 1, 2)
	low, high := block[96:104], block[104:108]
	clear(block[96:108])
	for s := range p.Scales {
		scale := uint8(p.Scales[s] + 32)
		low[s%8] |= scale & 15 << (s / 8 * 4)
		high[s%4] |= scale >> 4 << (s / 4 * 2)
	}
	putF16(block[108:], p.D)
}
