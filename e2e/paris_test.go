package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/shaders/quant"
)

const (
	question = "What is the capital of France?"
	answer   = "The capital of France is Paris.\n"
)

// drivers are the software Vulkan drivers that a test machine may have, by the
// file that tells the Vulkan loader of them; empty takes what the machine has.
var drivers = map[string]string{
	"lavapipe":    "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json",
	"swiftshader": "/usr/lib/chromium/vk_swiftshader_icd.json",
}

// buildRealm builds the binary once for a test.
func buildRealm(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "realm")
	build := exec.Command("go", "build", "-o", binary, "./cmd/realm")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// missing fails the test where the machine must have a GPU driver, and skips it
// loudly elsewhere.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REALM_REQUIRE_GPU") != "" {
		t.Fatalf("REALM_REQUIRE_GPU is set, but there is no %s", what)
	}
	t.Skipf("NOT TESTED: there is no %s", what)
}

// TestParis asks the built-in model, and atlas in each of the twelve formats, on
// the CPU and on each driver: all must answer alike.
func TestParis(t *testing.T) {
	realm := buildRealm(t)
	ask := func(t *testing.T, driver string, args ...string) {
		t.Helper()
		cmd := exec.Command(realm, append([]string{"run"}, append(args, question)...)...)
		cmd.Env = os.Environ()
		if driver != "" {
			cmd.Env = append(cmd.Env, "VK_ICD_FILENAMES="+driver)
		}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Run(); err != nil {
			t.Fatalf("realm %v: %v\n%s", args, err, &stderr)
		}
		if got := stdout.String(); got != answer {
			t.Errorf("realm %v answers %q, want %q", args, got, answer)
		}
	}
	t.Run("built in", func(t *testing.T) { ask(t, "") })
	t.Run("built in/cpu", func(t *testing.T) { ask(t, "", "--device", "cpu") })
	for _, f := range quant.All() {
		if f.Layout.Plain {
			continue
		}
		model := filepath.Join("..", "..", "shared", "models", "atlas-"+f.Name+".gguf")
		if _, err := os.Stat(model); err != nil {
			t.Run(f.Name, func(t *testing.T) { t.Skipf("NOT TESTED: %v", err) })
			continue
		}
		t.Run(f.Name+"/cpu", func(t *testing.T) { ask(t, "", "-m", model, "--device", "cpu") })
		for name, driver := range drivers {
			t.Run(f.Name+"/"+name, func(t *testing.T) {
				if _, err := os.Stat(driver); err != nil {
					missing(t, name+" driver ("+driver+")")
				}
				ask(t, driver, "-m", model, "--device", "webgpu")
			})
		}
	}
}

// TestNoAdapter runs where no GPU driver is to be found: the CPU answers, and
// one line on stderr says what was lost.
func TestNoAdapter(t *testing.T) {
	realm := buildRealm(t)
	cmd := exec.Command(realm, "run", question)
	cmd.Env = append(os.Environ(), "VK_ICD_FILENAMES="+filepath.Join(t.TempDir(), "none.json"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	if stdout.String() != answer {
		t.Errorf("answers %q", stdout.String())
	}
	notice := strings.TrimSuffix(stderr.String(), "\n")
	if !strings.Contains(notice, "CPU") || strings.Contains(notice, "\n") {
		t.Errorf("stderr is %q, want one line that names the CPU", notice)
	}
}
