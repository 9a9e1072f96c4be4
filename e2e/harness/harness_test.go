package harness_test

import (
	"os"
	"testing"

	"github.com/realm-webgpu/realm/e2e/harness"
)

// TestChecks runs the checks that the command runs, each as a test of its own.
func TestChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: the checks of the whole take minutes")
	}
	h, err := harness.New(t.Context(), harness.Options{Artifacts: os.Getenv("REALM_HARNESS_ARTIFACTS")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range harness.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			result := h.Check(t.Context(), c)
			for _, note := range result.Notes {
				t.Log(note)
			}
			switch result.Status {
			case harness.Skipped:
				t.Skip(result.Error)
			case harness.Failed:
				t.Error(result.Error)
			}
		})
	}
}
