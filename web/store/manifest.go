package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode"
)

// Model is a model of the store.
type Model struct {
	Name  string `json:"-"` // the Reference it was pulled by
	Files []File `json:"files"`
	// What its header says. Format is that of most weights.
	Architecture string    `json:"architecture"`
	Format       string    `json:"format"`
	Parameters   int64     `json:"parameters"`
	Pulled       time.Time `json:"pulled"`
}

// Size is that of all files, in bytes.
func (m Model) Size() int64 {
	var n int64
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// File is a file of a model: all of it, or a shard.
type File struct {
	Name   string `json:"name"` // on the server, without folders
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	URL    string `json:"url"`
	validators
}

// validators tell one version of a file on a server from another: RFC 9110, 8.8.
type validators struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
}

// same reports whether two answers are of one version: by ETag, or by date where
// neither has one, as servers behind one name often disagree about dates.
func (v validators) same(w validators) bool {
	if v.ETag != "" || w.ETag != "" {
		return v.ETag == w.ETag
	}
	return v.LastModified == w.LastModified
}

// manifest is what manifest.json holds.
type manifest struct {
	Version int              `json:"version"`
	Models  map[string]Model `json:"models"` // by name
}

const manifestVersion = 1

// Limits of a manifest.
const (
	maxManifestBytes = 16 << 20
	maxShards        = 4096 // files of a model
)

// parseManifest reads a manifest. It fails with ErrManifest.
func parseManifest(data []byte) (*manifest, error) {
	m := &manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrManifest, err)
	}
	if m.Version != manifestVersion {
		return nil, fmt.Errorf("%w: version %d, this program knows %d", ErrManifest, m.Version, manifestVersion)
	}
	for name, model := range m.Models {
		if err := model.check(name); err != nil {
			return nil, fmt.Errorf("%w: model %.200q: %w", ErrManifest, name, err)
		}
		model.Name = name
		m.Models[name] = model
	}
	if m.Models == nil {
		m.Models = map[string]Model{}
	}
	return m, nil
}

// check looks at what is relied upon: names that can be printed, and hashes, of
// which paths are made.
func (m *Model) check(name string) error {
	r, err := ParseReference(name)
	if err != nil {
		return err
	}
	if r.String() != name {
		return fmt.Errorf("%w: it would be called %q", ErrReference, r)
	}
	if n := len(m.Files); n == 0 || n > maxShards {
		return fmt.Errorf("%d files, want 1 to %d", n, maxShards)
	}
	for i, f := range m.Files {
		if !hexSHA256.MatchString(f.SHA256) || f.Size < 0 {
			return fmt.Errorf("file %d: %d bytes of SHA-256 %.80q", i+1, f.Size, f.SHA256)
		}
	}
	for _, text := range []string{m.Architecture, m.Format} {
		for _, r := range text {
			if !unicode.IsPrint(r) {
				return fmt.Errorf("%.80q cannot be printed", text)
			}
		}
	}
	return nil
}

// readManifest reads the manifest of a store, which is empty where nothing was pulled.
func (s *Store) readManifest() (*manifest, error) {
	data, err := readBounded(s.path("manifest.json"), maxManifestBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest{Version: manifestVersion, Models: map[string]Model{}}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path("manifest.json"), err)
	}
	return m, nil
}

func (s *Store) writeManifest(m *manifest) error {
	return writeJSON(s.path("manifest.json"), m)
}

// readBounded reads a file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: over %d bytes", path, limit)
	}
	return data, err
}

// writeJSON replaces a file, all or not at all, also when the machine stops.
func writeJSON(path string, v any) (err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	// Those who write a file hold its lock: one temporary name is enough.
	temporary := path + ".new"
	f, err := os.Create(temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(filepath.Dir(path))
}
