package gguf

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/realm-webgpu/realm/shaders/quant"
)

// header reads what stands before the data section.
type header struct {
	*decoder
	file    *File
	pairs   int
	infos   int
	formats map[uint32]*quant.Format

	alignmentAt int64 // offset of the value of general.alignment, for errors
	relative    []relativeOffset
}

// relativeOffset is a tensor's place in the data section, whose start is known
// only after the last tensor info.
type relativeOffset struct {
	at  int64  // where the header has it
	off uint64 // bytes from the start of the data section
}

func read(src Source) (*File, error) {
	h := &header{
		decoder: newDecoder(src),
		file:    &File{Metadata: new(Metadata), byName: make(map[string]*Tensor), sources: []Source{src}},
		formats: make(map[uint32]*quant.Format),
	}
	for _, f := range quant.All() {
		h.formats[f.ID] = f
	}
	for _, part := range []func() error{h.preamble, h.metadata, h.tensorInfos, h.place} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	return h.file, nil
}

// fault is an error at the next byte: a failed decoder method stays there.
func (h *header) fault(field string, err error) error { return faultAt(h.off, field, err) }

func faultAt(off int64, field string, err error) error {
	return &FormatError{Field: field, Offset: off, Err: err}
}

// preamble reads the first 24 bytes.
func (h *header) preamble() error {
	magic, err := h.peek(4)
	if err != nil {
		return h.fault("magic", fmt.Errorf("%w: %w", ErrMagic, err))
	}
	switch string(magic) {
	case "GGUF":
	case "FUGG":
		return h.fault("magic", ErrBigEndian)
	default:
		return h.fault("magic", fmt.Errorf("%w: starts with %q", ErrMagic, magic))
	}
	h.off += 4

	at := h.off
	if h.file.Version, err = h.u32(); err != nil {
		return h.fault("version", err)
	}
	switch v := h.file.Version; {
	case v == 2 || v == 3:
	case v != 0 && v&0xffff == 0: // a small number with its bytes swapped
		return faultAt(at, "version", ErrBigEndian)
	default:
		return faultAt(at, "version", fmt.Errorf("%w: %d, want 2 or 3", ErrVersion, v))
	}

	if h.infos, err = h.count(MaxTensors, minInfoBytes); err != nil {
		return h.fault("number of tensors", err)
	}
	if h.pairs, err = h.count(MaxMetadata, minPairBytes); err != nil {
		return h.fault("number of metadata pairs", err)
	}
	return nil
}

func (h *header) metadata() error {
	for i := range h.pairs {
		keyAt := h.off
		key, err := h.name(MaxKeyBytes)
		if err != nil {
			return h.fault(fmt.Sprintf("metadata %d key", i), err)
		}
		if h.file.Has(key) {
			return faultAt(keyAt, fmt.Sprintf("metadata %d key", i), fmt.Errorf("%w: %.100q", ErrDuplicate, key))
		}
		t, err := h.valueType()
		if err != nil {
			return h.fault(fmt.Sprintf("metadata %.100q type", key), err)
		}
		if key == alignmentKey {
			h.alignmentAt = h.off
		}
		v, err := h.value(t)
		if err != nil {
			return h.fault(fmt.Sprintf("metadata %.100q value", key), err)
		}
		h.file.Set(key, v)
	}
	var err error
	if h.file.Alignment, err = alignment(h.file.Metadata); err != nil {
		return faultAt(h.alignmentAt, fmt.Sprintf("metadata %q value", alignmentKey), err)
	}
	return nil
}

// name reads a string that may not be empty.
func (h *header) name(limit int) (string, error) {
	at := h.off
	s, err := h.string(limit)
	if err == nil && s == "" {
		h.off = at
		err = fmt.Errorf("%w: empty", ErrMalformed)
	}
	return s, err
}

func (h *header) tensorInfos() error {
	for i := range h.infos {
		if err := h.tensorInfo(i); err != nil {
			return err
		}
	}
	return nil
}

