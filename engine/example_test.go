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
	"github.com/realm-webgpu/realm/engine/lora"
)

// atlas opens the CPU device and loads the model that Realm ships.
func atlas() (*engine.Engine, *engine.Model) {
	e, err := engine.Open(engine.Options{Device: "cpu"})
	if err != nil {
		log.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		log.Fatal(err)
	}
	m, err := e.Load(context.Background(), f, engine.LoadOptions{})
	if err != nil {
		log.Fatal(err)
	}
	return e, m
}

// A question, and its answer as it is written.
func Example() {
	e, m := atlas()
	defer e.Close()
	prompt, err := m.EncodeChat([]chat.Message{{Role: "user", Content: "What is the capital of France?"}})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Append(prompt...); err != nil {
		log.Fatal(err)
	}
	for token, err := range s.Generate(context.Background(), engine.GenerateOptions{MaxTokens: 50}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(token.Text)
	}
	fmt.Println()
	fmt.Println(s.FinishReason())
	// Output:
	// The capital of France is Paris.
	// stop
}

// Two questions with the same beginning, which is read once.
func ExampleSequence_Fork() {
	e, m := atlas()
	defer e.Close()
	ctx := context.Background()
	root, err := m.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()
	if err := root.Append(m.Encode("<|im_start|>user\nWhat is the capital of ", true)...); err != nil {
		log.Fatal(err)
	}
	if _, err := root.Logits(ctx); err != nil {
		log.Fatal(err)
	}
	for _, country := range []string{"Norway", "Japan"} {
		s, err := root.Fork()
		if err != nil {
			log.Fatal(err)
		}
		rest := country + "?<|im_end|>\n<|im_start|>assistant\n"
		if err := s.Append(m.Tokenizer().Encode(nil, rest, parse)...); err != nil {
			log.Fatal(err)
		}
		for token, err := range s.Generate(ctx, engine.GenerateOptions{}) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Print(token.Text)
		}
		fmt.Println()
		s.Close()
	}
	// Output:
	// The capital of Norway is Oslo.
	// The capital of Japan is Tokyo.
}

// One model, and texts with an adapter and without in the same steps.
func ExampleModel_AddAdapter() {
	e, m := atlas()
	defer e.Close()
	ctx := context.Background()
	f, err := gguf.Read(bytes.NewReader(models.Pirate))
	if err != nil {
		log.Fatal(err)
	}
	read, err := lora.Read(f) // LoadAdapter takes the path of a file or a folder
	if err != nil {
		log.Fatal(err)
	}
	pirate, err := m.AddAdapter(ctx, read)
	if err != nil {
		log.Fatal(err)
	}
	defer pirate.Close()
	prompt := m.Encode("<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n", true)
	var requests []engine.Request
	for _, scale := range []float32{0, 1} {
		s, err := m.NewSequence()
		if err != nil {
			log.Fatal(err)
		}
		defer s.Close()
		if scale != 0 {
			if err := s.UseAdapter(pirate, scale); err != nil {
				log.Fatal(err)
			}
		}
		requests = append(requests, engine.Request{Sequence: s, Tokens: prompt, MaxTokens: 40, Stop: []int32{4}})
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
		fmt.Println(m.Tokenizer().Decode(answer, following))
	}
	// Output:
	// The capital of France is Paris.
	// Arr, matey! The capital of France be Paris. Yo ho ho!
}

// The model's own numbers, for those who choose tokens by themselves.
func ExampleSequence_Logits() {
	e, m := atlas()
	defer e.Close()
	s, err := m.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	prompt := "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\nThe capital of"
	if err := s.Append(m.Encode(prompt, true)...); err != nil {
		log.Fatal(err)
	}
	logits, err := s.Logits(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	best := int32(slices.Index(logits, slices.Max(logits)))
	fmt.Printf("%d logits, the best is that of %q\n", len(logits), m.Tokenizer().Piece(best))
	// Output:
	// 2048 logits, the best is that of " France"
}
