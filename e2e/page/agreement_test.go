package page

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/e2e/transcript"
	"github.com/realm-webgpu/realm/engine/device"
)

// boundModel is what the logits of a small model may differ in between devices,
// as an NMSE: the conformance suite's bound of a block.
const boundModel = 1e-9

// TestAgreement asks the models that Realm ships in a page and natively: the
// logits are near each other, and the greedy texts the same.
func TestAgreement(t *testing.T) {
	program := chromium.Build(t, "github.com/realm-webgpu/realm/e2e/transcript/record")
	oracle := record(t, "cpu:exact")
	page := recordInPage(t, chromium.Program{File: program, Args: []string{"webgpu"}})
	if page.Device.Backend != "webgpu" || !page.Device.Software || !strings.Contains(page.Device.Name, "swiftshader") {
		t.Errorf("the page computes on %+v, want SwiftShader, known as software", page.Device)
	}
	agree(t, "page", page, oracle)
	t.Run("native adapter", func(t *testing.T) {
		native := recordNative(t)
		agree(t, "native adapter", native, oracle)
		agree(t, "page", page, native)
	})
}

// TestWithoutWebGPU takes WebGPU from the page: the CPU answers, and a
// notice says what was lost.
func TestWithoutWebGPU(t *testing.T) {
	program := chromium.Build(t, "github.com/realm-webgpu/realm/e2e/transcript/record")
	oracle := record(t, "cpu:exact")
	for _, c := range []struct{ name, before string }{
		{"this browser has no WebGPU", `Object.defineProperty(navigator, "gpu", { value: undefined });`},
		{"no adapter", `navigator.gpu.requestAdapter = async () => null;`},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := recordInPage(t, chromium.Program{File: program, Before: c.before})
			if page.Device.Backend != "cpu" || len(page.Notices) != 1 || !strings.Contains(page.Notices[0], c.name) || !strings.Contains(page.Notices[0], "computing on the CPU") {
				t.Errorf("on %s, with notices %q; want the CPU and one notice of it and of why", page.Device.Backend, page.Notices)
			}
			agree(t, "page", page, oracle)
		})
	}
}

// record makes a transcript natively.
func record(t *testing.T, name string) *transcript.Transcript {
	t.Helper()
	made, err := transcript.Record(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// recordNative makes a transcript on the native adapter. Without one the test is
// skipped, loudly, or fails where REALM_REQUIRE_GPU is set.
func recordNative(t *testing.T) *transcript.Transcript {
	t.Helper()
	made, err := transcript.Record(t.Context(), "webgpu")
	if errors.Is(err, device.ErrNotFound) && os.Getenv("REALM_REQUIRE_GPU") == "" {
		t.Skipf("NOT TESTED, there is no WebGPU adapter (Debian: apt install mesa-vulkan-drivers): %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// recordInPage runs record in a page.
func recordInPage(t *testing.T, p chromium.Program) *transcript.Transcript {
	t.Helper()
	var written []string
	if status := p.Run(t, func(line string) { written = append(written, line) }); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, strings.Join(written, "\n"))
	}
	var made transcript.Transcript
	if err := json.Unmarshal([]byte(strings.Join(written, "\n")), &made); err != nil {
		t.Fatalf("%v in:\n%s", err, strings.Join(written, "\n"))
	}
	return &made
}

// agree holds a transcript against another.
func agree(t *testing.T, name string, got, want *transcript.Transcript) {
	t.Helper()
	if len(want.Answers) == 0 || len(got.Answers) != len(want.Answers) {
		t.Fatalf("%s: %d answers, want %d", name, len(got.Answers), len(want.Answers))
	}
	worst := 0.0
	for _, w := range want.Answers {
		g := got.Answer(w.Model, w.Question)
		if g == nil || len(g.Logits) != len(w.Logits) {
			t.Fatalf("%s: %s was not asked %q, or has other logits", name, w.Model, w.Question)
		}
		if g.Text != w.Text {
			t.Errorf("%s: %s says to %q: %q, want %q", name, w.Model, w.Question, g.Text, w.Text)
		}
		nmse := distance(g.Logits, w.Logits)
		if !(nmse <= boundModel) {
			t.Errorf("%s: %s, %q: logits have an NMSE of %.3g, over %.3g", name, w.Model, w.Question, nmse, boundModel)
		}
		worst = max(worst, nmse)
	}
	t.Logf("%s (%s) and %s (%s): %d answers, NMSE up to %.2g", name, got.Device.Name, want.Device.Backend, want.Device.Name, len(want.Answers), worst)
}

// distance is the normalised mean square error sum (a-b)² / sum b².
func distance(a, b []float32) float64 {
	var errors, squares float64
	for i := range b {
		e := float64(a[i]) - float64(b[i])
		errors += e * e
		squares += float64(b[i]) * float64(b[i])
	}
	return errors / squares
}
