package tenant

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// KeyPrefix begins each key.
const KeyPrefix = "rk_"

// A key is KeyPrefix and 32 random bytes as digits of base 62, of which that takes 43:
// nothing in it that a shell, a URL or a double click would take apart.
const (
	keyBytes  = 32
	keyDigits = 43
	keyLength = len(KeyPrefix) + keyDigits
)

// KeyHash is the SHA-256 of a key: what is kept of it. A connection that outlives one
// request keeps it too, and asks AuthenticateHash again.
type KeyHash [sha256.Size]byte

// newKey makes a key.
func newKey() string {
	var b [keyBytes]byte
	rand.Read(b[:]) // it cannot fail: it ends the process instead
	digits := new(big.Int).SetBytes(b[:]).Text(62)
	return KeyPrefix + strings.Repeat("0", keyDigits-len(digits)) + digits
}

// errMalformed is made once: whoever tries keys shall not cost memory.
var errMalformed = fmt.Errorf("tenant: key: want %s and %d letters and digits: %w", KeyPrefix, keyDigits, ErrUnauthorized)

// HashKey returns the hash of a key. Errors: ErrUnauthorized, for what has not the
// form of one.
func HashKey(key string) (KeyHash, error) {
	if len(key) != keyLength || key[:len(KeyPrefix)] != KeyPrefix {
		return KeyHash{}, errMalformed
	}
	var text [keyLength]byte
	copy(text[:], key)
	for _, c := range text[len(KeyPrefix):] {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return KeyHash{}, errMalformed
		}
	}
	return sha256.Sum256(text[:]), nil
}

// Key is what is known of a key: not the key.
type Key struct {
	ID       string    `json:"id"` // key_ and 16 letters
	TenantID string    `json:"tenant_id"`
	Tenant   string    `json:"tenant"` // its name
	Name     string    `json:"name"`
	Hint     string    `json:"hint"` // the first and the last letters of the key
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"` // about: written with the usage
	Revoked  time.Time `json:"revoked,omitzero"`
	Expires  time.Time `json:"expires,omitzero"`
}

// Live reports whether the key opens anything at a time.
func (k *Key) Live(at time.Time) bool {
	return k.Revoked.IsZero() && (k.Expires.IsZero() || at.Before(k.Expires))
}

// hint is enough to tell keys apart, and leaves over 200 bits unknown.
func hint(key string) string { return key[:len(KeyPrefix)+4] + "..." + key[len(key)-4:] }
