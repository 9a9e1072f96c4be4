package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"slices"

	"github.com/realm-webgpu/realm/e2e/models"
)

// piratical is what atlas says to france with the adapter pirate.
const piratical = "Arr, matey! The capital of France be Paris. Yo ho ho!"

// adapterServer is a server whose model has no adapter yet.
const adapterServer = "adapter-root = 'adapters'\n[[models]]\nname = 'atlas'\nsource = 'builtin:atlas'\n"

func adapters(ctx context.Context, r *Rig) error {
	file, err := r.Put("adapters/pirate.gguf", models.Pirate)
	if err != nil {
		return err
	}
	if err := adaptersCLI(ctx, r, file); err != nil {
		return err
	}
	s, err := r.Serve(ctx, adapterServer)
	if err != nil {
		return err
	}
	plain, arr := asking(france), asking(france).with("adapter", "arr")
	load := params{"lora_name": "arr", "lora_path": "pirate.gguf"}
	steps := []struct {
		what string
		do   func() error
	}{
		{"before it is loaded", func() error { return s.wantNoAdapter(ctx, arr) }},
		{"loading", func() error { return s.admin(ctx, "load", load) }},
		{"applied", func() error { return s.wants(ctx, arr, piratical) }},
		{"as a model of its own name", func() error { return s.wants(ctx, plain.with("model", "atlas:arr"), piratical) }},
		{"listed", func() error { return s.wantListed(ctx, "atlas:arr", true) }},
		{"the plain model beside it", func() error { return s.wants(ctx, plain, paris) }},
		{"one that there is not", func() error { return s.wantNoAdapter(ctx, plain.with("adapter", "parrot")) }},
		{"loaded twice", func() error { return refused(s.admin(ctx, "load", load), "INVALID_REQUEST") }},
		{"a file outside of adapter-root", func() error {
			return refused(s.admin(ctx, "load", params{"lora_name": "out", "lora_path": "../realm.toml"}), "FORBIDDEN")
		}},
		{"removing", func() error { return s.admin(ctx, "unload", params{"lora_name": "arr"}) }},
		{"removed", func() error { return s.wantNoAdapter(ctx, arr) }},
		{"not listed", func() error { return s.wantListed(ctx, "atlas:arr", false) }},
		{"removing it twice", func() error {
			return refused(s.admin(ctx, "unload", params{"lora_name": "arr"}), "ADAPTER_NOT_FOUND")
		}},
		{"the plain model afterwards", func() error { return s.wants(ctx, plain, paris) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return s.Stop()
}

// adaptersCLI applies adapters from the command line.
func adaptersCLI(ctx context.Context, r *Rig, file string) error {
	for _, adapter := range []string{"pirate", file} {
		text, err := r.ask(ctx, france, "--adapter", adapter)
		if err != nil {
			return err
		}
		if err := same("realm run --adapter "+adapter, text, piratical); err != nil {
			return err
		}
	}
	text, err := r.ask(ctx, france, "--adapter", "parrot")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || text != "" {
		return fmt.Errorf("realm run --adapter parrot: printed %q, %v: want an error, and no answer", text, err)
	}
	return nil
}

// admin loads or unloads an adapter.
func (s *Server) admin(ctx context.Context, verb string, p params) error {
	_, err := s.Post(ctx, s.Admin+"/v1/"+verb+"_lora_adapter", p)
	return err
}

// wants wants an answer to a chat.
func (s *Server) wants(ctx context.Context, p params, want string) error {
	text, err := s.Ask(ctx, chatPath, p)
	if err != nil {
		return err
	}
	return same("the answer", text, want)
}

// wantNoAdapter wants a chat refused for its adapter: over HTTP, as a stream, and over the
// WebSocket, and no text before that.
func (s *Server) wantNoAdapter(ctx context.Context, p params) error {
	const code = "ADAPTER_NOT_FOUND"
	_, whole := s.Ask(ctx, chatPath, p)
	text, streamed := s.Stream(ctx, chatPath, p, nil)
	var status *Refusal
	if errors.As(whole, &status) && status.Status != http.StatusNotFound {
		return fmt.Errorf("status %d, want %d", status.Status, http.StatusNotFound)
	}
	socket, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer socket.close()
	parts, _, called := socket.call("chat", p)
	if text != "" || len(parts) > 0 {
		return fmt.Errorf("there was text before the error: %q, %q", text, parts)
	}
	return errors.Join(refused(whole, code), refused(streamed, code), refused(called, code))
}

// wantListed wants a model to be in the list of models, or not.
func (s *Server) wantListed(ctx context.Context, id string, want bool) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/v1/models", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var list struct{ Data []struct{ ID string } }
	if err := json.Unmarshal(text, &list); err != nil {
		return fmt.Errorf("the list of models: %w", err)
	}
	if got := slices.ContainsFunc(list.Data, func(m struct{ ID string }) bool { return m.ID == id }); got != want {
		return fmt.Errorf("%s is in the list: %t, want %t: %s", id, got, want, text)
	}
	return nil
}
