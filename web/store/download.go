package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/dustin/go-humanize"
	"golang.org/x/sync/errgroup"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// source is a file on a server, and what is promised of it.
type source struct {
	name   string // without folders
	url    string
	size   int64  // -1: not known
	sha256 string // "": not known
}

// download is a file on its way to the store.
type download struct {
	*client
	source
	base string // of the paths of its part, state and lock
	show Progress

	done atomic.Int64
}

// version is what a server says of the file.
type version struct {
	state
	ranges bool // it gives parts of the file
}

// probe asks what the server has, by the file's first byte.
func (d *download) probe(ctx context.Context) (version, error) {
	v := version{state: state{URL: d.url, Size: -1}}
	err := d.persist(ctx, d.url, func() (bool, error) {
		resp, err := d.get(ctx, d.url, http.Header{"Range": {"bytes=0-0"}})
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		v.validators = validatorsOf(resp)
		if resp.StatusCode != http.StatusPartialContent {
			v.Size, v.ranges = resp.ContentLength, false
			return false, nil
		}
		start, _, size, err := contentRange(resp.Header.Get("Content-Range"))
		if err != nil || start != 0 {
			return false, fmt.Errorf("%w: the first byte was asked for, Content-Range is %q", ErrProtocol, resp.Header.Get("Content-Range"))
		}
		v.Size, v.ranges = size, size >= 0
		return false, nil
	})
	if err == nil && d.size >= 0 && v.Size >= 0 && v.Size != d.size {
		err = fmt.Errorf("%s: %w: it has %d bytes, %d were promised", d.url, ErrProtocol, v.Size, d.size)
	}
	return v, err
}

func validatorsOf(r *http.Response) validators {
	// What could not be printed would not survive the way to a JSON file and back.
	clean := func(s string) string { return strings.ToValidUTF8(s, "?") }
	return validators{clean(r.Header.Get("ETag")), clean(r.Header.Get("Last-Modified"))}
}

// run has the file in its part, all of it, checked, and returns what the manifest
// says of it. What is there from before is not read again.
func (d *download) run(ctx context.Context) (File, error) {
	for restarts := 0; ; restarts++ {
		v, err := d.probe(ctx)
		if err != nil {
			return File{}, err
		}
		if err = d.transfer(ctx, v); err == nil {
			return d.verify(ctx, v)
		}
		if !errors.Is(err, ErrChanged) || restarts == d.limits.restarts {
			return File{}, err
		}
		if err := removePart(d.base); err != nil {
			return File{}, err
		}
		d.notice(d.url + " changed while it was read: starting over")
	}
}

