package memory64

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/hostfn/wasm/wat"
)

// testsuite is the variable that names a folder with the official tests.
const testsuite = "REALM_WASM_TESTSUITE"

// counts are the assertions of a file that pass and that are skipped, with the
// reason.
type counts struct {
	passed, skipped int
	reason          string
}

// Why assertions are skipped.
const (
	textOnly = "malformed text: it has no binary form"
	garbage  = "type of array: garbage collection is not supported"
)

// suite are the files of the test-suite that have 64-bit memories or tables, and
// what comes of each, on every engine. Another count is a failure, so that nothing
// is lost in silence.
var suite = map[string]counts{
	"address64":           {passed: 238},
	"align64":             {passed: 85, skipped: 46, reason: textOnly},
	"binary_leb128_64":    {passed: 1},
	"bulk64":              {passed: 45},
	"call_indirect64":     {passed: 1},
	"endianness64":        {passed: 68},
	"float_memory64":      {passed: 60},
	"load64":              {passed: 83, skipped: 13, reason: textOnly},
	"memory64":            {passed: 59},
	"memory64-imports":    {passed: 30},
	"memory_copy64":       {passed: 4402},
	"memory_fill64":       {passed: 84},
	"memory_grow64":       {passed: 45},
	"memory_init64":       {passed: 209},
	"memory_redundancy64": {passed: 4},
	"memory_trap64":       {passed: 170},
	"table64":             {passed: 2},
	"table_copy64":        {passed: 1649},
	"table_copy_mixed":    {passed: 3},
	"table_fill64":        {passed: 79},
	"table_get64":         {passed: 9},
	"table_grow64":        {passed: 21},
	"table_init64":        {passed: 821, skipped: 1, reason: garbage},
	"table_set64":         {passed: 18},
	"table_size64":        {passed: 36},
}

// commandsOf reads a file of the test-suite.
func commandsOf(t *testing.T, name string) []wat.Node {
	t.Helper()
	folder := os.Getenv(testsuite)
	if folder == "" {
		t.Skipf("NOT TESTED: set %s to a checkout of https://github.com/WebAssembly/testsuite", testsuite)
	}
	text, err := os.ReadFile(filepath.Join(folder, name+".wast"))
	if err != nil {
		t.Fatal(err)
	}
	commands, err := wat.Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return commands
}

// runScript runs a file, and reports what fails.
func runScript(t *testing.T, e engine, name string, commands []wat.Node) *script {
	t.Helper()
	s, err := newScript(e)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.run(commands)
	for _, f := range s.failures {
		t.Errorf("%s.wast: %s", name, f)
	}
	return s
}

// TestSuite runs the official tests of 64-bit memories and tables.
func TestSuite(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(suite)) {
		commands := commandsOf(t, name)
		for _, e := range engines {
			t.Run(name+"/"+e.path(), func(t *testing.T) {
				s := runScript(t, e, name, commands)
				want, got := suite[name], counts{passed: s.passed}
				for reason, n := range s.skipped {
					got.skipped += n
					got.reason = strings.TrimPrefix(fmt.Sprintf("%s; %s", got.reason, reason), "; ")
				}
				if got != want {
					t.Errorf("%s.wast: %d passed, %d skipped (%s); want %d, %d (%s)",
						name, got.passed, got.skipped, got.reason, want.passed, want.skipped, want.reason)
				}
			})
		}
	}
}
