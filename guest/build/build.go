// Package build compiles guests that are written in C, with clang and lld.
package build

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Compiler is the one whose output guest.wasm is, byte for byte, in this Version: that
// of Debian's packages clang-19 and lld-19.
const (
	Compiler = "clang-19"
	Version  = "19.1.7"
)

// flags are those of every guest.
var flags = []string{
	"-O2", "-std=c17", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-mbulk-memory",
	"-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=32768",
}

// C compiles sources to a guest with 64-bit memory, or with 32-bit memory. root is
// the folder of the module; the names of sources and out may be relative to it.
func C(ctx context.Context, root, out string, wide bool, sources ...string) error {
	target := "--target=wasm32"
	if wide {
		target = "--target=wasm64"
	}
	args := append([]string{target}, flags...)
	args = append(args, "-I", "guest", "-I", "guest/src", "-isystem", "guest/src/libc", "-o", out, "guest/src/libc/string.c")
	return run(ctx, root, append(args, sources...))
}

// Default compiles the default guest.
func Default(ctx context.Context, root, out string, wide bool) error {
	sources, err := filepath.Glob(filepath.Join(root, "guest", "src", "*.c"))
	if err != nil {
		return err
	}
	for i := range sources {
		// What a compiler is told must not depend on where the module lies.
		if sources[i], err = filepath.Rel(root, sources[i]); err != nil {
			return err
		}
	}
	return C(ctx, root, out, wide, sources...)
}

// Example compiles one of guest/examples, by its name.
func Example(ctx context.Context, root, out, name string) error {
	sources := []string{"guest/examples/prompt.c", "guest/examples/" + name + ".c"}
	for _, s := range []string{"memory", "json", "number", "utf8"} {
		sources = append(sources, "guest/src/"+s+".c")
	}
	return C(ctx, root, out, true, sources...)
}

// Go compiles a guest that is written in Go: with 32-bit memory, for WASI.
func Go(ctx context.Context, root, out, pkg string) error {
	c := exec.CommandContext(ctx, "go", "build", "-ldflags=-s -w", "-o", out, pkg)
	c.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	return finish(c, root)
}

func run(ctx context.Context, root string, args []string) error {
	return finish(exec.CommandContext(ctx, Compiler, args...), root)
}

// finish runs a compiler. Its error has what the compiler said.
func finish(c *exec.Cmd, root string) error {
	c.Dir = root
	var said bytes.Buffer
	c.Stdout, c.Stderr = &said, &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("build: %s: %w\n%s", c.Args[0], err, said.Bytes())
	}
	return nil
}
