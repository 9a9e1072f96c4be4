package sample

import "testing"

func TestMask(t *testing.T) {
	const vocab = 70
	m := NewMask(vocab)
	if len(m) != 3 {
		t.Fatalf("mask of %d tokens has %d words, want 3", vocab, len(m))
	}
	for _, token := range []int32{0, 31, 32, 69} {
		m.Allow(token)
	}
	m.Forbid(31)
	m.Forbid(33)
	for token := range int32(vocab) {
		want := token == 0 || token == 32 || token == 69
		if m.Allows(token) != want {
			t.Errorf("Allows(%d) = %v", token, !want)
		}
	}
	if m[1] != 1 || m[2] != 1<<5 {
		t.Errorf("words %#x: bit token%%32 of word token/32 is not the token", m)
	}
	if !Mask(nil).Allows(5) {
		t.Error("the nil mask forbids a token")
	}
}
