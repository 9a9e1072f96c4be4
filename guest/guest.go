// Package guest is the default guest, which makes the answers of Realm, and what
// those who ask it and those who listen to it say to each other.
//
// The guest is written in C, in src, with the SDK that others may use too: realm.h.
// docs/guest-request.md says what it can be asked for, docs/writing-guests.md how to
// write another one.
package guest

import _ "embed" // for Module

// Module is the default guest, as go run ./guest/generate makes it.
//
//go:embed guest.wasm
var Module []byte
