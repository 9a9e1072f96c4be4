package guest_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/guest"
	"github.com/realm-webgpu/realm/guest/build"
)

// root is the folder of the module.
const root = ".."

// needs skips a test whose compiler is missing, and says so.
func needs(t *testing.T, compiler string) {
	t.Helper()
	if _, err := exec.LookPath(compiler); err != nil {
		if os.Getenv("REALM_REQUIRE_CLANG") == "1" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED: %v (REALM_REQUIRE_CLANG=1 makes this a failure)", err)
	}
}

// TestModuleIsBuilt holds guest.wasm to its sources, byte for byte. Other versions of
// the compiler make other bytes of them: all that is held then is that they compile.
func TestModuleIsBuilt(t *testing.T) {
	needs(t, build.Compiler)
	version, err := exec.Command(build.Compiler, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "guest.wasm")
	if err := build.Default(t.Context(), root, out, true); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(version), " version "+build.Version) {
		t.Skipf("SKIPPED: guest.wasm is not compared: it was made by version %s of the compiler, and this is %s", build.Version, version)
	}
	if !bytes.Equal(got, guest.Module) {
		t.Errorf("guest.wasm is not what its sources make (go run ./guest/generate): %d bytes, want %d; with %s", len(guest.Module), len(got), version)
	}
}

// TestNative runs the tests that are written in C, under AddressSanitizer and
// UndefinedBehaviorSanitizer.
func TestNative(t *testing.T) {
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	needs(t, compiler)
	program := filepath.Join(t.TempDir(), "test")
	args := []string{
		"-std=c17", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
		"-I", ".", "-I", "src", "-o", program,
		"src/json.c", "src/number.c", "src/utf8.c", "src/text.c", "src/request.c", "src/memory.c",
	}
	tests, err := filepath.Glob("test/*.c")
	if err != nil || len(tests) < 5 {
		t.Fatal(tests, err)
	}
	if said, err := exec.Command(compiler, append(append(args, tests...), "-lm")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	c := exec.Command(program)
	// A guest gives no memory back before its end.
	c.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0")
	if said, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}
