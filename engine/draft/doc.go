// Package draft guesses the next tokens of a text, for a larger model to judge
// several in one step (Leviathan et al. 2023, https://arxiv.org/abs/2211.17192).
//
// [Find] takes guesses from the text itself: prompt lookup, as in
// https://github.com/apoorvumang/prompt-lookup-decoding. [Length] says how many
// tokens are worth guessing, from how many were right and what steps cost. Guesses
// of a smaller model are made where sequences are: package batch.
package draft
