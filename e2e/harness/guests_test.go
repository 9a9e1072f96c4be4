package harness

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestExamples wants every example of a guest to be checked.
func TestExamples(t *testing.T) {
	entries, err := os.ReadDir("../../guest/examples")
	if err != nil {
		t.Fatal(err)
	}
	there := 0
	for _, e := range entries {
		name, source := strings.CutSuffix(e.Name(), ".c")
		if name == "prompt" || !source && !e.IsDir() {
			continue // what all of them begin with
		}
		there++
		if !slices.ContainsFunc(examples, func(x example) bool { return x.name == name }) {
			t.Errorf("the example %s is not checked", name)
		}
	}
	if there != len(examples) {
		t.Errorf("%d examples are checked, and there are %d", len(examples), there)
	}
}
