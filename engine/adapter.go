package engine

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine/lora"
	"github.com/realm-webgpu/realm/engine/model"
)

// Adapter is a low-rank adapter of a model, on its device. However often it is
// loaded it is there once; sequences of many adapters, and of none, ride in the same
// steps.
type Adapter struct {
	model  *Model
	slot   *model.Slot
	closed sync.Once
}

// LoadAdapter reads the adapter at path, llama.cpp's GGUF file or PEFT's folder, and
// puts it on the device, where it stays until Close and the end of the sequences
// that use it; and after that until its memory is needed. Errors: those of
// [lora.Open]; lora.ErrModel and lora.ErrUnsupported for one that does not fit the
// model, naming the tensor; a device.MemoryError where Options.AdapterMemory or the
// device has no room, and those that are there are in use; ErrClosed, ctx.Err().
func (m *Model) LoadAdapter(ctx context.Context, path string) (*Adapter, error) {
	key, state, err := fingerprint(path)
	if err != nil {
		return nil, fmt.Errorf("engine: load adapter: %w", err)
	}
	m.files.Lock()
	known, ok := m.files.hashes[key]
	m.files.Unlock()
	if ok && known.state == state {
		if slot := m.adapters.Find(known.hash); slot != nil {
			return &Adapter{model: m, slot: slot}, nil
		}
	}
	a, err := lora.Open(path)
	if err != nil {
		return nil, fmt.Errorf("engine: load adapter: %w", err)
	}
	loaded, err := m.AddAdapter(ctx, a)
	if err == nil {
		m.files.remember(key, adapterFile{state, loaded.slot.Hash()})
	}
	return loaded, err
}

// AddAdapter is LoadAdapter for an adapter that was read already.
func (m *Model) AddAdapter(ctx context.Context, a *lora.Adapter) (*Adapter, error) {
	if err := m.core.Usable(); err != nil {
		return nil, fmt.Errorf("engine: load adapter: %w", err)
	}
	fitted, err := a.Fit(m.AdapterTarget())
	if err != nil {
		return nil, fmt.Errorf("engine: load adapter: %w", err)
	}
	var slot *model.Slot
	err = m.engine.again(ctx, func() (err error) {
		slot, err = m.adapters.Load(ctx, fitted)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("engine: load adapter: %w", err)
	}
	return &Adapter{model: m, slot: slot}, nil
}

// AdapterTarget returns the model as adapters are held to it: which of its matrices take
// one, and their sizes.
func (m *Model) AdapterTarget() lora.Target { return m.model.AdapterTarget() }

// Model returns the model of the adapter.
func (a *Adapter) Model() *Model { return a.model }

// Hash returns the SHA-256 of what the adapter adds to the model.
func (a *Adapter) Hash() [32]byte { return a.slot.Hash() }

// Close gives the adapter up. Sequences that use it go on.
func (a *Adapter) Close() { a.closed.Do(a.slot.Release) }

// UseAdapter has the sequence read and written with an adapter, whose change is
// multiplied by scale: 1 is what it was trained for. Forks have it too, and what was
// read with one is never used for another. It is for a sequence without tokens; nil
// takes it away again. Errors: ErrOption for an adapter of another model, a scale
// that is not finite, or a sequence with tokens; ErrAdapter for an adapter that was
// closed; ErrBusy, ErrClosed.
func (s *Sequence) UseAdapter(a *Adapter, scale float32) error {
	if a == nil {
		return s.core.UseAdapter(nil, 0)
	}
	if a.model != s.model {
		return fmt.Errorf("engine: use adapter: one of another model: %w", ErrOption)
	}
	return s.core.UseAdapter(a.slot, scale)
}

// Adapter returns the hash of the sequence's adapter, and its scale. ok is false
// where there is none.
func (s *Sequence) Adapter() (hash [32]byte, scale float32, ok bool) {
	slot, scale := s.core.Adapter()
	if slot == nil {
		return hash, 0, false
	}
	return slot.Hash(), scale, true
}

// AdapterUsage says what adapters take.
type AdapterUsage = model.AdapterUsage

// AdapterUsage returns what the adapters of the model take now.
func (m *Model) AdapterUsage() AdapterUsage { return m.adapters.Usage() }

// AdapterMemory returns the bytes that the adapters of all models take, and
// Options.AdapterMemory.
func (e *Engine) AdapterMemory() (used, limit int64) { return e.adapterBudget.State() }

// adapterFiles remembers what was in files, so that an adapter that is on the device
// need not be read to be found there.
type adapterFiles struct {
	sync.Mutex
	hashes map[string]adapterFile
}

type adapterFile struct {
	state fileState
	hash  [32]byte
}

// fileState tells whether files have changed.
type fileState struct {
	size     int64
	modified time.Time
}

// maxAdapterFiles bounds what is remembered.
const maxAdapterFiles = 4096

func (f *adapterFiles) remember(key string, file adapterFile) {
	f.Lock()
	defer f.Unlock()
	if f.hashes == nil || len(f.hashes) >= maxAdapterFiles {
		f.hashes = map[string]adapterFile{}
	}
	f.hashes[key] = file
}

// fingerprint returns a name and the state of the file, or of all in the folder.
func fingerprint(path string) (key string, state fileState, err error) {
	if key, err = filepath.Abs(path); err != nil {
		return "", fileState{}, err
	}
	add := func(info fs.FileInfo) {
		state.size += info.Size()
		if info.ModTime().After(state.modified) {
			state.modified = info.ModTime()
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", fileState{}, err
	}
	add(info)
	if !info.IsDir() {
		return key, state, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", fileState{}, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return "", fileState{}, err
		}
		add(info)
	}
	return key, state, nil
}