func (h *header) tensorInfo(i int) error {
	nameAt := h.off
	name, err := h.name(MaxNameBytes)
	if err != nil {
		return h.fault(fmt.Sprintf("tensor %d name", i), err)
	}
	if h.file.HasTensor(name) {
		return faultAt(nameAt, fmt.Sprintf("tensor %d name", i), fmt.Errorf("%w: %q", ErrDuplicate, name))
	}
	t := &Tensor{Name: name, src: h.src}
	field := func(what string) string { return fmt.Sprintf("tensor %q %s", name, what) }

	dimsAt := h.off
	if t.Dims, err = h.dims(); err != nil {
		return h.fault(field("dimensions"), err)
	}
	if _, err := elements(t.Dims); err != nil {
		return faultAt(dimsAt, field("dimensions"), err)
	}
	if t.TypeID, err = h.u32(); err != nil {
		return h.fault(field("type"), err)
	}
	if t.Format = h.formats[t.TypeID]; t.Format != nil {
		if t.Size, err = dataSize(t.Format, t.Dims); err != nil {
			return faultAt(dimsAt, field("dimensions"), err)
		}
	}
	offsetAt := h.off
	off, err := h.u64()
	if err != nil {
		return h.fault(field("offset"), err)
	}
	if off%uint64(h.file.Alignment) != 0 {
		return faultAt(offsetAt, field("offset"),
			fmt.Errorf("%w: %d is not a multiple of the alignment of %d bytes", ErrMalformed, off, h.file.Alignment))
	}
	h.relative = append(h.relative, relativeOffset{at: offsetAt, off: off})
	h.file.Tensors = append(h.file.Tensors, t)
	h.file.byName[name] = t
	return nil
}

// dims reads the number of dimensions and the dimensions.
func (h *header) dims() ([]int, error) {
	n, err := h.u32()
	if err != nil {
		return nil, err
	}
	if n == 0 || n > MaxDims {
		h.off -= 4
		return nil, fmt.Errorf("%w: %d of them, want 1 to %d", ErrMalformed, n, MaxDims)
	}
	dims := make([]int, n)
	for i := range dims {
		d, err := h.u64()
		if err != nil {
			return nil, err
		}
		if d == 0 || d > math.MaxInt {
			h.off -= 8
			return nil, fmt.Errorf("%w: dimension %d is %d", ErrMalformed, i, d)
		}
		dims[i] = int(d)
	}
	return dims, nil
}

// place finds the data section and checks that every tensor lies inside the
// file. Of a tensor whose type is not known, only the start is checked.
func (h *header) place() error {
	start := alignUp(h.off, h.file.Alignment)
	section := max(0, h.src.Size()-start) // bytes
	for i, t := range h.file.Tensors {
		rel := h.relative[i]
		if rel.off > uint64(section) || t.Size > section-int64(rel.off) {
			return faultAt(rel.at, fmt.Sprintf("tensor %q offset", t.Name),
				fmt.Errorf("%w: %d bytes at %d of a data section of %d", ErrTruncated, t.Size, rel.off, section))
		}
		t.Offset = start + int64(rel.off)
	}
	return h.overlaps()
}

// overlaps refuses tensors that share bytes, as nothing that writes files makes them.
func (h *header) overlaps() error {
	order := make([]int, len(h.file.Tensors))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return cmp.Compare(h.file.Tensors[i].Offset, h.file.Tensors[j].Offset)
	})
	var before *Tensor // the one that ends last
	for _, i := range order {
		t := h.file.Tensors[i]
		if before != nil && t.Size > 0 && t.Offset < before.Offset+before.Size {
			return faultAt(h.relative[i].at, fmt.Sprintf("tensor %q offset", t.Name),
				fmt.Errorf("%w: %d is inside of tensor %q", ErrMalformed, h.relative[i].off, before.Name))
		}
		if before == nil || t.Offset+t.Size > before.Offset+before.Size {
			before = t
		}
	}
	return nil
}
