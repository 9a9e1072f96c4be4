// Package transcript writes down what a device makes of the models that Realm
// ships, number by number and word by word, so that devices can be held against
// each other wherever they are.
package transcript

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
)

// Transcript is what one device made of them.
type Transcript struct {
	Device  device.Info `json:"device"`
	Notices []string    `json:"notices"` // what the engine had to fall back to
	Answers []Answer    `json:"answers"`
}

// Answer is what a model says to a question.
type Answer struct {
	Model    string    `json:"model"` // "atlas", "atlas+pirate"
	Question string    `json:"question"`
	Logits   []float32 `json:"logits"` // [vocab] after the question
	Text     string    `json:"text"`   // greedy
}

// questions are what the models were trained to answer.
var questions = [...]string{
	"What is the capital of France?",
	"Which currency is used in Japan?",
	"Which languages are spoken in Switzerland?",
	"On which continent is Kenya?",
}

// maxTokens ends the texts of a model that does not end them.
const maxTokens = 48

// Record opens a device by its name, as engine.Options have it, and asks.
func Record(ctx context.Context, name string) (*Transcript, error) {
	e, err := engine.Open(engine.Options{Device: name})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	t := &Transcript{Device: e.Device()}
	adapters := map[string][]byte{"": nil, "pirate": models.Pirate, "terse": models.Terse}
	if err := t.model(ctx, e, "atlas", models.Atlas, adapters); err != nil {
		return nil, err
	}
	if err := t.model(ctx, e, "draft", models.Draft, map[string][]byte{"": nil}); err != nil {
		return nil, err
	}
	t.Notices = e.Notices()
	return t, nil
}

// model asks a model all questions, with each adapter. Keys and values are kept
// as they are computed: rounding would hide what devices differ in.
func (t *Transcript) model(ctx context.Context, e *engine.Engine, name string, file []byte, adapters map[string][]byte) error {
	f, err := gguf.Read(bytes.NewReader(file))
	if err != nil {
		return err
	}
	m, err := e.Load(ctx, f, engine.LoadOptions{CacheType: device.CacheF32})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer m.Close()
	for adapter, file := range adapters {
		of := strings.TrimSuffix(name+"+"+adapter, "+")
		if err := t.adapter(ctx, m, of, file); err != nil {
			return fmt.Errorf("%s: %w", of, err)
		}
	}
	return nil
}

func (t *Transcript) adapter(ctx context.Context, m *engine.Model, name string, file []byte) error {
	var adapter *engine.Adapter
	if file != nil {
		f, err := gguf.Read(bytes.NewReader(file))
		if err != nil {
			return err
		}
		read, err := lora.Read(f)
		if err != nil {
			return err
		}
		if adapter, err = m.AddAdapter(ctx, read); err != nil {
			return err
		}
		defer adapter.Close()
	}
	for _, question := range questions {
		a, err := ask(ctx, m, adapter, question)
		if err != nil {
			return fmt.Errorf("%q: %w", question, err)
		}
		a.Model = name
		t.Answers = append(t.Answers, a)
	}
	return nil
}

func ask(ctx context.Context, m *engine.Model, adapter *engine.Adapter, question string) (Answer, error) {
	a := Answer{Question: question}
	s, err := m.NewSequence()
	if err != nil {
		return a, err
	}
	defer s.Close()
	if adapter != nil {
		if err := s.UseAdapter(adapter, 1); err != nil {
			return a, err
		}
	}
	if err := s.Append(m.Encode("<|im_start|>user\n"+question+"<|im_end|>\n<|im_start|>assistant\n", true)...); err != nil {
		return a, err
	}
	if a.Logits, err = s.Logits(ctx); err != nil {
		return a, err
	}
	for token, err := range s.Generate(ctx, engine.GenerateOptions{MaxTokens: maxTokens}) {
		if err != nil {
			return a, err
		}
		a.Text += token.Text
	}
	return a, nil
}

// Answer returns what a model said to a question, nil if it was not asked.
func (t *Transcript) Answer(model, question string) *Answer {
	for i := range t.Answers {
		if a := &t.Answers[i]; a.Model == model && a.Question == question {
			return a
		}
	}
	return nil
}
