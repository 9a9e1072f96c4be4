package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	embedded "github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// TestAdapters loads and unloads as vLLM's clients do.
func TestAdapters(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "pirate.gguf"), embedded.Pirate, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *service.Options) { o.AdapterRoot = root }, nil)
	post := func(path, body string, status int, says string) {
		t.Helper()
		if resp, text := do(t, r.admin.URL+path, body); resp.StatusCode != status || !strings.Contains(text, says) {
			t.Errorf("%s %s: %s %s", path, body, resp.Status, text)
		}
	}
	const load, unload = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
	post(load, `{"lora_name":"sailor","lora_path":"../pirate.gguf"}`, 403, "FORBIDDEN")
	post(load, `{"lora_name":"sailor","lora_path":"pirate.gguf"}`, 200, "Success: LoRA adapter 'sailor' added successfully.")
	post(load, `{"lora_name":"sailor","lora_path":"pirate.gguf"}`, 400, "already")
	_, text := r.do(t, "/v1/models", "")
	if !strings.Contains(text, `"id":"atlas:sailor"`) || !strings.Contains(text, `"parent":"atlas"`) {
		t.Errorf("models %s", text)
	}
	if out := asked[openai.ChatResponse](t, r, "/v1/chat/completions", question(`"adapter":"sailor"`)); *out.Choices[0].Message.Content == paris {
		t.Errorf("as a sailor: %+v", out)
	}
	post(unload, `{"lora_name":"sailor"}`, 200, "Success: LoRA adapter 'sailor' removed successfully.")
	post(unload, `{"lora_name":"sailor"}`, 404, "ADAPTER_NOT_FOUND")
}

// TestStreamOverLimit ends streams that have begun with an error that clients read.
func TestStreamOverLimit(t *testing.T) {
	r := newRig(t, func(o *service.Options) { o.Limits.Guest.EmitBytes = 400 }, nil)
	doc := description(t)
	for path, body := range map[string]string{
		"/v1/chat/completions": question(`"stream":true,"ignore_eos":true`),
		"/v1/completions":      `{"prompt":"The","stream":true,"ignore_eos":true,"max_tokens":300}`,
		"/v1/responses":        `{"input":"What is the capital of France?","stream":true,"ignore_eos":true}`,
	} {
		_, text := r.do(t, path, body)
		all := events(t, text)
		if len(all) < 3 {
			t.Fatalf("%s: %s", path, text)
		}
		last := all[len(all)-1]
		if !strings.Contains(last.data, "QUOTA_EXCEEDED") {
			t.Errorf("%s ends with %s", path, last.data)
		}
		if path == "/v1/responses" {
			if last.name != "response.failed" {
				t.Errorf("%s ends with %s", path, last.name)
			}
			heldTo(t, doc, "ResponseEvent", last.data)
		} else {
			heldTo(t, doc, "ErrorResponse", last.data)
		}
	}
}
