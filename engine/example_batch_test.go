package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"slices"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
)

// A text written as a loop, with sampling, and why it ended.
func ExampleSequence_Generate() {
	e, m := atlas()
	defer e.Close()
	s, err := m.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(m.Encode("<|im_start|>user\nWhat is the capital of Spain?<|im_end|>\n<|im_start|>assistant\n", true)...); err != nil {
		log.Fatal(err)
	}
	options := engine.GenerateOptions{MaxTokens: 50, Stop: []string{"."}, Logprobs: 2}
	options.Sampling.Temperature, options.Sampling.Seed = 0.2, 1
	for token, err := range s.Generate(context.Background(), options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	fmt.Println()
	fmt.Println(s.FinishReason(), s.Stats().PromptTokens > 0)
	// Output:
	// The capital of Spain is Madrid
	// stop true
}

// Many texts at the same time, of two tenants who share the device one to three. The
// answers ride in the same steps; each is what it would be alone.
func ExampleEngine_Start() {
	e, err := engine.Open(engine.Options{Device: "cpu"})
	if err != nil {
		log.Fatal(err)
	}
	defer e.Close()
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	m, err := e.Load(ctx, f, engine.LoadOptions{CacheTokens: 4096}) // of all texts together
	if err != nil {
		log.Fatal(err)
	}
	end, _ := m.Tokenizer().EOS()
	var tenants []*engine.Tenant
	for _, o := range []engine.TenantOptions{{Name: "free", QueueLimit: 10}, {Name: "paying", Weight: 3}} {
		t, err := e.NewTenant(o)
		if err != nil {
			log.Fatal(err)
		}
		tenants = append(tenants, t)
	}
	var requests []engine.Request
	for i, country := range []string{"Norway", "Japan", "Kenya", "Peru"} {
		s, err := tenants[i%2].NewSequence(m)
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		prompt, err := m.EncodeChat([]chat.Message{{Role: "user", Content: "What is the capital of " + country + "?"}})
		if err != nil {
			log.Fatal(err)
		}
		requests = append(requests, engine.Request{Sequence: s, Tokens: prompt, MaxTokens: 30, Stop: []int32{end}})
	}
	for _, run := range e.Start(ctx, requests...) {
		var answer []int32
		for {
			o, err := run.Next(ctx)
			if err == io.EOF {
				break
			}
			if err != nil {
				log.Fatal(err)
			}
			answer = append(answer, o.Token)
		}
		fmt.Println(m.Tokenizer().Decode(answer, token.DecodeOptions{}))
	}
	// Output:
	// The capital of Norway is Oslo.
	// The capital of Japan is Tokyo.
	// The capital of Kenya is Nairobi.
	// The capital of Peru is Lima.
}

// A small model drafts tokens, and the model checks several of them in one step. The
// text is the same as without, and comes sooner where most drafts are right.
func ExampleModel_SetDraft() {
	e, m := atlas()
	defer e.Close()
	ctx := context.Background()
	f, err := gguf.Read(bytes.NewReader(models.Draft))
	if err != nil {
		log.Fatal(err)
	}
	small, err := e.Load(ctx, f, engine.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	if err := m.SetDraft(small); err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	prompt, err := m.EncodeChat([]chat.Message{{Role: "user", Content: "What is the capital of France?"}})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Append(prompt...); err != nil {
		log.Fatal(err)
	}
	// Four drafts a step: without Fixed, their number follows what pays.
	options := engine.GenerateOptions{Draft: engine.DraftOptions{Mode: engine.DraftModel, Tokens: 4, Fixed: true}}
	for token, err := range s.Generate(ctx, options) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	fmt.Println()
	stats := s.Stats()
	fmt.Println(stats.Accepted > 0, stats.Accepted <= stats.Proposed)
	// Output:
	// The capital of France is Paris.
	// true true
}

// Texts as vectors, and which of them is nearest to a question.
func ExampleModel_Embed() {
	e, m := atlas()
	defer e.Close()
	ctx := context.Background()
	vector := func(text string) []float32 {
		rows, err := m.Embed(ctx, m.Encode(text, true), engine.EmbedOptions{})
		if err != nil {
			log.Fatal(err)
		}
		return rows[0]
	}
	texts := []string{"The capital of Norway is Oslo.", "People in Brazil speak Portuguese."}
	question := vector("Oslo is the capital of Norway.")
	var cosines []float32
	for _, text := range texts {
		var cosine float32
		for i, x := range vector(text) {
			cosine += x * question[i] // the vectors have length 1
		}
		cosines = append(cosines, cosine)
	}
	fmt.Println(len(question), texts[slices.Index(cosines, slices.Max(cosines))])
	// Output:
	// 256 The capital of Norway is Oslo.
}
