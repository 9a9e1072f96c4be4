package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// Store is a folder of models. Many goroutines and processes may use it at a time.
type Store struct {
	dir    string
	limits limits
}

// Open returns the store in a folder, which is made by the first Pull.
func Open(dir string) *Store { return &Store{dir: dir, limits: defaultLimits} }

// Dir is the store's folder.
func (s *Store) Dir() string { return s.dir }

func (s *Store) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

// file is the path of a file with this content.
func (s *Store) file(sha256 string) string { return s.path("files", sha256+".gguf") }

// Paths are the files of a model, in the order of its shards, for gguf.OpenSplit.
func (s *Store) Paths(m Model) []string {
	var paths []string
	for _, f := range m.Files {
		paths = append(paths, s.file(f.SHA256))
	}
	return paths
}

// Missing reports whether a file of the model is not there, or not all of it.
func (s *Store) Missing(m Model) bool {
	return slices.ContainsFunc(m.Files, func(f File) bool { return !s.has(f.SHA256, f.Size) })
}

// has reports whether a file with this content is there; of any size for -1.
func (s *Store) has(sha256 string, size int64) bool {
	info, err := os.Stat(s.file(sha256))
	return err == nil && info.Mode().IsRegular() && (size < 0 || info.Size() == size)
}

// List returns all models by name. It fails with ErrManifest.
func (s *Store) List() ([]Model, error) {
	m, err := s.readManifest()
	if err != nil {
		return nil, fmt.Errorf("store: list: %w", err)
	}
	return m.sorted(), nil
}

func (m *manifest) sorted() []Model {
	var all []Model
	for _, model := range m.Models {
		all = append(all, model)
	}
	slices.SortFunc(all, func(a, b Model) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Find returns the model of a name: that by which it was pulled, or its end from a
// slash on, with or without the quantisation or a URL's query, in any case of letters. It fails with
// ErrNotFound, with ErrAmbiguous where several have it, and with ErrManifest.
func (s *Store) Find(name string) (Model, error) {
	m, err := s.readManifest()
	if err == nil {
		var model Model
		if model, err = m.find(name); err == nil {
			return model, nil
		}
	}
	return Model{}, fmt.Errorf("store: %w", err)
}

func (m *manifest) find(name string) (Model, error) {
	if r, err := ParseReference(name); err == nil {
		if model, ok := m.Models[r.String()]; ok {
			return model, nil
		}
		name = r.String() // one way to write it
	}
	var found []Model
	var names []string
	for _, model := range m.sorted() {
		if name != "" && named(model.Name, name) {
			found, names = append(found, model), append(names, model.Name)
		}
	}
	switch len(found) {
	case 0:
		return Model{}, fmt.Errorf("%.200q: %w", name, ErrNotFound)
	case 1:
		return found[0], nil
	}
	return Model{}, &choiceError{fmt.Sprintf("%.200q", name), ErrAmbiguous, names}
}

// named reports whether a model may be called by a name.
func named(full, name string) bool {
	full, name = strings.ToLower(full), strings.ToLower(name)
	end := "?" // of a URL, what asks for something of the file
	if strings.HasPrefix(full, hubName) {
		end = ":"
	}
	short, _, _ := strings.Cut(full, end)
	for _, f := range []string{full, short} {
		if f == name || strings.HasSuffix(f, "/"+name) {
			return true
		}
	}
	return false
}

// Remove takes the model that Find finds out of the store, and the files that no
// other model has. It returns the model, and the bytes that became free.
func (s *Store) Remove(ctx context.Context, name string) (model Model, freed int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("store: remove: %w", err)
		}
	}()
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return Model{}, 0, fmt.Errorf("%.200q: %w", name, ErrNotFound)
	}
	unlock, err := s.lock(ctx, s.path("manifest.lock"), nil)
	if err != nil {
		return Model{}, 0, err
	}
	defer unlock()
	m, err := s.readManifest()
	if err != nil {
		return Model{}, 0, err
	}
	if model, err = m.find(name); err != nil {
		return Model{}, 0, err
	}
	delete(m.Models, model.Name)
	// First the name, then the files: what is named is there.
	if err := s.writeManifest(m); err != nil {
		return Model{}, 0, err
	}
	shared := map[string]bool{}
	for _, other := range m.Models {
		for _, f := range other.Files {
			shared[f.SHA256] = true
		}
	}
	for _, f := range model.Files {
		if shared[f.SHA256] {
			continue
		}
		shared[f.SHA256] = true // once, should the model have it twice
		switch err := os.Remove(s.file(f.SHA256)); {
		case err == nil:
			freed += f.Size
		case !errors.Is(err, fs.ErrNotExist):
			return model, freed, err
		}
	}
	return model, freed, nil
}

// lockPoll is how often a lock that another process holds is tried.
const lockPoll = 100 * time.Millisecond

// lock takes the lock of a file, and returns what gives it back. waiting, unless
// nil, is called when another has it.
func (s *Store) lock(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, err
	}
	for {
		l := flock.New(path)
		ok, err := l.TryLock()
		if err == nil && !ok {
			if waiting != nil {
				waiting()
				waiting = nil
			}
			ok, err = l.TryLockContext(ctx, lockPoll)
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		// The one before may have removed the file: its lock then excludes no one.
		held, errHeld := l.Stat()
		there, errThere := os.Stat(path)
		if ok && errHeld == nil && errThere == nil && os.SameFile(held, there) {
			return func() { _ = l.Unlock() }, nil // closing gives it back in any case
		}
		if err := l.Unlock(); err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}
