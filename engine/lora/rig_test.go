package lora_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"github.com/realm-webgpu/realm/engine/gguf"
	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/shaders/quant"
)

// tensor is a tensor of a file that a test writes.
type tensor struct {
	dims   []int // the fastest first
	values []float32
}

// ramp returns a tensor of numbers that differ.
func ramp(first float32, dims ...int) tensor {
	t := tensor{dims: dims}
	n := 1
	for _, d := range dims {
		n *= d
	}
	for i := range n {
		t.values = append(t.values, first+float32(i)/64)
	}
	return t
}

// file is an adapter that a test writes.
type file struct {
	meta    map[string]gguf.Value
	tensors map[string]tensor
	format  string
}

// good is an adapter of rank 4 for one matrix of 8 by 12.
func good() *file {
	return &file{
		meta: map[string]gguf.Value{
			"general.type": gguf.Scalar("adapter"), "adapter.type": gguf.Scalar("lora"),
			"general.architecture": gguf.Scalar("llama"), "adapter.lora.alpha": gguf.Scalar(float32(8)),
		},
		tensors: map[string]tensor{
			"blk.0.attn_q.weight.lora_a": ramp(1, 12, 4), "blk.0.attn_q.weight.lora_b": ramp(-1, 4, 8),
		},
		format: "F32",
	}
}

// bytes returns the file.
func (f *file) bytes(t testing.TB) []byte {
	t.Helper()
	meta := new(gguf.Metadata)
	for _, key := range slices.Sorted(maps.Keys(f.meta)) {
		meta.Set(key, f.meta[key])
	}
	format, ok := quant.ByName(f.format)
	if !ok {
		t.Fatalf("no format %s", f.format)
	}
	var out []gguf.Output
	for _, name := range slices.Sorted(maps.Keys(f.tensors)) {
		x := f.tensors[name]
		out = append(out, gguf.Output{Name: name, Dims: x.dims, Format: format, Data: func(w io.Writer) error {
			row, err := format.RowBytes(x.dims[0])
			if err != nil {
				return err
			}
			data := make([]byte, len(x.values)/x.dims[0]*row)
			if format.Name == "F32" { // also what no encoder takes
				if _, err := binary.Encode(data, binary.LittleEndian, x.values); err != nil {
					return err
				}
			} else if err := format.Encode(data, x.values, nil); err != nil {
				return err
			}
			_, err = w.Write(data)
			return err
		}})
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, meta, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads the adapter of a file's bytes.
func read(data []byte) (*lora.Adapter, error) {
	f, err := gguf.Read(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return lora.Read(f)
}

// target is a model with some matrices, [n_out, n_in].
func target(architecture string, matrices map[string][2]int) lora.Target {
	return lora.Target{Architecture: architecture, HeadCount: 2, HeadCountKV: 1, Matrix: func(name string) (rows, columns int, err error) {
		m, ok := matrices[name]
		if !ok {
			return 0, 0, fmt.Errorf("%w: it has no matrix %q", lora.ErrModel, name)
		}
		return m[0], m[1], nil
	}}
}

// weights returns adapter_model.safetensors. dims are the fastest first, as elsewhere.
func weights(t testing.TB, tensors map[string]tensor) []byte {
	t.Helper()
	views := map[string]safetensors.TensorView{}
	for name, x := range tensors {
		var data []byte
		for _, v := range x.values {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
		}
		var shape []uint64
		for _, d := range slices.Backward(x.dims) {
			shape = append(shape, uint64(d))
		}
		v, err := safetensors.NewTensorView(safetensors.F32, shape, data)
		if err != nil {
			t.Fatal(err)
		}
		views[name] = v
	}
	data, err := safetensors.Serialize(views, map[string]string{"format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const (
	queryA = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
	queryB = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight"
)

// halves are a pair of rank 4 for a matrix of 8 by 12.
func halves() map[string]tensor {
	return map[string]tensor{queryA: ramp(1, 12, 4), queryB: ramp(-1, 4, 8)}
}

const plain = `{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "bias": "none", "use_dora": false, "modules_to_save": null, "init_lora_weights": true}`