// transfer reads what is missing of a version.
func (d *download) transfer(ctx context.Context, v version) (err error) {
	p, err := openPart(d.base, v.state, d.sha256 != "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.file.Close()) }()
	d.done.Store(p.state.Done.bytes())
	if err := enoughSpace(d.base, v.Size-d.done.Load()); err != nil {
		return fmt.Errorf("%s: %w", d.url, err)
	}
	if !v.ranges {
		return d.stream(ctx, p)
	}
	if n := d.done.Load(); n > 0 {
		d.notice(fmt.Sprintf("going on with %s: %s of %s are there", d.name, humanize.IBytes(uint64(n)), humanize.IBytes(uint64(v.Size))))
	}
	if err := p.grow(); err != nil {
		return err
	}
	d.show(d.name, Downloading, d.done.Load(), v.Size)
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(d.limits.parallel)
	for start, end := range p.state.Done.missing(v.Size, d.limits.chunk) {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return d.chunk(running, p, start, end) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// enoughSpace checks that a disk has room for n bytes. It fails with ErrSpace.
func enoughSpace(base string, n int64) error {
	folder := filepath.Dir(base)
	if free, known := freeSpace(folder); known && n > free {
		return fmt.Errorf("%w: %s are to come, %s are free in %s", ErrSpace,
			humanize.IBytes(uint64(n)), humanize.IBytes(uint64(free)), folder)
	}
	return nil
}

// chunk reads a range, from where it broke off where it does.
func (d *download) chunk(ctx context.Context, p *part, start, end int64) error {
	at := start
	err := d.persist(ctx, d.url, func() (bool, error) {
		before := at
		n, err := d.fetch(ctx, p, at, end)
		at += n
		if err == nil && at < end {
			err = io.ErrUnexpectedEOF // a server may give less than was asked for
		}
		return at > before, err
	})
	// Also after an error, such as an interrupt: what came is not asked for again.
	return errors.Join(err, p.finish(start, at))
}

// fetch reads [start, end) of the version that p is of, and returns how many bytes
// came.
func (d *download) fetch(ctx context.Context, p *part, start, end int64) (int64, error) {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", start, end-1)}}
	// If-Range takes strong validators only: RFC 9110, 13.1.5.
	if tag := p.state.ETag; tag != "" && !strings.HasPrefix(tag, "W/") {
		header.Set("If-Range", tag)
	} else if p.state.LastModified != "" {
		header.Set("If-Range", p.state.LastModified)
	}
	resp, err := d.get(ctx, d.url, header)
	var status *StatusError
	if errors.As(err, &status) && status.Code == http.StatusRequestedRangeNotSatisfiable {
		return 0, fmt.Errorf("%w: it ends before byte %d", ErrChanged, end)
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return 0, fmt.Errorf("%w: the whole file came for a part of it", ErrChanged)
	}
	from, to, size, err := contentRange(resp.Header.Get("Content-Range"))
	switch {
	case err != nil:
		return 0, err
	case size >= 0 && size != p.state.Size:
		return 0, fmt.Errorf("%w: it had %d bytes, and has %d", ErrChanged, p.state.Size, size)
	case from != start || to > end:
		return 0, fmt.Errorf("%w: bytes %d to %d were asked for, %d to %d come", ErrProtocol, start, end-1, from, to-1)
	case !p.state.validators.same(validatorsOf(resp)):
		return 0, fmt.Errorf("%w: its ETag or date is another", ErrChanged)
	}
	n, err := io.Copy(&progressWriter{io.NewOffsetWriter(p, start), d, p.state.Size}, io.LimitReader(resp.Body, to-from))
	if err == nil && n < to-from {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// stream reads a file of a server that gives no parts of it: from the start each
// time.
func (d *download) stream(ctx context.Context, p *part) error {
	return d.persist(ctx, d.url, func() (bool, error) {
		if err := p.empty(); err != nil {
			return false, err
		}
		d.done.Store(0)
		resp, err := d.get(ctx, d.url, nil)
		if err != nil {
			return false, err
		}
		defer resp.Body.Close()
		if err := d.streamBody(p, resp); err != nil {
			return false, err
		}
		if err := p.file.Sync(); err != nil {
			return false, &diskError{err}
		}
		return false, nil
	})
}

func (d *download) streamBody(p *part, resp *http.Response) error {
	size := resp.ContentLength
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: %s for a whole file", ErrProtocol, resp.Status)
	case size != p.state.Size || !p.state.validators.same(validatorsOf(resp)):
		return fmt.Errorf("%w: its size, ETag or date is another", ErrChanged)
	}
	// A body of unknown size must not fill the disk.
	body, limit := io.Reader(resp.Body), d.size
	free, known := freeSpace(filepath.Dir(d.base))
	if limit < 0 && known {
		limit = free
	}
	if limit >= 0 {
		body = io.LimitReader(body, limit+1)
	}
	d.show(d.name, Downloading, 0, size)
	n, err := io.Copy(&progressWriter{io.NewOffsetWriter(p, 0), d, size}, body)
	switch {
	case err != nil:
		return err
	case size >= 0 && n != size:
		return io.ErrUnexpectedEOF
	case d.size < 0 && known && n > free:
		return enoughSpace(d.base, n)
	case d.size >= 0 && n != d.size:
		return fmt.Errorf("%w: %d bytes came, %d were promised", ErrProtocol, n, d.size)
	}
	return nil
}

// progressWriter counts what is written.
type progressWriter struct {
	w     io.Writer
	d     *download
	total int64
}

func (w *progressWriter) Write(b []byte) (int, error) {
	n, err := w.w.Write(b)
	w.d.show(w.d.name, Downloading, w.d.done.Add(int64(n)), w.total)
	return n, err
}

// verify checks a part that is all there. One that is wrong is removed: what it was
// read from will not become right.
func (d *download) verify(ctx context.Context, v version) (File, error) {
	path := d.base + ".part"
	sum, size, err := d.hash(ctx, path)
	if err != nil {
		return File{}, err
	}
	if d.sha256 != "" && sum != d.sha256 {
		err = fmt.Errorf("%w: it is %s, and should be %s", ErrHash, sum, d.sha256)
	} else {
		err = checkHeader(path)
	}
	if err != nil {
		return File{}, errors.Join(fmt.Errorf("%s: %w", d.url, err), removePart(d.base))
	}
	return File{Name: d.name, Size: size, SHA256: sum, URL: d.url, validators: v.validators}, nil
}

// hash is the SHA-256 of a file, in hexadecimal digits.
func (d *download) hash(ctx context.Context, path string) (sum string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	h := sha256.New()
	info, err := file.Stat()
	if err != nil {
		return "", 0, err
	}
	buffer := make([]byte, 1<<20)
	for ctx.Err() == nil {
		n, err := file.Read(buffer)
		size += int64(n)
		h.Write(buffer[:n])
		d.show(d.name, Checking, size, info.Size())
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
	return "", 0, ctx.Err()
}

// checkHeader checks that a file is a GGUF file, and that its tensors lie in it.
func checkHeader(path string) error {
	source, err := gguf.NewFileSource(path)
	if err != nil {
		return err
	}
	defer source.Close()
	_, err = gguf.Read(source)
	return err
}
