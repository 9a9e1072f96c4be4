//go:build cgo && linux && amd64

package simd_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/realm-webgpu/realm/engine/device/cpu/simd"
	"github.com/realm-webgpu/realm/shaders/quant"
)

var update = flag.Bool("update", false, "write the instructions that are counted to testdata/instructions.json")

const instructionsGolden = "testdata/instructions.json"

// instructions are those of a weight by a column, times 1,000, by format, with one column
// and with eight, as a compiler makes them.
type instructions struct {
	Compiler string            `json:"compiler"`
	Formats  map[string][2]int `json:"thousandths_a_weight_and_column"`
}

// countedColumns are the columns that a product has: of a text, and of eight.
var countedColumns = [2]int{1, 8}

// collected is what callgrind says at its end.
var collected = regexp.MustCompile(`Collected : ([0-9]+)`)

// TestInstructions holds the products to the instructions that they took when that was
// last looked at, 2 % more or less. It counts those of the AVX2 kernels, which valgrind
// knows, and which are the same source as the others.
func TestInstructions(t *testing.T) {
	for _, tool := range []string{"cc", "valgrind"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("NOT TESTED: there is no %s (Debian: apt install %s)", tool, tool)
		}
	}
	version, err := exec.Command("cc", "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	got := instructions{Compiler: string(bytes.SplitN(version, []byte("\n"), 2)[0]), Formats: map[string][2]int{}}
	var want instructions
	text, err := os.ReadFile(instructionsGolden)
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	switch {
	case *update:
	case err != nil:
		t.Fatal(err)
	case want.Compiler != got.Compiler:
		t.Skipf("NOT TESTED: the compiler is %q, and instructions are known of %q", got.Compiler, want.Compiler)
	}
	program := filepath.Join(t.TempDir(), "instructions")
	build := exec.Command("cc", "-std=c11", "-O3", "-Wno-psabi", "-o", program, "avx2.c", "testdata/instructions.c", "-lm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range quantised() {
		var counts [2]int
		for i, columns := range countedColumns {
			counts[i] = countInstructions(t, program, f, columns)
			known, ok := want.Formats[f.Name]
			switch off := float64(counts[i])/float64(known[i]) - 1; {
			case *update:
			case !ok:
				t.Errorf("%s: nothing is known of it (-update)", f.Name)
			case math.Abs(off) > 0.02:
				t.Errorf("%s, %d columns: %d thousandths of an instruction a weight and column, and it was %d: -update takes it over, if that is meant", f.Name, columns, counts[i], known[i])
			}
		}
		got.Formats[f.Name] = counts
		t.Logf("%-5s %.2f instructions a weight, %.2f a weight and column with eight", f.Name, float64(counts[0])/1000, float64(counts[1])/1000)
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(instructionsGolden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// countInstructions runs the program for a format of rows of 768 elements, and returns
// thousandths of an instruction a weight and column.
func countInstructions(t *testing.T, program string, f *quant.Format, columns int) int {
	t.Helper()
	const width, calls, rows = 768, 10, 64 // the latter two are the program's
	p, err := simd.NewPacking(f, width)
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=measured", program}
	for _, n := range append(p.Numbers(), columns) {
		args = append(args, strconv.Itoa(n))
	}
	out, err := exec.Command("valgrind", args...).CombinedOutput()
	m := collected.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%s: %v\n%s", f.Name, err, out)
	}
	n, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil || n == 0 {
		t.Fatal(fmt.Errorf("%s: %s instructions: %v", f.Name, m[1], err))
	}
	return int(math.Round(1000 * n / (calls * rows * width * float64(columns))))
}
