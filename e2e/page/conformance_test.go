package page

import (
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
	"github.com/realm-webgpu/realm/engine/device/conformance"
	"github.com/realm-webgpu/realm/hostfn/browser/script"
)

// What a Go test writes about its tests: from here on it speaks of one, and what
// became of one.
var (
	turn    = regexp.MustCompile(`^=== (?:RUN|CONT|NAME)\s+(\S+)`)
	verdict = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+) \(`)
)

// TestConformance runs the tests of the WebGPU device in a page, the whole
// conformance suite among them: on the page's own WebGPU, whose WGSL compiler is
// not the native one, with WebGPU's default limits.
func TestConformance(t *testing.T) {
	verdicts := runTests(t, chromium.Program{
		File: chromium.BuildTest(t, "github.com/realm-webgpu/realm/engine/device/webgpu"),
		Args: []string{"-test.v", "-test.short"},
	})
	for _, c := range conformance.Cases(conformance.Small) {
		if v := verdicts["TestConformance/"+c.Name]; v != "PASS" && v != "SKIP" {
			t.Errorf("%s: %q in the page, want PASS", c.Name, v)
		}
	}
}

// TestGuests runs the tests of guests on the browser's own WebAssembly.
func TestGuests(t *testing.T) {
	verdicts := runTests(t, chromium.Program{
		File:   chromium.BuildTest(t, "github.com/realm-webgpu/realm/hostfn/browser"),
		Args:   []string{"-test.v"},
		Before: string(script.Text()),
	})
	for _, test := range []string{"TestAnswer", "TestHostile", "TestHostile/endless_memory", "TestCancelled"} {
		if verdicts[test] != "PASS" {
			t.Errorf("%s: %q in the page, want PASS", test, verdicts[test])
		}
	}
}

// runTests runs the tests of a package in a page and returns what became of each.
func runTests(t *testing.T, program chromium.Program) map[string]string {
	t.Helper()
	verdicts := map[string]string{}
	said := map[string][]string{} // by each test
	last := ""                    // the test that speaks
	status := program.Run(t, func(line string) {
		if m := turn.FindStringSubmatch(line); m != nil {
			last = m[1]
		} else if m := verdict.FindStringSubmatch(line); m != nil {
			verdicts[m[2]] = m[1]
			t.Log(line)
		} else {
			said[last] = append(said[last], line)
		}
	})
	for test, v := range verdicts {
		if v == "FAIL" {
			t.Errorf("%s in the page:\n%s", test, strings.Join(said[test], "\n"))
		}
	}
	if status != 0 {
		t.Errorf("exit status %d; the last was %s:\n%s", status, last, strings.Join(said[last], "\n"))
	}
	return verdicts
}
