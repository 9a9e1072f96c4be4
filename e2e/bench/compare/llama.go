package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// llamaVersion is that of node-llama-cpp, and of its prebuilt binaries.
const llamaVersion = "3.22.1"

// The program that Node runs. It reads a llamaRequest and prints a llamaResult.
//
//go:embed llama.mjs
var llamaScript []byte

// llamaRequest is what llama.mjs is asked for.
type llamaRequest struct {
	Model   string     `json:"model"`
	Vulkan  bool       `json:"vulkan"`
	Threads int        `json:"threads"`
	Context int        `json:"context"` // tokens
	Prompts [2][]int32 `json:"prompts"` // the first is not measured
	Tokens  int        `json:"tokens"`
}

// llamaResult is what llama.mjs says.
type llamaResult struct {
	Device   string  `json:"device"`
	Ready    float64 `json:"ready"`    // seconds
	Prefill  float64 `json:"prefill"`  // tokens/s
	Decode   float64 `json:"decode"`   // tokens/s
	Baseline int64   `json:"baseline"` // bytes resident before the model was loaded
}

// installLlama has node-llama-cpp in a folder, and returns the path of the script beside
// it.
func installLlama(ctx context.Context, folder string, progress io.Writer) (string, error) {
	if folder == "" {
		caches, err := os.UserCacheDir()
		if err != nil {
			return "", err
		}
		folder = filepath.Join(caches, "realm", "compare")
	}
	script := filepath.Join(folder, "llama.mjs")
	installed, err := os.ReadFile(filepath.Join(folder, "node_modules", "node-llama-cpp", "package.json"))
	if err != nil || !strings.Contains(string(installed), `"version": "`+llamaVersion+`"`) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return "", err
		}
		// Its optional packages are the binaries of all platforms: two will do.
		npm := exec.CommandContext(ctx, "npm", "install", "--prefix", folder, "--ignore-scripts", "--omit=optional", "--no-audit", "--no-fund",
			"node-llama-cpp@"+llamaVersion, "@node-llama-cpp/linux-x64@"+llamaVersion, "@node-llama-cpp/linux-x64-vulkan@"+llamaVersion)
		npm.Stdout, npm.Stderr = progress, progress
		if err := npm.Run(); err != nil {
			return "", fmt.Errorf("installing node-llama-cpp: %w", err)
		}
	}
	return script, os.WriteFile(script, llamaScript, 0o644)
}

// runLlama has llama.cpp measure once.
func runLlama(ctx context.Context, o options, script, device, path string, prompts [2][]int32) (m measurement, err error) {
	request, err := json.Marshal(llamaRequest{
		Model: path, Vulkan: device == "vulkan", Threads: o.threads, Context: o.context, Prompts: prompts, Tokens: o.tokens,
	})
	if err != nil {
		return m, err
	}
	c := exec.CommandContext(ctx, "node", script)
	c.Env = append(os.Environ(), "GGML_VK_VISIBLE_DEVICES=0")
	c.Stdin = bytes.NewReader(request)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return m, fmt.Errorf("llama.cpp: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var r llamaResult
	if err := json.Unmarshal(out, &r); err != nil {
		return m, fmt.Errorf("llama.cpp: %w in %q", err, out)
	}
	return measurement{Device: r.Device, Prefill: r.Prefill, Decode: r.Decode, Ready: r.Ready, Peak: peak(c) - r.Baseline}, nil
}
