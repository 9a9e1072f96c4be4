package quantize

// The rules of the mixes are those of llama.cpp
// (llama_tensor_get_type_impl of src/llama-quant.cpp, at 007dbbf3), less those of
// formats that shaders/quant does not have and of the architecture Falcon. What
// they were found by is measuring perplexity: values, and what ffn_down makes of
// a wide row, suffer most from coarse weights.

// role is what a matrix does in a model.
type role int

const (
	other          role = iota
	embedding           // of tokens
	output              // to logits; the embedding's too where there is no other
	attentionKey        // attn_k
	attentionValue      // attn_v, and what has values among its rows
	attentionOut        // attn_output
	down                // ffn_down, of experts too
)

// place is what the rules know of a matrix.
type place struct {
	role role
	// at is the place among the of matrices of the role, in the order of blocks;
	// for down it is the block, and of the number of blocks.
	at, of  int
	groups  int  // heads of queries for one of keys
	blocks  int  // of the model
	experts int  // 0: none
	fits    bool // its rows are whole blocks of the mix's format
	// weighted is true where the caller says which columns matter.
	weighted bool
	eight    bool // the mix's format is Q8_0
}

// rule is the format of a role. Of those that hold, the first counts.
type rule struct {
	role   role
	when   func(place) bool // nil: always
	format string
}

func firstEighth(p place) bool    { return p.at < p.of/8 }
func firstSixteenth(p place) bool { return p.at < p.of/16 }
func firstTwo(p place) bool       { return p.at < 2 }
func firstFour(p place) bool      { return p.at < 4 }
func weighted(p place) bool       { return p.weighted && firstEighth(p) }

// outerAndThird holds for the first and the last eighth, and every third between.
func outerAndThird(p place) bool {
	return firstEighth(p) || p.at >= 7*p.of/8 || (p.at-p.of/8)%3 == 2
}

// shared holds where four heads or more share a key and a value: the matrix is
// small then.
func shared(p place) bool { return p.groups >= 4 }

// seventy holds for the models of 70 billion weights (Llama 2 and 3, Qwen 2),
// whose values are small beside the rest.
func seventy(p place) bool { return p.blocks == 80 && p.groups > 1 }

// eightExperts holds for Mixtral and its kind, where attention is small.
func eightExperts(p place) bool    { return p.experts == 8 }
func notEightExperts(p place) bool { return p.experts != 8 }

func unfit(p place) bool   { return !p.fits }
func coarser(p place) bool { return !p.eight }

// commonRules come before those of every mix of blocks.
func commonRules() []rule {
	return []rule{
		{output, unfit, "Q8_0"},
		{output, coarser, "Q6_K"},
		{attentionValue, eightExperts, "Q8_0"},
		{attentionKey, eightExperts, "Q8_0"},
	}
}

// mixTable is the table of mixes.
func mixTable() []mixRow {
	return []mixRow{
		{name: "F32", format: "F32", fileType: 0, most: true},
		{name: "F16", format: "F16", fileType: 1, most: true},
		{name: "BF16", format: "BF16", fileType: 32, most: true},
		{name: "Q4_0", format: "Q4_0", fileType: 2, most: true, rules: []rule{{down, weighted, "Q4_1"}}},
		{name: "Q4_1", format: "Q4_1", fileType: 3, most: true},
		{name: "Q5_0", format: "Q5_0", fileType: 8, most: true, rules: []rule{{down, weighted, "Q5_1"}}},
		{name: "Q5_1", format: "Q5_1", fileType: 9, most: true},
		{name: "Q8_0", format: "Q8_0", fileType: 7, most: true},
		{name: "Q2_K_S", format: "Q2_K", fileType: 21, rules: []rule{
			{attentionValue, seventy, "Q5_K"},
			{attentionValue, shared, "Q4_K"},
			{down, firstEighth, "Q4_K"},
		}},
		{name: "Q2_K", format: "Q2_K", fileType: 10, most: true, rules: []rule{
			{attentionValue, seventy, "Q5_K"},
			{attentionValue, shared, "Q4_K"},
			{attentionValue, nil, "Q3_K"},
			{attentionOut, eightExperts, "Q5_K"},
			{attentionOut, nil, "Q3_K"},
			{down, nil, "Q3_K"},
		}},
		{name: "Q3_K_S", format: "Q3_K", fileType: 11, most: true, rules: []rule{
			{attentionValue, seventy, "Q5_K"},
			{attentionOut, eightExperts, "Q5_K"},
		}},
		{name: "Q3_K_M", format: "Q3_K", fileType: 12, rules: []rule{
			{attentionValue, seventy, "Q5_K"},
			{attentionValue, firstTwo, "Q5_K"},
			{attentionValue, nil, "Q4_K"},
			{attentionOut, eightExperts, "Q5_K"},
			{attentionOut, nil, "Q4_K"},
			{down, firstSixteenth, "Q5_K"},
			{down, nil, "Q4_K"},
		}},
		{name: "Q3_K_L", format: "Q3_K", fileType: 13, rules: []rule{
			{attentionValue, nil, "Q5_K"},
			{attentionOut, notEightExperts, "Q5_K"},
			{down, nil, "Q5_K"},
		}},
		{name: "Q4_K_S", format: "Q4_K", fileType: 14, most: true, rules: []rule{
			{attentionValue, seventy, "Q5_K"},
			{attentionValue, firstFour, "Q5_K"},
			{attentionOut, eightExperts, "Q5_K"},
			{down, firstEighth, "Q5_K"},
		}},
		{name: "Q4_K_M", format: "Q4_K", fileType: 15, rules: []rule{
			{attentionValue, outerAndThird, "Q6_K"},
			{attentionValue, seventy, "Q5_K"},
			{attentionOut, eightExperts, "Q5_K"},
			{down, outerAndThird, "Q6_K"},
		}},
		{name: "Q5_K_S", format: "Q5_K", fileType: 16, most: true},
		{name: "Q5_K_M", format: "Q5_K", fileType: 17, rules: []rule{
			{attentionValue, outerAndThird, "Q6_K"},
			{down, outerAndThird, "Q6_K"},
		}},
		{name: "Q6_K", format: "Q6_K", fileType: 18, most: true},
	}
}
