package hostfn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/chat"
	"github.com/realm-webgpu/realm/hostfn"
	"github.com/realm-webgpu/realm/hostfn/abi"
)

func TestModelOpen(t *testing.T) {
	r := begin(t)
	name, n := r.text("atlas")
	a, b := r.open(), r.handle("model_open", name, n)
	if a == b {
		t.Errorf("two handles have the number %d", a)
	}
	other, n := r.text("gpt")
	r.want(abi.Noent, "model_open", other, n, r.alloc(4))
	bad, n := r.text("\xff")
	r.want(abi.Inval, "model_open", bad, n, r.alloc(4))
	long, n := r.text(strings.Repeat("x", 257))
	r.want(abi.Inval, "model_open", long, n, r.alloc(4))
}

// refusing are Models that give no model.
type refusing struct{ err error }

func (r refusing) Open(name string) (*hostfn.Model, error) {
	return nil, fmt.Errorf("model %q: %w", name, r.err)
}

func TestModelRefused(t *testing.T) {
	h := open(t)
	for err, want := range map[error]abi.Errno{
		hostfn.ErrNotFound: abi.Noent, hostfn.ErrNotAllowed: abi.Perm, hostfn.ErrNotReady: abi.Again,
	} {
		r := h.guest(t, func(c *hostfn.Config) { c.Models = refusing{err} })
		r.want(want, "model_open", 0, 0, r.alloc(4))
	}
}

