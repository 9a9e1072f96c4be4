package quant

// table is the one list of formats. A format's file has its split, join and
// what else is its own; its row here says the rest. The bounds on the error are
// a tenth over what normally distributed weights were measured to give; the
// tests measure it again.
func table() []Format {
	return []Format{
		{Name: "F32", ID: 0, BlockElements: 1, BlockBytes: 4, Layout: Layout{Plain: true, Exponent: 8}, ErrorBound: 0, decode: decodeF32, encode: encodeF32},
		{Name: "F16", ID: 1, BlockElements: 1, BlockBytes: 2, Layout: Layout{Plain: true, Exponent: 5}, ErrorBound: 2.4e-4, decode: decodeF16, encode: encodeF16},
		{Name: "BF16", ID: 30, BlockElements: 1, BlockBytes: 2, Layout: Layout{Plain: true, Exponent: 8}, ErrorBound: 1.9e-3, decode: decodeBF16, encode: encodeBF16},

		{Name: "Q4_0", ID: 2, BlockElements: 32, BlockBytes: 18, Layout: Layout{Bits: []int{4}, Offset: 8, Sub: 32}, ErrorBound: 0.095, split: splitQ4_0, join: joinQ4_0, fit: fitPeak},
		{Name: "Q4_1", ID: 3, BlockElements: 32, BlockBytes: 20, Layout: Layout{Bits: []int{4}, Sub: 32, Min: true}, ErrorBound: 0.086, split: splitQ4_1, join: joinQ4_1, fit: fitRange},
		{Name: "Q5_0", ID: 6, BlockElements: 32, BlockBytes: 22, Layout: Layout{Bits: []int{4, 1}, Offset: 16, Sub: 32}, ErrorBound: 0.047, split: splitQ5_0, join: joinQ5_0, fit: fitPeak},
		{Name: "Q5_1", ID: 7, BlockElements: 32, BlockBytes: 24, Layout: Layout{Bits: []int{4, 1}, Sub: 32, Min: true}, ErrorBound: 0.042, split: splitQ5_1, join: joinQ5_1, fit: fitRange},
		{Name: "Q8_0", ID: 8, BlockElements: 32, BlockBytes: 34, Layout: Layout{Bits: []int{8}, Sub: 32}, ErrorBound: 0.006, split: splitQ8_0, join: joinQ8_0, fit: fitBytes},
		{Name: "Q8_1", ID: 9, BlockElements: 32, BlockBytes: 36, Layout: Layout{Bits: []int{8}, Sub: 32}, ErrorBound: 0.006, split: splitQ8_1, join: joinQ8_1, fit: fitBytes},

		{Name: "Q2_K", ID: 10, BlockElements: 256, BlockBytes: 84, Layout: Layout{Bits: []int{2}, Sub: 16, Super: true, SubScales: true, Min: true}, ErrorBound: 0.29, scaleBits: 4, split: splitQ2K, join: joinQ2K, fit: fitSuper},
		{Name: "Q3_K", ID: 11, BlockElements: 256, BlockBytes: 110, Layout: Layout{Bits: []int{2, 1}, Offset: 4, Sub: 16, Super: true, SubScales: true}, ErrorBound: 0.16, scaleBits: 6, split: splitQ3K, join: joinQ3K, fit: fitSuper},
		{Name: "Q4_K", ID: 12, BlockElements: 256, BlockBytes: 144, Layout: Layout{Bits: []int{4}, Sub: 32, Super: true, SubScales: true, Min: true}, ErrorBound: 0.077, scaleBits: 6, split: splitQ4K, join: joinQ4K, fit: fitSuper},
		{Name: "Q5_K", ID: 13, BlockElements: 256, BlockBytes: 176, Layout: Layout{Bits: []int{4, 1}, Sub: 32, Super: true, SubScales: true, Min: true}, ErrorBound: 0.038, scaleBits: 6, split: splitQ5K, join: joinQ5K, fit: fitSuper},
		{Name: "Q6_K", ID: 14, BlockElements: 256, BlockBytes: 210, Layout: Layout{Bits: []int{4, 2}, Offset: 32, Sub: 16, Super: true, SubScales: true}, ErrorBound: 0.019, scaleBits: 8, split: splitQ6K, join: joinQ6K, fit: fitSuper},
		{Name: "Q8_K", ID: 15, BlockElements: 256, BlockBytes: 292, Layout: Layout{Bits: []int{8}, Sub: 32, Super: true}, ErrorBound: 0.0077, split: splitQ8K, join: joinQ8K, fit: fitBytesEven},
	}
}
