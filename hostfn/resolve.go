package hostfn

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
)

// GuestVariable is the environment variable that names a guest.
const GuestVariable = "REALM_GUEST"

// Candidates are where a guest may come from, the first that is there winning: an
// explicit wish, the environment, the tenant's own, and what is built in.
type Candidates struct {
	Flag        string // a file
	Environment string // a file: what GuestVariable says
	Tenant      []byte // a module
	TenantName  string
	Embedded    []byte // a module
}

// Choice is the guest that runs.
type Choice struct {
	Module []byte
	Source string // the file, or what stands for it
	Why    string
}

// Hash returns the SHA-256 of the module.
func (c Choice) Hash() [sha256.Size]byte { return sha256.Sum256(c.Module) }

// maxGuestFile bounds a module, in bytes; compiling has a bound of its own.
const maxGuestFile = 64 << 20

// Resolve finds the guest that runs. It is the one place that does. Its errors
// name the file, and where its name came from.
func Resolve(c Candidates) (Choice, error) {
	switch {
	case c.Flag != "":
		return read(c.Flag, "it was asked for")
	case c.Environment != "":
		return read(c.Environment, "the environment variable "+GuestVariable+" names it")
	case len(c.Tenant) > 0:
		return Choice{c.Tenant, "the guest of " + c.TenantName, "the tenant brings its own"}, nil
	case len(c.Embedded) > 0:
		return Choice{c.Embedded, "built in", "nothing else was asked for"}, nil
	}
	return Choice{}, errors.New("hostfn: resolve: there is no guest")
}

// read reads a guest's file.
func read(path, why string) (Choice, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxGuestFile {
		err = fmt.Errorf("%s: %d bytes, at most %d", path, info.Size(), maxGuestFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return Choice{}, fmt.Errorf("hostfn: guest (%s): %w", why, err)
	}
	return Choice{data, path, why}, nil
}
