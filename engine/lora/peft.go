package lora

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/nlpodyssey/safetensors"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// The files of a PEFT folder.
const (
	configFile  = "adapter_config.json"
	weightsFile = "adapter_model.safetensors"
	pickledFile = "adapter_model.bin"
)

// Bounds of the files, in bytes. The header of safetensors is JSON, which takes many
// times its bytes once it is read.
const (
	maxConfig  = 1 << 20
	maxWeights = 4 << 30
	maxHeader  = 8 << 20
)

func configPath(folder string) string { return filepath.Join(folder, configFile) }

func openFolder(folder string) (*Adapter, error) {
	config, err := readBounded(configPath(folder), maxConfig)
	if err != nil {
		return nil, fmt.Errorf("lora: open: %w", err)
	}
	weights, err := readBounded(filepath.Join(folder, weightsFile), maxWeights)
	if err != nil {
		if _, other := os.Stat(filepath.Join(folder, pickledFile)); other == nil {
			return nil, fmt.Errorf("lora: open: %s: %w: save it as %s", filepath.Join(folder, pickledFile), ErrUnsupported, weightsFile)
		}
		return nil, fmt.Errorf("lora: open: %w", err)
	}
	a, err := ReadPEFT(config, weights)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", err, folder)
	}
	if path, err := filepath.Abs(folder); err == nil {
		a.Name = filepath.Base(path)
	}
	return a, nil
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: %w: want a file of at most %d bytes", path, ErrFormat, most)
	}
	data := make([]byte, info.Size())
	_, err = io.ReadFull(f, data)
	return data, err
}

// ReadPEFT reads an adapter from the bytes of adapter_config.json and of
// adapter_model.safetensors. Its errors are those of [Open].
func ReadPEFT(config, weights []byte) (*Adapter, error) {
	a, err := readPEFT(config, weights)
	if err != nil {
		return nil, fmt.Errorf("lora: read: %w", err)
	}
	return a, nil
}

func readPEFT(config, weights []byte) (*Adapter, error) {
	c, err := parseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", configFile, err)
	}
	if len(weights) >= 8 {
		if n := binary.LittleEndian.Uint64(weights); n > maxHeader {
			return nil, fmt.Errorf("%s: %w: a header of %d bytes, at most %d", weightsFile, ErrFormat, n, maxHeader)
		}
	}
	tensors, err := safetensors.Deserialize(weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", weightsFile, ErrFormat, err)
	}
	named := tensors.Tensors()
	if n := len(named); n > MaxTensors {
		return nil, fmt.Errorf("%s: %w: %d tensors, at most %d", weightsFile, ErrLimit, n, MaxTensors)
	}
	a := &Adapter{Format: "PEFT", Alpha: c.Alpha}
	type halves struct{ a, b *matrix }
	modules := map[string]*halves{}
	for _, t := range named {
		if n := len(t.Name); n > MaxNameBytes {
			return nil, fmt.Errorf("tensor %.40q: %w: a name of %d bytes, at most %d", t.Name, ErrLimit, n, MaxNameBytes)
		}
		module, isA, err := splitModule(t.Name)
		if err != nil {
			return nil, err
		}
		m, err := decode(t)
		if err != nil {
			return nil, err
		}
		h := modules[module]
		if h == nil {
			h = &halves{}
			modules[module] = h
		}
		if isA {
			h.a = m
		} else {
			h.b = m
		}
	}
	for module, h := range modules {
		p, err := c.pair(module, h.a, h.b)
		if err != nil {
			return nil, err
		}
		a.Pairs = append(a.Pairs, p)
	}
	return a, a.finish()
}

// matrix is a tensor of two dimensions.
type matrix struct {
	name          string
	rows, columns int
	values        []float32
}

// decode returns the numbers of a tensor.
func decode(t safetensors.NamedTensorView) (*matrix, error) {
	shape := t.TensorView.Shape()
	if len(shape) != 2 {
		return nil, fmt.Errorf("tensor %q %v: %w: want two dimensions", t.Name, shape, ErrFormat)
	}
	data := t.TensorView.Data()
	format, ok := quant.ByName(t.TensorView.DType().String())
	if !ok {
		return nil, fmt.Errorf("tensor %q: %w: elements of type %s", t.Name, ErrUnsupported, t.TensorView.DType())
	}
	// The shape is that of the data: its product is countable, save beside a zero.
	if shape[0] == 0 || shape[1] == 0 || shape[0] > math.MaxInt32 || shape[1] > math.MaxInt32 {
		return nil, fmt.Errorf("tensor %q %v: %w: a shape that is none", t.Name, shape, ErrFormat)
	}
	m := &matrix{name: t.Name, rows: int(shape[0]), columns: int(shape[1])}
	m.values = make([]float32, m.rows*m.columns)
	if err := format.Decode(m.values, data); err != nil {
		return nil, fmt.Errorf("tensor %q: %w: %w", t.Name, ErrFormat, err)
	}
	return m, nil
}

// The ends of PEFT's names.
const (
	moduleA = ".lora_A.weight"
	moduleB = ".lora_B.weight"
)

// splitModule returns the module that a tensor belongs to, without the prefix that
// PEFT's wrapper gives it, and which half it is.
func splitModule(tensor string) (module string, isA bool, err error) {
	name := strings.TrimPrefix(tensor, "base_model.model.")
	if module, ok := strings.CutSuffix(name, moduleA); ok {
		return module, true, nil
	}
	if module, ok := strings.CutSuffix(name, moduleB); ok {
		return module, false, nil
	}
	what := ""
	switch {
	case strings.Contains(name, "lora_magnitude_vector"):
		what = "DoRA"
	case strings.Contains(name, "lora_embedding_"):
		what = "an adapter of an embedding"
	case strings.Contains(name, "embed_tokens") || strings.Contains(name, "lm_head"):
		what = "an embedding or an output that was saved whole"
	case strings.HasSuffix(name, ".bias"):
		what = "a bias that was trained"
	case strings.Contains(name, "norm"):
		what = "a norm that was trained"
	default:
		return "", false, fmt.Errorf("tensor %q: %w: its name ends in neither %s nor %s", tensor, ErrFormat, moduleA, moduleB)
	}
	return "", false, fmt.Errorf("tensor %q: %w: %s", tensor, ErrUnsupported, what)
}