func TestModelInfo(t *testing.T) {
	r := begin(t)
	m := r.open()
	out := r.alloc(abi.ModelInfoSize + 64)
	r.must("model_info", m, out, abi.ModelInfoSize+64)
	r.only(span{out, abi.ModelInfoSize})
	config, tokenizer := r.house.model.Config(), r.house.model.Tokenizer()
	eos, _ := tokenizer.EOS()
	for name, want := range map[string]uint64{
		"size": abi.ModelInfoSize, "vocabulary": uint64(config.VocabularySize), "context": 512, "embedding": uint64(config.EmbeddingLength),
		"blocks": uint64(config.BlockCount), "head_count": uint64(config.HeadCount), "head_count_kv": uint64(config.HeadCountKV),
		"head_dim": uint64(config.HeadDim), "feed_forward": uint64(config.FeedForwardLength), "rope_mode": 0, "eos": uint64(uint32(eos)),
		"rope_dimensions": uint64(config.Rope.Dimensions),
	} {
		if got := r.get("model_info", name, out); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if flags := r.get("model_info", "flags", out); flags&abi.ModelChat == 0 || flags&(abi.ModelEncoder|abi.ModelDraft) != 0 {
		t.Errorf("flags are %#x", flags)
	}
	stop := r.ints(out+place("model_info", "stop"), int(r.get("model_info", "stop_count", out)))
	if !slices.Contains(stop, eos) {
		t.Errorf("stop tokens are %v, without EOS %d", stop, eos)
	}
	text := func(field string) string {
		s, _, _ := strings.Cut(string(r.bytes[out+place("model_info", field):][:32]), "\x00")
		return s
	}
	if text("architecture") != "llama" || text("name") != "atlas" {
		t.Errorf("it is %q, %q", text("architecture"), text("name"))
	}
	short := r.alloc(20)
	r.must("model_info", m, short, 20)
	r.only(span{short, 20})
	r.want(abi.Inval, "model_info", m, short, 7)
}

func TestTokenize(t *testing.T) {
	r := begin(t)
	m := r.open()
	out, count := r.alloc(4*64), r.alloc(8)
	encode := func(text string, flags uint64) []int32 {
		t.Helper()
		at, n := r.text(text)
		r.must("tokenize", m, at, n, flags, out, 64, count)
		r.only(span{count, 8}, span{out, 4 * r.u64(count)})
		return r.ints(out, int(r.u64(count)))
	}
	const text = "What is the capital of France?"
	plain := encode(text, 0)
	if got := r.decode(plain); got != text {
		t.Errorf("came back as %q", got)
	}
	if with := encode(text, abi.TokenizeBOS); !slices.Equal(with, r.house.model.Encode(text, false)) {
		t.Errorf("with BOS %v, the engine has %v", with, r.house.model.Encode(text, false))
	}
	const special = "<|im_start|>"
	if one, many := encode(special, abi.TokenizeSpecial), encode(special, 0); len(one) != 1 || len(many) < 2 {
		t.Errorf("%s is %v as a special token, %v as text", special, one, many)
	}
	if none := encode("", 0); len(none) != 0 {
		t.Errorf("no text is %v", none)
	}
	encode("caf\xc3\xa9 \xff\xfe\x00", 0)
	at, n := r.text(text)
	r.want(abi.Toobig, "tokenize", m, at, n, 0, out, uint64(len(plain)-1), count)
	r.only(span{count, 8})
	if got := r.u64(count); got != uint64(len(plain)) {
		t.Errorf("%d tokens are needed, want %d", got, len(plain))
	}
	r.want(abi.Inval, "tokenize", m, at, n, 4, out, 64, count)
}

func TestDetokenize(t *testing.T) {
	h := open(t)
	im, _ := h.model.Tokenizer().Lookup("<|im_start|>")
	for name, c := range map[string]struct {
		show func(int32) bool
		want string
	}{
		"without control tokens": {nil, "Oslo"},
		"with one":               {func(id int32) bool { return id == im }, "<|im_start|>Oslo"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.guest(t, func(o *hostfn.Config) { o.Show = c.show })
			m := r.open()
			at, n := r.ids(append([]int32{im}, r.house.model.Tokenizer().Encode(nil, "Oslo", plainText)...))
			out, count := r.alloc(32), r.alloc(8)
			r.must("detokenize", m, at, n, out, 32, count)
			r.only(span{count, 8}, span{out, uint64(len(c.want))})
			if got := string(r.bytes[out:][:r.u64(count)]); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			r.want(abi.Toobig, "detokenize", m, at, n, out, uint64(len(c.want)-1), count)
			r.only(span{count, 8})
			if r.u64(count) != uint64(len(c.want)) {
				t.Errorf("%d bytes are needed, want %d", r.u64(count), len(c.want))
			}
			for _, id := range []int32{-1, int32(r.house.model.Config().VocabularySize)} {
				at, _ := r.ids([]int32{id})
				r.want(abi.Inval, "detokenize", m, at, 1, out, 32, count)
			}
		})
	}
}

func TestChatEncode(t *testing.T) {
	r := begin(t)
	m := r.open()
	out, count := r.alloc(4*512), r.alloc(8)
	want, err := r.house.model.EncodeChat([]chat.Message{{Role: "user", Content: "What is the capital of France?"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`{"messages": [{"role": "user", "content": "What is the capital of France?"}]}`,
		`{"messages": [{"role": "user", "content": [{"type": "text", "text": "What is the capital "}, {"type": "text", "text": "of France?"}]}], "n": 4}`,
	} {
		at, n := r.text(text)
		r.must("chat_encode", m, at, n, out, 512, count)
		r.only(span{count, 8}, span{out, 4 * r.u64(count)})
		if got := r.ints(out, int(r.u64(count))); !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v", text, got, want)
		}
		r.want(abi.Toobig, "chat_encode", m, at, n, out, uint64(len(want)-1), count)
		r.only(span{count, 8})
	}
	for _, bad := range []string{
		"", "{", "[]", `{"messages": []}`, `{"messages": [{"role": 4}]}`, `{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}`,
		`{"messages": [{"role": "user", "content": 7}]}`, `{"messages": "Hi"}`,
	} {
		at, n := r.text(bad)
		r.want(abi.Inval, "chat_encode", m, at, n, out, 512, count)
	}
	if r.lines("chat_encode") == 0 {
		t.Error("nothing is in the log")
	}
}
