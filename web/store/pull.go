package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// Stage is what is being done with a file.
type Stage string

const (
	Downloading Stage = "downloading"
	Checking    Stage = "checking"
)

// Progress is told how many bytes of a file are done; total is -1 where it is not
// known. It is called often, by one goroutine at a time.
type Progress func(file string, stage Stage, done, total int64)

// PullOptions say how to pull.
type PullOptions struct {
	// Hub is the base of the addresses of hf.co/..., "" for Hugging Face itself.
	Hub string
	// Token opens private repositories; it is shown to Hub alone, "" for none.
	Token string

	Progress Progress          // nil: nobody wants to know
	Notice   func(line string) // of what is waited for or done again; nil: nobody wants to know
}

// Pull has a model in the store. What is there already is not read again, and what
// a Pull before it has left unfinished is gone on with. Other than a broken
// connection, an error ends it, and leaves the store as it was.
//
// Errors: ErrNoFile and ErrAmbiguous where the reference does not say what to pull,
// a StatusError of the server, ErrHash, ErrSpace, ErrChanged, ErrProtocol,
// ErrManifest, those of package gguf where what was pulled is no model, those of
// the network and the disk, and ctx.Err(). They name the URL.
func (s *Store) Pull(ctx context.Context, r Reference, o PullOptions) (Model, error) {
	m, err := s.pull(ctx, r, o)
	var status *StatusError
	if errors.As(err, &status) && r.URL == nil {
		err = fmt.Errorf("%w%s", err, status.hint(o.Token != ""))
	}
	if err != nil {
		return Model{}, fmt.Errorf("store: pull: %w", err)
	}
	return m, nil
}

func (s *Store) pull(ctx context.Context, r Reference, o PullOptions) (Model, error) {
	base, err := parseHubURL(o.Hub)
	if err != nil {
		return Model{}, err
	}
	token := strings.TrimSpace(o.Token)
	c := newClient(s.limits, base, token, oneAtATime(o.Notice))
	defer c.close()
	sources, r, err := s.sources(ctx, r, &hub{c, base})
	if err != nil {
		return Model{}, err
	}
	p := &pulling{store: s, client: c, model: Model{Name: r.String()}, show: serial(o.Progress)}
	defer p.close()
	if err := p.files(ctx, sources); err != nil {
		return Model{}, err
	}
	if err := p.describe(); err != nil {
		return Model{}, errors.Join(err, p.discard())
	}
	return p.model, p.commit(ctx)
}

// sources are the files that a reference stands for, and the reference in full.
func (s *Store) sources(ctx context.Context, r Reference, h *hub) ([]source, Reference, error) {
	if r.URL == nil {
		return h.sources(ctx, r)
	}
	one := source{name: path.Base(r.URL.Path), url: r.URL.String(), size: -1, sha256: r.SHA256}
	stem, no, count, split := cutShard(r.URL.Path)
	if !split || count == 1 {
		return []source{one}, r, nil
	}
	if no != 1 || count > maxShards {
		return nil, r, fmt.Errorf("%s: %w: it is shard %d of %d: give the first, of %d at most", r, ErrReference, no, count, maxShards)
	}
	var sources []source
	for i := range count {
		u := *r.URL
		u.Path, u.RawPath = joinShard(stem, i+1, count), ""
		sources = append(sources, source{name: path.Base(u.Path), url: u.String(), size: -1})
	}
	return sources, r, nil
}

// oneAtATime returns f, or what does nothing, for many goroutines.
func oneAtATime(f func(string)) func(string) {
	var mu sync.Mutex
	return func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if f != nil {
			f(line)
		}
	}
}

func serial(f Progress) Progress {
	var mu sync.Mutex
	return func(file string, stage Stage, done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		if f != nil {
			f(file, stage, done, total)
		}
	}
}

// pulling is a model on its way to the store. Its files stay in downloads, locked,
// until all are there.
type pulling struct {
	store  *Store
	client *client
	model  Model
	show   Progress

	paths  []string          // of the model's files, now
	parts  map[string]string // from the hash of a file to the base of its part
	unlock []func()
}

func (p *pulling) close() {
	for _, unlock := range p.unlock {
		unlock()
	}
}

// files has all files in downloads or in the store.
func (p *pulling) files(ctx context.Context, sources []source) error {
	if err := os.MkdirAll(p.store.path("downloads"), 0o777); err != nil {
		return err
	}
	var all int64
	for _, s := range sources {
		if s.size > 0 && (s.sha256 == "" || !p.store.has(s.sha256, s.size)) {
			all += s.size - p.begun(s)
		}
	}
	if err := enoughSpace(p.store.path("downloads", "x"), all); err != nil {
		return fmt.Errorf("%s: %w", p.model.Name, err)
	}
	p.parts = map[string]string{}
	for _, s := range sources {
		f, err := p.file(ctx, s)
		if err != nil {
			return err
		}
		p.model.Files = append(p.model.Files, f)
	}
	return nil
}

