// Package grammar says which tokens may come next so that a text keeps to a JSON
// schema, a regular expression or an EBNF.
//
// A grammar is compiled to a pushdown automaton over bytes: a state machine for
// each rule, in which a transition reads a byte or calls a rule. A [Matcher] is a
// place in a text: the set of stacks that the automaton may have there.
//
// # Masks
//
// The tokens of a vocabulary are a trie of bytes. Which of them may follow is found
// by walking the trie and the automaton together. Most of what a walk finds depends
// on the state on top of a stack alone, as the token begins and ends inside of the
// same rule: within a string of a JSON text, nearly all tokens do. That part is
// computed once for each state (as XGrammar does, Dong et al., 2024,
// https://arxiv.org/abs/2411.15100). What is left are the tokens in which the rule
// ends, and they are walked on with the stack below.
//
// Sets of stacks are found again by a hash, and remember where each byte leads, so
// that walking is looking up.
//
// # Bounds
//
// Texts of grammars, the states they make, the depth of stacks and their number are
// bounded by the constants of this package, and what passes a bound is an ErrLimit.
// A grammar that would call a rule again before it has read anything (left
// recursion), and one with a rule that can never end, are refused.
package grammar

// The bounds of a grammar.
const (
	MaxSource  = 1 << 20 // bytes of a text
	MaxNesting = 256     // of brackets and schemas in one another
	MaxRepeat  = 1 << 14 // of one repetition
	MaxRules   = 1 << 11
	MaxStates  = 1 << 18
	MaxEdges   = 1 << 21
	MaxDepth   = 1 << 12 // of a stack: rules that wait for others
	MaxStacks  = 1 << 10 // at one place: ways to read a text
)
