package e2e

import (
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/engine/device/conformance"
)

// verdict is a line of a Go test's output about one test.
var verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)

// TestPageConformance runs the tests of the WebGPU device in a page, the whole
// conformance suite among them: on the page's own WebGPU, whose WGSL compiler is
// not the native one, with WebGPU's default limits.
func TestPageConformance(t *testing.T) {
	program := chromium.Program{
		File: chromium.BuildTest(t, "github.com/realm-webgpu/realm/engine/device/webgpu"),
		Args: []string{"-test.v", "-test.short"},
	}
	verdicts := map[string]string{}
	var about []string // the lines since the last test began
	status := program.Run(t, func(line string) {
		if strings.HasPrefix(line, "=== RUN") {
			about = about[:0]
		}
		about = append(about, line)
		m := verdict.FindStringSubmatch(line)
		if m == nil {
			return
		}
		verdicts[m[2]] = m[1]
		t.Log(line)
		if m[1] == "FAIL" {
			t.Errorf("%s", strings.Join(about, "\n"))
		}
	})
	if status != 0 {
		t.Errorf("exit status %d; the last that was written:\n%s", status, strings.Join(about, "\n"))
	}
	for _, c := range conformance.Cases(conformance.Small) {
		if v := verdicts["TestConformance/"+c.Name]; v != "PASS" && v != "SKIP" {
			t.Errorf("%s: %q in the page, want PASS", c.Name, v)
		}
	}
}
