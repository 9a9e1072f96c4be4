package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"syscall"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// measurement is what one run of either has said.
type measurement struct {
	Device     string  `json:"device"`
	Prefill    float64 `json:"prefill_tokens_per_second"`
	Decode     float64 `json:"decode_tokens_per_second"`
	Ready      float64 `json:"ready_seconds"` // from opening the device to the first token
	BytesToken int64   `json:"weight_bytes_per_token,omitempty"`
	Peak       int64   `json:"peak_bytes"` // resident, of the process; of llama.cpp's without Node's own
}

// prompts returns the tokens that realm bench reads before it measures and in its first
// repetition: random ones, from the repetition's number.
func prompts(path string, n int) (p [2][]int32, err error) {
	f, err := gguf.Open(path)
	if err != nil {
		return p, err
	}
	defer f.Close()
	words, err := f.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return p, err
	}
	for i := range p {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		p[i] = make([]int32, n)
		for j := range p[i] {
			p[i][j] = random.Int32N(int32(len(words)))
		}
	}
	return p, nil
}

// runRealm has realm bench measure once.
func runRealm(ctx context.Context, o options, device, path string) (m measurement, err error) {
	c := exec.CommandContext(ctx, o.realm, "bench", "-m", path, "--device", device, "--threads", strconv.Itoa(o.threads),
		"--prompt", strconv.Itoa(o.prompt), "--tokens", strconv.Itoa(o.tokens+1), "--ctx", strconv.Itoa(o.context), "--repetitions", "1", "--json")
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return m, fmt.Errorf("realm bench: %w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	var r struct {
		BytesToken int64 `json:"weight_bytes_per_token"`
		Devices    []struct {
			Name    string  `json:"name"`
			Ready   float64 `json:"ready_seconds"`
			Prefill median  `json:"prefill_tokens_per_second"`
			Decode  median  `json:"decode_tokens_per_second"`
		} `json:"devices"`
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return m, fmt.Errorf("realm bench: %w", err)
	}
	if len(r.Devices) != 1 {
		return m, errors.New("realm bench: no device")
	}
	d := r.Devices[0]
	return measurement{
		Device: d.Name, Prefill: d.Prefill.Median, Decode: d.Decode.Median, Ready: d.Ready,
		BytesToken: r.BytesToken, Peak: peak(c),
	}, nil
}

// median is the middle of a spread of realm bench.
type median struct {
	Median float64 `json:"median"`
}

// peak returns the most bytes that a process that has ended had resident.
func peak(c *exec.Cmd) int64 {
	return c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10 // KiB on Linux
}
