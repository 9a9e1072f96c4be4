// Package sample chooses the next token from a row of logits.
//
// # Order of operations
//
// A row of logits [vocab] goes through these stages, each of them off in the
// zero [Spec]:
//
//	mask -> logit bias -> penalties -> top_k -> typical_p -> top_p -> min_p -> temperature -> draw
//
// This is llama.cpp's default chain (common/sampling.cpp) without the stages
// that Realm does not have. vLLM and Hugging Face divide by the temperature
// before they filter; OpenAI does not say. The two agree at temperature 1 and
// wherever only top_k is used. Filtering first was chosen because:
//
//   - The nucleus is then a property of what the model believes, not of how
//     boldly one draws from it: at temperature 1.5 a flattened nucleus would
//     let the tail in that top_p is there to keep out.
//   - GGUF files travel with settings that were tuned on llama.cpp.
//   - A device reads back its K best logits and the row's logsumexp at
//     temperature 1. With filters at temperature 1 that one number decides top_p
//     for every temperature; otherwise each temperature needs a sum of its own.
//
// Temperature 0 is greedy: the highest logit after mask, bias and penalties,
// the lowest id among equals. Filters are not asked, so typical_p, which can
// drop the best token, does not.
//
// # Ranks
//
// Tokens are ranked by logit, highest first, equals by lower id. Every filter
// keeps a run of neighbouring ranks. That is plain for top_k, top_p and min_p.
// It holds for typical_p too: the distance of a token's surprise from the
// entropy falls and then rises along the ranks, so the closest tokens lie
// together. A draw walks the cumulative sum of the surviving ranks, best first,
// up to a uniform number. A row is therefore sorted only as far as the walk goes.
//
// # Two ways in, one result
//
// [Sampler.Row] reads the whole row. [Sampler.Candidates] reads a device's short
// list of the K best, which is the beginning of the same cumulative sum, and
// answers only if the unread rest of the row cannot change the token. What it
// knows about the rest are bounds: how many tokens, none above which logit, how
// much probability between them. Every comparison with the total is made with
// both bounds and has to come out the same. Sums over a closed run of ranks are
// taken in rank order, in float64, in both ways, and agree bit for bit.
//
// # Random numbers
//
// Draws are pure functions of (seed, position): see [Uniform]. A token does not
// depend on the batch it was computed in, nor on the tokens that speculation
// threw away.
package sample
