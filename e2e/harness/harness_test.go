package harness_test

import (
	"os"
	"testing"

	"github.com/realm-webgpu/realm/e2e/harness"
	"github.com/realm-webgpu/realm/e2e/realm"
)

// TestChecks runs the checks that the command runs, each as a test of its own.
func TestChecks(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: the checks of the whole take minutes")
	}
	binary, err := realm.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o := harness.Options{Binary: binary, Artifacts: os.Getenv("REALM_HARNESS_ARTIFACTS")}
	for _, c := range harness.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			result := harness.One(t.Context(), o, c)
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
