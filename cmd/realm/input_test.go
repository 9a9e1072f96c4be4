package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/models"
)

// TestBadInput gives the binary what is wrong: it says so on one line, ends with
// the code of its help, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	noise := make([]byte, 1<<16)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	files := map[string][]byte{
		"atlas.gguf":     models.Atlas,
		"truncated.gguf": models.Atlas[:len(models.Atlas)/2],
		"header.gguf":    models.Atlas[:100],
		"noise.gguf":     noise,
		"claims.gguf":    append([]byte("GGUF\x03\x00\x00\x00"), bytes.Repeat([]byte{0xff}, 16)...),
		"empty":          nil,
		"three.i32":      {1, 2, 3},
		"outside.i32":    {0xff, 0xff, 0, 0},
		"negative.i32":   {0xff, 0xff, 0xff, 0xff},
		"long.txt":       []byte(strings.Repeat("The capital of France is Paris. ", 200)),
		"huge.txt":       make([]byte, maxTextBytes+1),
	}
	f := newFolder(t)
	names := []string{"folder"}
	for name, data := range files {
		names = append(names, f.put(name, data))
	}
	if err := os.Mkdir(filepath.Join(f.dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}

	type input struct {
		args string // split at spaces; "_" stands for ""
		code int
		want string // in standard error
	}
	inputs := []input{
		// The command line.
		{"bogus", exitUsage, `unknown command "bogus"`},
		{"rnu", exitUsage, `did you mean "run"?`},
		{"--bogus", exitUsage, "unknown flag: --bogus (see realm --help)"},
		{"run --bogus", exitUsage, "unknown flag: --bogus (see realm run --help)"},
		{"run", exitUsage, "the prompt is empty"},
		{"run _", exitUsage, "the prompt is empty"},
		{"run -f empty", exitUsage, "the prompt is empty"},
		{"run -", exitUsage, "the prompt is empty"},
		{"run two prompts", exitUsage, "want one PROMPT: put it in quotes"},
		{"run -f long.txt prompt", exitUsage, "two prompts"},
		{"run --temperature -1 x", exitUsage, "Temperature -1"},
		{"run --temperature warm x", exitUsage, "--temperature"},
		{"run --stop _ x", exitUsage, "--stop: the text is empty"},
		{"run --top-p 1.5 x", exitUsage, "TopP 1.5"},
		{"run --min-p -0.5 x", exitUsage, "MinP -0.5"},
		{"run --typical-p 2 x", exitUsage, "TypicalP 2"},
		{"run --top-k -1 x", exitUsage, "TopK -1"},
		{"run --repeat-penalty 1000 x", exitUsage, "RepetitionPenalty 1000"},
		{"run --frequency-penalty 3 x", exitUsage, "FrequencyPenalty 3"},
		{"run --presence-penalty NaN x", exitUsage, "PresencePenalty NaN"},
		{"run --penalty-window -1 x", exitUsage, "PenaltyWindow -1"},
		{"run --logit-bias 4 x", exitUsage, "want ID=BIAS"},
		{"run --logit-bias a=1 x", exitUsage, "want ID=BIAS"},
		{"run --logit-bias 4=NaN x", exitUsage, "LogitBias"},
		{"run --device cpu --logit-bias 2048=1 --raw x", exitUsage, "outside the vocabulary"},
		{"run --seed -1 x", exitUsage, "--seed"},
		{"run -n -1 x", exitUsage, "want a number from 0 to"},
		{"run --threads -1 x", exitUsage, "want a number from 0 to"},
		{"run --kv-type f8 x", exitUsage, "want f16 or f32"},
		{"run --memory lots x", exitUsage, "want a size such as"},
		{"run --ctx x x", exitUsage, "want a number from 0 to"},
		{"run --device cpu --ctx 513 x", exitUsage, "513"},
		{"run --adapter pirate --adapter terse x", exitUsage, "pirate was given already"},
		{"run --adapter pirate:nan x", exitUsage, "nan"},
		{"run --adapter parrot x", exitModel, "built in are pirate, terse"},
		{"run --adapter atlas.gguf x", exitModel, "general.type"},
		{"run --adapter folder x", exitModel, "adapter_config.json"},
		{"run --device gpu x", exitUsage, `"gpu": unknown device`},
		{"run --device cpu --template nonesuch x", exitUsage, "nonesuch"},
		{"info --ctx 513", exitUsage, "513"},
		{"info atlas.gguf", exitUsage, "unexpected argument"},
		{"bench --tokens 1", exitUsage, "--tokens 1: want 2 or more"},
		{"bench --prompt 0", exitUsage, "--prompt 0: want 1 or more"},
		{"bench --repetitions 0", exitUsage, "--repetitions 0: want 1 or more"},
		{"bench --device cpu --prompt 500", exitUsage, "need 532 tokens, the context has 512"},
		{"bench --tune --device cpu", exitUsage, "only WebGPU adapters have tilings"},
		{"bench --tune --device webgpu:no-such-adapter", exitDevice, "no such device"},
		{"logits -o out.f32", exitUsage, "want one of --tokens FILE and -p PROMPT"},
		{"logits -p x --tokens three.i32 -o out.f32", exitUsage, "want one of --tokens FILE and -p PROMPT"},
		{"logits -p x", exitUsage, "no file to write"},
		{"quantize atlas.gguf", exitUsage, "1 arguments, want IN and OUT"},
		{"quantize atlas.gguf out.gguf", exitUsage, "no type: give --type, one of F32 "},
		{"quantize atlas.gguf out.gguf --type Q4_0 --tensor x", exitUsage, "want PATTERN=FORMAT"},
		{"quantize atlas.gguf out.gguf --type Q4_0 --tensor =Q4_0", exitUsage, "want PATTERN=FORMAT"},
		{"quantize atlas.gguf out.gguf --type Q4_0 --tensor x=Q4_K_M", exitUsage, "want one of F32 "},
		{"quantize atlas.gguf out.gguf --type Q4_0 --tensor (=Q4_0", exitUsage, "error parsing regexp"},
		{"quantize atlas.gguf out.gguf --type Q4_0 --output-tensor-type Q9", exitUsage, "want one of F32 "},
		{"quantize atlas.gguf out.gguf --type Q9", exitUsage, "want one of F32 "},
		{"quantize atlas.gguf atlas.gguf --type Q4_0", exitUsage, "atlas.gguf is the input"},
		{"quantize atlas.gguf folder/../atlas.gguf --type Q4_0", exitUsage, "is the input"},
		{"tokenize --decode --bos", exitUsage, "do not go together"},
		{"perplexity", exitUsage, "no text: give -f FILE"},
		{"perplexity -f long.txt --ctx 3", exitUsage, "--ctx 3: want 4 or more"},
		{"perplexity -f long.txt --ctx 513 --device cpu", exitUsage, "513"},
		{"perplexity -f nowhere.txt", exitFailure, "nowhere.txt"},
		{"perplexity -f folder", exitFailure, "folder"},
		{"perplexity -f huge.txt", exitFailure, "huge.txt: over 16 MiB"},
		{"perplexity -f empty --device cpu", exitFailure, "less than a window of 512"},
		{"perplexity -f long.txt --device cpu --kl-base nowhere.gguf", exitModel, "nowhere.gguf"},
		{"perplexity -f long.txt --device cpu --kl-base noise.gguf", exitModel, "gguf: "},
		{"completion", exitUsage, "0 arguments, want one of bash, zsh, fish, powershell"},
		{"completion tcsh", exitUsage, `no script for "tcsh"`},
		{"chat x", exitUsage, `unexpected argument "x"`},
		{"chat --temperature -1", exitUsage, "Temperature -1"},
		{"chat --device cpu --ctx 513", exitUsage, "513"},
		{"version 2", exitUsage, "unexpected argument"},
		{"pull", exitUsage, "0 arguments, want one of hf.co/ORG/REPO:QUANT and a URL"},
		{"pull atlas.gguf", exitUsage, "want hf.co/ORG/REPO:QUANT, or an http or https URL"},
		{"pull hf.co/../..:Q4_0", exitUsage, "no name of an organization or a repository"},
		{"pull https://e.com/x#sha256=1", exitUsage, "64 hexadecimal digits"},
		{"list x", exitUsage, "unexpected argument"},
		{"rm", exitUsage, "0 arguments, want one NAME of realm list"},
		{"rm ../atlas.gguf", exitModel, "not in the store"},

		// Devices and memory.
		{"run --device webgpu:no-such-adapter x", exitDevice, "no such device"},
		{"run --device cpu --memory 1MB x", exitDevice, "out of device memory"},
		{"bench --device cpu --memory 1MB", exitDevice, "out of device memory"},

		// Texts and tokens.
		{"run -f nowhere.txt", exitFailure, "nowhere.txt"},
		{"run -f folder", exitFailure, "folder"},
		{"run -f huge.txt", exitFailure, "huge.txt: over 16 MiB"},
		{"run --device cpu -f long.txt", exitFailure, "the context has room for 512"},
		{"run --device cpu --template @nowhere.jinja x", exitFailure, "nowhere.jinja"},
		{"logits --device cpu -o out.f32 --tokens nowhere.i32", exitFailure, "nowhere.i32"},
		{"logits --device cpu -o out.f32 --tokens three.i32", exitFailure, "3 bytes are no int32 token ids"},
		{"logits --device cpu -o out.f32 --tokens empty", exitFailure, "0 bytes are no int32 token ids"},
		{"logits --device cpu -o out.f32 --tokens outside.i32", exitFailure, "outside the vocabulary"},
		{"logits --device cpu -o out.f32 --tokens negative.i32", exitFailure, "outside the vocabulary"},
		{"logits --device cpu -p x -o nowhere/out.f32", exitFailure, "nowhere"},
		{"logits --device cpu -p x -o folder", exitFailure, "folder is not an ordinary file"},
		{"quantize atlas.gguf folder --type Q4_0", exitFailure, "folder is not an ordinary file"},
		{"quantize atlas.gguf nowhere/out.gguf --type Q8_0", exitFailure, "nowhere"},
	}
	// Model files, for every command that reads one.
	for _, command := range []string{"run --device cpu -m %s x", "chat --device cpu -m %s", "perplexity --device cpu -f long.txt -m %s", "embed --device cpu -m %s x", "info -m %s", "quantize %s out.gguf --type Q4_0", "tokenize -m %s",
		"logits --device cpu -p x -o out.f32 -m %s", "bench --device cpu -m %s"} {
		for _, m := range []struct{ file, want string }{
			{"nowhere.gguf", "no such file"},
			{"nowhere.gguf", "not in the store"},
			{"hf.co/org/repo:Q4_0", "not in the store"},
			{"truncated.gguf", "gguf: "},
			{"header.gguf", "gguf: "},
			{"noise.gguf", "not a GGUF file"},
			{"claims.gguf", "gguf: "},
			{"empty", "gguf: "},
			{"folder", "folder"},
			{"three.i32", "gguf: "},
		} {
			inputs = append(inputs, input{strings.ReplaceAll(command, "%s", m.file), exitModel, m.want})
		}
	}
	for _, c := range inputs {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			for i, a := range args {
				if a == "_" {
					args[i] = ""
				}
			}
			o := folder{t, f.dir}.realm("", args...)
			if o.code != c.code {
				t.Errorf("exit code %d, want %d", o.code, c.code)
			}
			if o.stdout != "" {
				t.Errorf("printed %q", o.stdout)
			}
			if !strings.HasPrefix(o.stderr, "realm: ") || strings.Count(o.stderr, "\n") != 1 || !strings.HasSuffix(o.stderr, "\n") {
				t.Errorf("said %q, want one line", o.stderr)
			}
			if !strings.Contains(o.stderr, c.want) {
				t.Errorf("said %q, want %q in it", o.stderr, c.want)
			}
			folder{t, f.dir}.holds(names...)
		})
	}
}

func TestTokenizeBadIDs(t *testing.T) {
	f := newFolder(t)
	for _, ids := range []string{"x", "-1", "2048", "1 2 99999999999", "1;2"} {
		if o := f.realm(ids, "tokenize", "--decode"); o.code != exitFailure || !strings.Contains(o.stderr, "is no token id: there are 0 to 2047") {
			t.Errorf("ids %q: exit code %d, %q", ids, o.code, o.stderr)
		}
	}
}
