package shaders

import (
	"errors"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// TestComposeMatMul composes the matrix product of every format and tile, and
// looks that no template action is left in the text.
func TestComposeMatMul(t *testing.T) {
	for _, f := range quant.All() {
		for _, columns := range []int{1, 4} {
			for _, slices := range []int{1, 8} {
				text, err := Compose("matmul", f, Constants{"Vectors": 2, "Columns": columns, "Lanes": 8, "Slices": slices, "Bias": 0, "Bounded": 0, "Experts": 0, "Adapted": 0})
				if err != nil {
					t.Fatalf("%s: %v", f.Name, err)
				}
				if strings.Contains(text, "{{") || strings.Contains(text, "<no value>") {
					t.Errorf("%s: the text has template actions left", f.Name)
				}
				if got := strings.Count(text, "workgroupBarrier()"); got != min(slices-1, 1) {
					t.Errorf("%s slices=%d: %d barriers", f.Name, slices, got)
				}
			}
		}
	}
}

func TestComposeErrors(t *testing.T) {
	if _, err := Compose("fft", nil, nil); !errors.Is(err, ErrKernel) {
		t.Errorf("unknown kernel: %v", err)
	}
	if _, err := Compose("attention", nil, Constants{"HeadDim": 64}); !errors.Is(err, ErrKernel) {
		t.Errorf("missing constant: %v", err)
	}
}

// TestHouseRules holds kernels to what every compiler takes.
func TestHouseRules(t *testing.T) {
	for _, name := range Kernels() {
		text, err := kernelFiles.ReadFile("kernels/" + name + ".wgsl")
		if err != nil {
			t.Fatal(err)
		}
		for _, forbidden := range []string{"enable ", "override ", "subgroup", "dot4I8Packed"} {
			if strings.Contains(string(text), forbidden) {
				t.Errorf("%s uses %q, which wgpu-native does not take", name, forbidden)
			}
		}
		if !strings.HasPrefix(string(text), "// ") {
			t.Errorf("%s does not say what it computes", name)
		}
	}
}
