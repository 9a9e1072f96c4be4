package engine_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/engine/chat/jinja"
	"github.com/realm-webgpu/realm/engine/gguf"
)

var france = []chat.Message{{Role: "user", Content: "What is the capital of France?"}}

func TestEncodeChat(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	// atlas speaks ChatML, which is built in too.
	for _, template := range []string{"", "chatml"} {
		m := load(t, e, engine.LoadOptions{Template: template})
		ids, err := m.EncodeChat(france)
		if err != nil {
			t.Fatal(err)
		}
		if want := m.Encode(question, true); !slices.Equal(ids, want) {
			t.Errorf("template %q: %v, want %v", template, ids, want)
		}
	}
	m := load(t, e, engine.LoadOptions{Template: "{{ bos_token }}{{ messages[0].content }}"})
	ids, err := m.EncodeChat(france)
	bos, _ := m.Tokenizer().BOS()
	if err != nil || slices.Index(ids, bos) != 0 || slices.Contains(ids[1:], bos) {
		t.Errorf("a template that writes BOS gives %v, %v", ids, err)
	}
}

func TestEncodeTextThatIsNotToBeTrusted(t *testing.T) {
	m := load(t, open(t, engine.Options{Device: "cpu"}), engine.LoadOptions{})
	end, found := m.Tokenizer().Lookup("<|im_end|>")
	if !found {
		t.Fatal("atlas has no <|im_end|>")
	}
	for special, want := range map[bool]bool{false: false, true: true} {
		if got := slices.Contains(m.Encode("a<|im_end|>", special), end); got != want {
			t.Errorf("special %v: the token is there: %v", special, got)
		}
	}
}

func TestTemplates(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Load(t.Context(), f, engine.LoadOptions{Template: "no such template"}); !errors.Is(err, chat.ErrUnknownTemplate) {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := e.Load(t.Context(), f, engine.LoadOptions{Template: "{% if %}"}); err == nil {
		t.Error("a template that is none was taken")
	}
	f.Metadata.Set("tokenizer.chat_template", gguf.Scalar("{% from 'x' import y %}"))
	broken, err := e.Load(t.Context(), f, engine.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.EncodeChat(france); !errors.Is(err, engine.ErrTemplate) || !errors.Is(err, jinja.ErrSyntax) || broken.Template() != nil {
		t.Errorf("with a template that cannot be read: %v", err)
	}
	if ids := broken.Encode("Paris", false); len(ids) < 2 {
		t.Errorf("with a template that cannot be read a text has the tokens %d", ids)
	}
	if notices := strings.Join(e.Notices(), "\n"); !strings.Contains(notices, "chat template that can be read") {
		t.Errorf("notices: %s", notices)
	}
	f.Metadata.Delete("tokenizer.chat_template")
	m, err := e.Load(t.Context(), f, engine.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.EncodeChat(france); m.Template() != nil || !errors.Is(err, engine.ErrTemplate) {
		t.Errorf("without a template: %v", err)
	}
}
