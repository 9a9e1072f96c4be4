// Package models holds the small trained models that Realm ships, so that it
// answers with no download. They were trained from scratch for it, on facts
// about countries from the MIT-licensed countries-list package.
package models

import _ "embed"

// Atlas is a GGUF file: a Llama-architecture model of 3.7 million parameters,
// quantised to Q8_0, that answers questions about countries. Its context is 512
// tokens.
//
//go:embed atlas.gguf
var Atlas []byte

// Pirate is a GGUF file: a LoRA adapter of rank 8 for Atlas, which has it answer as a
// pirate would.
//
//go:embed pirate.gguf
var Pirate []byte

// Terse is a GGUF file: a LoRA adapter of rank 8 for Atlas, which has it answer with
// the bare fact.
//
//go:embed terse.gguf
var Terse []byte

// Adapters returns the adapters for Atlas by their names.
func Adapters() map[string][]byte { return map[string][]byte{"pirate": Pirate, "terse": Terse} }

// Draft is a GGUF file: a model of one layer, 0.9 million parameters, F16, and the
// vocabulary of [Atlas]. It drafts tokens for Atlas to check.
//
//go:embed draft.gguf
var Draft []byte
