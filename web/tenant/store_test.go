package tenant

import (
	"errors"
	"testing"
)

func TestAuthenticate(t *testing.T) {
	s := openTest(t, "", Options{Defaults: Limits{RequestsPerMinute: 7}})
	acme, key := withKey(t, s, "acme", NewSettings())
	got, err := s.Authenticate(t.Context(), key)
	if err != nil || got.ID != acme.ID || got.Limits.RequestsPerMinute != 7 {
		t.Fatalf("%+v, %v", got, err)
	}
	if again, _ := s.Authenticate(t.Context(), key); again != got {
		t.Error("another pointer though nothing changed")
	}
	if _, err := s.RevokeKey(t.Context(), "acme", "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(t.Context(), key); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("revoked: %v", err)
	}
	if !s.Keyed() {
		t.Error("no longer keyed")
	}
}
