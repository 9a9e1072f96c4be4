package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/realm-webgpu/realm/guest/build"
)

// example is one of guest/examples, and what it does with a plain question.
type example struct {
	name   string
	source string // a package of Go; "": C
	code   string // of the server's error; "": it answers
	text   string
}

// examples are all there are. Two of them are no use for a plain question: embed has no
// text to give, and json wants a schema beside it, and has to say so. What those are for
// is tested in package guest.
var examples = []example{
	{name: "beam", text: paris},
	{name: "watermark", text: paris},
	{name: "whole-transformer", text: paris},
	{name: "go", source: "./guest/examples/go", text: paris},
	{name: "embed", text: ""},
	{name: "json", code: "INVALID_REQUEST"},
}

func guests(ctx context.Context, r *Rig) error {
	if err := r.buildGuests(ctx); err != nil {
		return err
	}
	s, err := r.Serve(ctx, "guest-root = 'guests'\n")
	if err != nil {
		return err
	}
	var wrong []error
	for _, e := range examples {
		text, err := r.ask(ctx, france, "--guest", filepath.Join("guests", e.name+".wasm"))
		wrong = append(wrong, expect(e.name+" from the command line", text, err, e.text, e.code, func() error {
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				return fmt.Errorf("got %v, want a command that fails", err)
			}
			return nil
		}))
		text, err = s.Ask(ctx, chatPath, asking(france).with("guest", e.name))
		wrong = append(wrong, expect(e.name+" in the server", text, err, e.text, e.code, func() error { return refused(err, e.code) }))
	}
	_, err = s.Ask(ctx, chatPath, asking(france).with("guest", "nobody"))
	wrong = append(wrong, refused(err, "GUEST_NOT_FOUND"), s.wants(ctx, asking(france), paris))
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	return s.Stop()
}

// expect wants a text, or where there is a code an error that failed accepts.
func expect(what, got string, err error, text, code string, failed func() error) error {
	if code != "" {
		if err := failed(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return same(what, got, text)
}

// buildGuests compiles the examples into the folder guests. Errors: a *Missing.
func (r *Rig) buildGuests(ctx context.Context) error {
	if _, err := exec.LookPath(build.Compiler); err != nil {
		return &Missing{What: build.Compiler + " (Debian: apt install clang-19 lld-19)", Require: "REALM_REQUIRE_CLANG"}
	}
	list, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/realm-webgpu/realm").Output()
	if err != nil {
		return &Missing{What: "source of the examples: run this within the module", Require: "REALM_REQUIRE_CLANG", Err: err}
	}
	root, dir := strings.TrimSpace(string(list)), filepath.Join(r.Dir, "guests")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for _, e := range examples {
		out := filepath.Join(dir, e.name+".wasm")
		if e.source != "" {
			err = build.Go(ctx, root, out, e.source)
		} else {
			err = build.Example(ctx, root, out, e.name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
