package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
)

// ranges are the parts of a file that are there, [start, end) in bytes: in order,
// not empty, and none touches the next.
type ranges [][2]int64

// with returns the ranges and one more.
func (r ranges) with(start, end int64) ranges {
	if start >= end {
		return r
	}
	var merged ranges
	for _, x := range r {
		if x[1] < start || x[0] > end {
			merged = append(merged, x)
		} else {
			start, end = min(start, x[0]), max(end, x[1])
		}
	}
	merged = append(merged, [2]int64{start, end})
	slices.SortFunc(merged, func(a, b [2]int64) int {
		if a[0] < b[0] {
			return -1
		}
		return 1
	})
	return merged
}

// missing goes through what a file of size bytes lacks, from start to end in pieces
// of at most chunk bytes.
func (r ranges) missing(size, chunk int64) iter.Seq2[int64, int64] {
	return func(yield func(start, end int64) bool) {
		at := int64(0)
		for _, x := range append(slices.Clone(r), [2]int64{size, size}) {
			for at < x[0] {
				end := at + min(chunk, x[0]-at)
				if !yield(at, end) {
					return
				}
				at = end
			}
			at = x[1]
		}
	}
}

// bytes is how many there are.
func (r ranges) bytes() int64 {
	var n int64
	for _, x := range r {
		n += x[1] - x[0]
	}
	return n
}

// valid reports whether r are ranges of a file of size bytes.
func (r ranges) valid(size int64) bool {
	at := int64(-1)
	for _, x := range r {
		if x[0] <= at || x[1] <= x[0] || x[1] > size {
			return false
		}
		at = x[1]
	}
	return true
}

// state is what the file beside a part says of it.
type state struct {
	URL  string `json:"url"`
	Size int64  `json:"size"` // bytes of the whole
	validators
	Done ranges `json:"done"`
}

const maxStateBytes = 1 << 20

// parseState reads a state. What is wrong with it does not matter: without it the
// file is read from the start.
func parseState(data []byte) (state, bool) {
	var s state
	if err := json.Unmarshal(data, &s); err != nil || s.Size < 0 || !s.Done.valid(s.Size) {
		return state{}, false
	}
	return s, true
}

// same reports whether s and what the server has now are of one version. A file
// that has neither validator may be another each time: it is the same if what it
// has to be is known.
func (s *state) same(now state, hashKnown bool) bool {
	return s.URL == now.URL && s.Size == now.Size && s.validators.same(now.validators) &&
		(hashKnown || now.validators != validators{})
}

// part is a file that is not all there.
type part struct {
	path   string // of the file
	beside string // of its state

	mu    sync.Mutex
	file  *os.File
	state state
}

// openPart opens what there is of a file, whose version the server has now. It is
// emptied if it is of another version.
func openPart(base string, now state, hashKnown bool) (*part, error) {
	p := &part{path: base + ".part", beside: base + ".json", state: now}
	file, err := os.OpenFile(p.path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, &diskError{err}
	}
	p.file = file
	data, err := readBounded(p.beside, maxStateBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(&diskError{err}, file.Close())
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(&diskError{err}, file.Close())
	}
	if before, ok := parseState(data); ok && before.same(now, hashKnown) && info.Size() == now.Size {
		p.state.Done = before.Done
		return p, nil
	}
	if err := p.empty(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

// empty forgets what is there. The state goes first: it must never say more than
// the file has.
func (p *part) empty() error {
	if err := os.Remove(p.beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &diskError{err}
	}
	p.state.Done = nil
	if err := p.file.Truncate(0); err != nil {
		return &diskError{err}
	}
	return nil
}

// grow gives the file the size of the whole, with holes where nothing came yet.
func (p *part) grow() error {
	if err := p.file.Truncate(p.state.Size); err != nil {
		return &diskError{err}
	}
	return nil
}

// WriteAt writes bytes that count when finish says so.
func (p *part) WriteAt(b []byte, off int64) (int, error) {
	n, err := p.file.WriteAt(b, off)
	if err != nil {
		err = &diskError{err}
	}
	return n, err
}

// finish notes that a range is there, once it is sure to be on the disk.
func (p *part) finish(start, end int64) error {
	if start >= end {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.file.Sync(); err != nil {
		return &diskError{err}
	}
	p.state.Done = p.state.Done.with(start, end)
	if err := writeJSON(p.beside, p.state); err != nil {
		return &diskError{err}
	}
	return nil
}

// remove takes the part away, as what is in it is of no use.
func removePart(base string) error {
	var errs []error
	for _, suffix := range []string{".json", ".json.new", ".part"} {
		if err := os.Remove(base + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

var rangeOf = regexp.MustCompile(`^bytes ([0-9]+)-([0-9]+)/([0-9]+|\*)$`)

// contentRange reads the header of that name: "bytes 0-99/1234", the size -1 for
// "*" (RFC 9110, 14.4). end is behind the last byte.
func contentRange(value string) (start, end, size int64, err error) {
	m := rangeOf.FindStringSubmatch(value)
	if m == nil {
		return 0, 0, 0, fmt.Errorf("%w: Content-Range %.80q", ErrProtocol, value)
	}
	start, errStart := strconv.ParseInt(m[1], 10, 64)
	last, errLast := strconv.ParseInt(m[2], 10, 64)
	size = -1
	var errSize error
	if m[3] != "*" {
		size, errSize = strconv.ParseInt(m[3], 10, 64)
	}
	end = last + 1 // negative where it passes an int64
	if errors.Join(errStart, errLast, errSize) != nil || start >= end || size >= 0 && end > size {
		return 0, 0, 0, fmt.Errorf("%w: Content-Range %.80q", ErrProtocol, value)
	}
	return start, end, size, nil
}
