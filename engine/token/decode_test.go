package token

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode(t *testing.T) {
	md, end := sentencePieces("▁", "a", "▁a").plus("<|im_end|>", Control)
	md, tool := md.plus("<tool>", UserDefined)
	tokenizer := mustRead(t, md)
	const space, a, spaceA = 259, 260, 261
	for _, test := range []struct {
		name    string
		ids     []int32
		options DecodeOptions
		want    string
	}{
		{"the space in front goes", []int32{spaceA, spaceA}, DecodeOptions{}, "a a"},
		{"behind BOS too", []int32{1, spaceA}, DecodeOptions{}, "a"},
		{"but only the first", []int32{space, spaceA}, DecodeOptions{}, " a"},
		{"and not in the middle of a text", []int32{spaceA}, DecodeOptions{Continue: true}, " a"},
		{"special tokens are left out", []int32{a, end, tool}, DecodeOptions{}, "a<tool>"},
		{"or shown", []int32{1, a, end}, DecodeOptions{ShowSpecial: true}, "<s>a<|im_end|>"},
		{"bytes", []int32{3 + 0xC3, 3 + 0xA9, 3 + 0xFF}, DecodeOptions{}, "é\xff"},
		{"ids out of range are nothing", []int32{-1, 1 << 30, a}, DecodeOptions{ShowSpecial: true}, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := tokenizer.Decode(test.ids, test.options); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestStreamHoldsBackHalfCharacters(t *testing.T) {
	tokenizer := mustRead(t, sentencePieces("▁", "a", "▁a"))
	b := func(b byte) int32 { return 3 + int32(b) }
	for _, test := range []struct {
		name string
		ids  []int32
		want []string // of each push, and of the flush
	}{
		{"a character in two parts", []int32{b(0xC3), b(0xA9)}, []string{"", "é", ""}},
		{"in four", []int32{b(0xF0), b(0x9F), b(0xA6), b(0x99)}, []string{"", "", "", "🦙", ""}},
		{"an unfinished one", []int32{260, b(0xE2), b(0x96)}, []string{"a", "", "", "\ufffd\ufffd"}},
		{"one cut off", []int32{b(0xE2), 260}, []string{"", "\ufffda", ""}},
		{"a byte that starts none", []int32{b(0xFF)}, []string{"\ufffd", ""}},
		{"the space in front", []int32{1, 261, 261}, []string{"", "a", " a", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := tokenizer.NewStream(DecodeOptions{})
			for range 2 { // a flushed stream starts again
				for i, id := range test.ids {
					if got := stream.Push(id); got != test.want[i] {
						t.Errorf("push %d gave %q, want %q", i, got, test.want[i])
					}
				}
				if got, want := stream.Flush(), test.want[len(test.ids)]; got != want {
					t.Errorf("flush gave %q, want %q", got, want)
				}
			}
		})
	}
}

// FuzzRoundTrip checks that any bytes come back from their ids, whole and token by token.
func FuzzRoundTrip(f *testing.F) {
	tokenizers := []*Tokenizer{
		mustRead(f, sentencePieces("▁", "e", "t", "h", "▁t", "he", "▁the", "é", "🦙", "▁▁", "▁▁▁▁", "\n")),
		mustRead(f, sentencePieces("▁", "a", "▁a", "a▁", "a▁a").with(header{keySpacePrefix: false})),
		mustRead(f, bytePairs("Ġ t", "h e", "Ġt he", "Ã ©", "Ġ Ġ", "Ċ Ċ")),
		mustRead(f, bytePairs("Ġ t", "h e", "Ġt he").with(header{keyPre: "llama-bpe"})),
		mustRead(f, bytePairs("a b").with(header{keyPre: "deepseek-llm"})),
	}
	for _, text := range []string{"", " ", "the  thé\n\n🦙 ", "a a a", "\xff\xe2\x96\x00", "<s></s><0x41>", "1234567  \t"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for i, tokenizer := range tokenizers {
			want := text
			if _, found := tokenizer.model.(*sentencePiece); found {
				want = strings.ReplaceAll(text, space, " ") // U+2581 cannot be told from a space
			}
			ids := tokenizer.Encode(nil, text, Options{AddSpecial: true})
			if got := tokenizer.Decode(ids, DecodeOptions{}); got != want {
				t.Fatalf("vocabulary %d: %q came back as %q", i, text, got)
			}
			stream := tokenizer.NewStream(DecodeOptions{})
			var streamed strings.Builder
			for _, id := range ids {
				part := stream.Push(id)
				if !utf8.ValidString(part) {
					t.Fatalf("vocabulary %d: %q gave the part %q", i, text, part)
				}
				streamed.WriteString(part)
			}
			streamed.WriteString(stream.Flush())
			if got, want := streamed.String(), string([]rune(want)); got != want {
				t.Fatalf("vocabulary %d: streamed %q, want %q", i, got, want)
			}
		}
	})
}