// begun is how much of a file is there already, in bytes.
func (p *pulling) begun(s source) int64 {
	data, err := readBounded(p.base(s)+".json", maxStateBytes)
	if err != nil {
		return 0 // it is looked at again before it is read
	}
	before, _ := parseState(data)
	return min(before.Done.bytes(), s.size)
}

// base of the paths of a file in downloads.
func (p *pulling) base(s source) string {
	key := sha256.Sum256([]byte(s.url))
	return p.store.path("downloads", hex.EncodeToString(key[:16]))
}

// file has one file, from the store or from its server.
func (p *pulling) file(ctx context.Context, s source) (File, error) {
	base := p.base(s)
	unlock, err := p.store.lock(ctx, base+".lock", func() {
		p.client.notice(s.url + " is being pulled already: waiting for it")
	})
	if err != nil {
		return File{}, err
	}
	p.unlock = append(p.unlock, func() {
		// While it is locked, lest another's lock is removed. That it stays where
		// the system does not remove open files does no harm.
		_ = os.Remove(base + ".lock")
		unlock()
	})
	d := &download{client: p.client, source: s, base: base, show: p.show}
	f, ok, err := p.present(ctx, d)
	if err != nil {
		return File{}, err
	}
	if ok {
		p.paths = append(p.paths, p.store.file(f.SHA256))
		return f, nil
	}
	if f, err = d.run(ctx); err != nil {
		return File{}, err
	}
	if first, twice := p.parts[f.SHA256]; twice {
		p.paths = append(p.paths, first+".part")
		return f, removePart(base)
	}
	p.parts[f.SHA256] = base
	p.paths = append(p.paths, base+".part")
	return f, nil
}

// present returns the file where the store has it: by its hash, or else if the
// server still has the version that was pulled from there.
func (p *pulling) present(ctx context.Context, d *download) (File, bool, error) {
	m, err := p.store.readManifest()
	if err != nil {
		return File{}, false, err
	}
	if d.sha256 != "" {
		info, err := os.Stat(p.store.file(d.sha256))
		if err != nil || d.size >= 0 && info.Size() != d.size {
			return File{}, false, nil
		}
		f := File{Name: d.name, Size: info.Size(), SHA256: d.sha256, URL: d.url}
		if before, ok := m.fileOf(d.url); ok && before.SHA256 == d.sha256 {
			f = before
		}
		return f, true, nil
	}
	f, ok := m.fileOf(d.url)
	if !ok || !p.store.has(f.SHA256, f.Size) || f.validators == (validators{}) {
		return File{}, false, nil
	}
	v, err := d.probe(ctx)
	return f, err == nil && v.validators.same(f.validators) && (v.Size < 0 || v.Size == f.Size), err
}

// fileOf returns the file that was pulled from a URL.
func (m *manifest) fileOf(address string) (File, bool) {
	for _, model := range m.sorted() {
		for _, f := range model.Files {
			if f.URL == address {
				return f, true
			}
		}
	}
	return File{}, false
}

// describe reads what the files say together.
func (p *pulling) describe() error {
	f, err := gguf.OpenSplit(p.paths...)
	if err != nil {
		return fmt.Errorf("%s: %w", p.model.Name, err)
	}
	defer f.Close()
	weights := map[string]int{}
	for _, t := range f.Tensors {
		weights[t.TypeName()] += t.Elements()
		p.model.Parameters += int64(t.Elements())
	}
	for _, t := range f.Tensors { // in order, so that it is the same each time
		if name := t.TypeName(); p.model.Format == "" || weights[name] > weights[p.model.Format] {
			p.model.Format = name
		}
	}
	architecture, err := f.String("general.architecture")
	if err != nil || len(architecture) > 100 {
		return fmt.Errorf("%s: it names no architecture: %w", p.model.Name, errors.Join(err, gguf.ErrMalformed))
	}
	p.model.Architecture, p.model.Pulled = architecture, time.Now().UTC().Truncate(time.Second)
	return p.model.check(p.model.Name)
}

// discard removes what came and is of no use.
func (p *pulling) discard() error {
	var errs []error
	for _, base := range p.parts {
		errs = append(errs, removePart(base))
	}
	return errors.Join(errs...)
}

// commit moves what came into the store, and notes the model.
func (p *pulling) commit(ctx context.Context) error {
	s := p.store
	unlock, err := s.lock(ctx, s.path("manifest.lock"), nil)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := s.readManifest()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.path("files"), 0o777); err != nil {
		return err
	}
	for _, f := range p.model.Files {
		base, came := p.parts[f.SHA256]
		if !came && !s.has(f.SHA256, f.Size) {
			return fmt.Errorf("%s: %s was removed in the meantime: pull again", p.model.Name, f.Name)
		}
		if !came {
			continue
		}
		// It is on the disk: transfer has seen to that.
		if err := os.Rename(base+".part", s.file(f.SHA256)); err != nil && !(errors.Is(err, fs.ErrNotExist) && s.has(f.SHA256, f.Size)) {
			return err
		}
		if err := removePart(base); err != nil {
			return err
		}
	}
	if err := syncFolder(s.path("files")); err != nil {
		return err
	}
	m.Models[p.model.Name] = p.model
	return s.writeManifest(m)
}
