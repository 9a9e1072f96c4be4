package main

import (
	"fmt"
	"iter"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
)

// space is how SentencePiece writes the space before a word.
const space = "▁"

// template is ChatML in Jinja.
const template = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// controls are the first tokens, in order of their ids.
func controls() []string { return []string{"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>"} }

// setVocabulary gives a model a SentencePiece vocabulary of n tokens: controls,
// bytes, then made-up pieces, the likelier first.
func setVocabulary(m *gguf.Metadata, n int) {
	tokens, kinds, scores := make([]string, 0, n), make([]int32, 0, n), make([]float32, 0, n)
	add := func(text string, kind token.Kind, score float32) {
		tokens, kinds, scores = append(tokens, text), append(kinds, int32(kind)), append(scores, score)
	}
	for id, text := range controls() {
		if id == 0 {
			add(text, token.Unknown, 0)
		} else {
			add(text, token.Control, 0)
		}
	}
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), token.Byte, 0)
	}
	for piece := range pieces() {
		if len(tokens) == n {
			break
		}
		add(piece, token.Normal, -float32(len(tokens)))
	}
	m.Set("tokenizer.ggml.model", gguf.Scalar("llama"))
	m.Set("tokenizer.ggml.pre", gguf.Scalar("default"))
	m.Set("tokenizer.ggml.tokens", gguf.Array(tokens))
	m.Set("tokenizer.ggml.scores", gguf.Array(scores))
	m.Set("tokenizer.ggml.token_type", gguf.Array(kinds))
	m.Set("tokenizer.ggml.unknown_token_id", gguf.Scalar[uint32](0))
	m.Set("tokenizer.ggml.bos_token_id", gguf.Scalar[uint32](1))
	m.Set("tokenizer.ggml.eos_token_id", gguf.Scalar[uint32](4))
	m.Set("tokenizer.ggml.add_bos_token", gguf.Scalar(true))
	m.Set("tokenizer.ggml.add_eos_token", gguf.Scalar(false))
	m.Set("tokenizer.ggml.add_space_prefix", gguf.Scalar(false))
	m.Set("tokenizer.chat_template", gguf.Scalar(template))
}

// pieces ranges over pieces without end: the characters of ASCII, then strings
// of one, two, three ... letters, behind a space and without one. The beginning
// of each comes before it, so that merges can arrive at every piece.
func pieces() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(space) {
			return
		}
		for c := '!'; c <= '~'; c++ {
			if !yield(string(c)) {
				return
			}
		}
		for words := []string{""}; ; {
			var longer []string
			for _, word := range words {
				for c := 'a'; c <= 'z'; c++ {
					next := word + string(c)
					longer = append(longer, next)
					if !yield(space+next) || len(next) > 1 && !yield(next) {
						return
					}
				}
			}
			words = longer
		}
	}
}
