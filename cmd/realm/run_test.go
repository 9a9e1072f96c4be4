package main

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"
)

const (
	question = "What is the capital of France?"
	answer   = "The capital of France is Paris.\n"
)

func TestRun(t *testing.T) {
	f := newFolder(t)
	f.put("question.txt", []byte(question+"\r\n"))
	f.put("chatml.jinja", []byte("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}{{ '<|im_start|>assistant\n' }}"))
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"argument", "", []string{question}, answer},
		{"argument before a pipe", "Where is Oslo?", []string{question}, answer},
		{"pipe", question + "\n", nil, answer},
		{"dash", question, []string{"-"}, answer},
		{"file", "", []string{"-f", "question.txt"}, answer},
		{"file dash", question, []string{"-f", "-"}, answer},
		{"f32 cache", "", []string{"--kv-type", "f32", question}, answer},
		{"short context", "", []string{"--ctx", "64", "--memory", "64MiB", "--threads", "1", question}, answer},
		{"bounded cache", "", []string{"--kv-memory", "1MiB", question}, answer},
		{"template", "", []string{"--template", "@chatml.jinja", question}, answer},
		{"raw", "", []string{"--raw", "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n"}, answer},
		{"raw file", "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n", []string{"--raw"}, answer},
		{"stop", "", []string{"--stop", " Paris", "--stop", "nothing", question}, "The capital of France is\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := folder{t, f.dir}.good(c.stdin, append([]string{"run", "--device", "cpu"}, c.args...)...)
			if o.stdout != c.want || o.stderr != "" {
				t.Errorf("printed %q and %q, want %q", o.stdout, o.stderr, c.want)
			}
		})
	}
	f.holds("question.txt", "chatml.jinja")
}

// TestRunLostDevice: the answer goes on where the device was lost, and that is said.
func TestRunLostDevice(t *testing.T) {
	t.Setenv(loseVariable, "4")
	o := newFolder(t).good("", "run", "--device", "cpu", question)
	if o.stdout != answer || !strings.Contains(o.stderr, "was lost") || !strings.Contains(o.stderr, "opened again") {
		t.Errorf("printed %q and %q", o.stdout, o.stderr)
	}
	t.Setenv(loseVariable, "soon")
	if o := newFolder(t).realm("", "run", "--device", "cpu", question); o.code != exitUsage || !strings.Contains(o.stderr, loseVariable) {
		t.Errorf("exit code %d, %q", o.code, o.stderr)
	}
}

// TestRunAnyDevice asks without a device named: whatever is used, the answer is
// the same, and standard output has nothing else.
func TestRunAnyDevice(t *testing.T) {
	if o := newFolder(t).good("", "run", question); o.stdout != answer {
		t.Errorf("printed %q, want %q; %s", o.stdout, answer, o.stderr)
	}
}

func TestRunModelFile(t *testing.T) {
	f := newFolder(t)
	if o := f.good("", "run", "--device", "cpu", "-m", f.atlas(), question); o.stdout != answer {
		t.Errorf("printed %q, want %q", o.stdout, answer)
	}
	f.holds("atlas.gguf")
}

func TestRunJSON(t *testing.T) {
	o := newFolder(t).good("", "run", "--device", "cpu", "--json", question)
	var r runReport
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil || strings.Count(o.stdout, "\n") != 1 {
		t.Fatalf("%v: %q", err, o.stdout)
	}
	if r.Text != strings.TrimSpace(answer) || r.FinishReason != "stop" || r.Device.Backend != "cpu" {
		t.Errorf("text %q, finish_reason %q, device %+v", r.Text, r.FinishReason, r.Device)
	}
	if n := len(r.Tokens); n == 0 || n != r.Usage.CompletionTokens || r.Tokens[n-1] != 4 {
		t.Errorf("tokens %v, want %d with the end-of-generation token 4 at the end", r.Tokens, r.Usage.CompletionTokens)
	}
	// The ids of the question in its template, as the golden has them.
	if r.Usage.PromptTokens != 19 || r.Usage.TotalTokens != 19+len(r.Tokens) {
		t.Errorf("usage %+v, want a prompt of 19 tokens", r.Usage)
	}
	for name, x := range map[string]float64{
		"load": r.Timings.Load, "prefill": r.Timings.Prefill, "first token": r.Timings.FirstToken, "decode": r.Timings.Decode,
		"prefill rate": r.Timings.PrefillRate, "decode rate": r.Timings.DecodeRate,
	} {
		if x <= 0 {
			t.Errorf("%s is %v", name, x)
		}
	}
}

func TestRunMaxTokens(t *testing.T) {
	o := newFolder(t).good("", "run", "--device", "cpu", "-n", "3", "-v", question)
	if !strings.HasPrefix(answer, strings.TrimSuffix(o.stdout, "\n")) || len(o.stdout) >= len(answer) {
		t.Errorf("printed %q", o.stdout)
	}
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	if len(lines) != 2 || lines[0] != "realm: stopped after 3 tokens (--max-tokens)" || !strings.Contains(lines[1], "prompt of 19 tokens") {
		t.Errorf("said %q", o.stderr)
	}
}

func TestRunContextFull(t *testing.T) {
	o := newFolder(t).good("", "run", "--device", "cpu", "--raw", "--ctx", "16", "--logit-bias", "4=-inf", "The")
	if o.stderr != "realm: stopped: the context of 16 tokens is full (--ctx)\n" {
		t.Errorf("said %q", o.stderr)
	}
}

func TestRunSeed(t *testing.T) {
	f := newFolder(t)
	ask := func(seed string) string {
		return f.good("", "run", "--device", "cpu", "--raw", "-n", "24", "--temperature", "1.5", "--top-p", "0.99", "--seed", seed, "The").stdout
	}
	one, again, two := ask("1"), ask("1"), ask("2")
	if one != again {
		t.Errorf("seed 1 gave %q, then %q", one, again)
	}
	if one == two {
		t.Errorf("seeds 1 and 2 gave %q", one)
	}
}

func TestRunInterrupted(t *testing.T) {
	f := newFolder(t)
	c := f.command(append([]string{"run", "--raw", "The"}, f.endless()...)...)
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// The first byte says that the text is under way.
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
	}
	if stderr.String() != "realm: interrupted\n" {
		t.Errorf("said %q", stderr.String())
	}
	f.holds("endless.gguf")
}

// TestInterruptedWhileReading interrupts a run that waits for its standard input.
func TestInterruptedWhileReading(t *testing.T) {
	for _, args := range [][]string{{"run", "-"}, {"tokenize"}} {
		f := newFolder(t)
		c := f.command(args...)
		stdin, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		// More than a pipe holds: it is all written when it is being read.
		if _, err := stdin.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err == nil || c.ProcessState.ExitCode() != exitInterrupted {
			t.Errorf("realm %q ended with %v, want exit code %d", args, err, exitInterrupted)
		}
	}
}
