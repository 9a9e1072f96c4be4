package token_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/token"
)

// shared is the folder of reference values that is kept beside the module.
const shared = "../../../shared"

// sharedFile reads a file of the shared folder and skips the test where there is none.
func sharedFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(shared, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED, reference values are missing: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// openTokenizer reads the vocabulary of a GGUF file of the shared folder.
func openTokenizer(t testing.TB, name string) *token.Tokenizer {
	t.Helper()
	file, err := gguf.Open(filepath.Join(shared, name))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("SKIPPED, a reference model is missing: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	tokenizer, err := token.New(file)
	if err != nil {
		t.Fatal(err)
	}
	return tokenizer
}

// sharedIDs reads little-endian int32.
func sharedIDs(t testing.TB, name string) []int32 {
	content := sharedFile(t, name)
	ids := make([]int32, len(content)/4)
	for i := range ids {
		ids[i] = int32(binary.LittleEndian.Uint32(content[4*i:]))
	}
	return ids
}

// Every vocabulary of the shared folder gives the ids that are listed beside it.
func TestReferenceVocabularies(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared, "vocab", "*.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skipf("SKIPPED, there are no vocabularies in %s", filepath.Join(shared, "vocab"))
	}
	for _, path := range files {
		name := filepath.Join("vocab", filepath.Base(path))
		t.Run(strings.TrimSuffix(filepath.Base(path), ".gguf"), func(t *testing.T) {
			const separator = "\n__ggml_vocab_test__\n"
			texts := strings.Split(strings.TrimSuffix(string(sharedFile(t, name+".inp")), separator), separator)
			lines := strings.Split(strings.TrimSuffix(string(sharedFile(t, name+".out")), "\n"), "\n")
			if len(texts) != len(lines) {
				t.Fatalf("%d texts and %d lines of ids", len(texts), len(lines))
			}
			tokenizer := openTokenizer(t, name)
			for i, text := range texts {
				var want []int32
				for _, field := range strings.Fields(lines[i]) {
					id, err := strconv.ParseInt(field, 10, 32)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, int32(id))
				}
				got := tokenizer.Encode(nil, text, token.Options{})
				if !slices.Equal(got, want) {
					t.Errorf("%q:\n got %d\nwant %d", text, got, want)
				}
				if back := tokenizer.Decode(got, token.DecodeOptions{}); back != text {
					t.Errorf("%q came back as %q", text, back)
				}
			}
		})
	}
}

func TestAtlasQuestion(t *testing.T) {
	tokenizer := openTokenizer(t, "models/atlas-f16.gguf")
	want := sharedIDs(t, "goldens/logits/question.tokens.i32")
	text := "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n"
	got := tokenizer.Encode(nil, text, token.Options{AddSpecial: true, ParseSpecial: true})
	if !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
	if back := tokenizer.Decode(want, token.DecodeOptions{ShowSpecial: true}); back != "<s>"+text {
		t.Errorf("decoded %q", back)
	}
	if end, _ := tokenizer.Lookup("<|im_end|>"); !tokenizer.IsEndOfGeneration(end) {
		t.Error("<|im_end|> does not end the generation")
	}
}

func TestLongText(t *testing.T) {
	tokenizer := openTokenizer(t, "models/atlas-f16.gguf")
	want := sharedIDs(t, "goldens/logits/long.tokens.i32")
	text := tokenizer.Decode(want[1:], token.DecodeOptions{ShowSpecial: true})
	got := tokenizer.Encode(nil, text, token.Options{AddSpecial: true, ParseSpecial: true})
	if !slices.Equal(got, want) {
		t.Errorf("%q:\n got %d\nwant %d", text, got, want)
	}
}

func TestFamilies(t *testing.T) {
	prompt := string(sharedFile(t, "goldens/arch/prompt.txt"))
	for _, name := range []string{"gemma3", "llama", "llama-linear", "llama-mha-tied", "mixtral", "phi3", "qwen2", "qwen3"} {
		t.Run(name, func(t *testing.T) {
			tokenizer := openTokenizer(t, "goldens/arch/"+name+".gguf")
			want := sharedIDs(t, "goldens/arch/"+name+".tokens.i32")
			if got := tokenizer.Encode(nil, prompt, token.Options{AddSpecial: true}); !slices.Equal(got, want) {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
}

// BenchmarkEncode reports the speed on a mebibyte of English.
func BenchmarkEncode(b *testing.B) {
	var english strings.Builder
	for i := 0; english.Len() < 1<<20; i++ {
		fmt.Fprintf(&english, "The quick brown fox jumps over the lazy dog, then naps for %d hours. "+
			"It's a well-known sentence; we've used it often, and they'll use it again.\n", i)
	}
	for _, name := range []string{"gpt-2", "llama-bpe", "llama-spm", "qwen2"} {
		b.Run(name, func(b *testing.B) {
			tokenizer := openTokenizer(b, "vocab/ggml-vocab-"+name+".gguf")
			b.SetBytes(int64(english.Len()))
			var ids []int32
			for b.Loop() {
				ids = tokenizer.Encode(ids[:0], english.String(), token.Options{})
			}
		})
	}
}
