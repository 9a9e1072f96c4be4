package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/engine/gguf"
)

// TestRanges reads a file in parts, a few at a time, each byte once.
func TestRanges(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 250_000, 1)
	address := o.put("/a/model.gguf", data)
	second := make(chan struct{})
	o.answer = func(_ http.ResponseWriter, r *http.Request, n int) bool {
		switch n { // 1 is the probe
		case 2:
			select { // so that some overlap
			case <-second:
			case <-r.Context().Done():
			}
		case 3:
			close(second)
		}
		return false
	}
	last := int64(0)
	r.options.Progress = func(file string, stage Stage, done, total int64) {
		if file != "model.gguf" || total != int64(len(data)) || done > total {
			t.Errorf("progress of %s: %s, %d of %d", file, stage, done, total)
		}
		last = done
	}
	m := r.good(address, data)
	if o.top < 2 || o.top > r.limits.parallel {
		t.Errorf("%d requests at a time, want 2 to %d", o.top, r.limits.parallel)
	}
	if n := o.bodies(t); n != int64(len(data))+1 {
		t.Errorf("%d bytes were sent of a file of %d and a probe", n, len(data))
	}
	if last != int64(len(data)) {
		t.Errorf("progress ended at %d", last)
	}
	if m.Name != address || m.Architecture != "llama" || m.Format != "F32" || m.Parameters != 250_000 || time.Since(m.Pulled) > time.Minute {
		t.Errorf("model %+v", m)
	}
	if f := m.Files[0]; f.Name != "model.gguf" || f.URL != address || f.ETag != o.tags["/a/model.gguf"] || f.SHA256 != sha(data) {
		t.Errorf("file %+v", f)
	}
	r.left()

	// Again: the server is asked whether it still has that version, and no more.
	r.good(address, data)
	if n := o.bodies(t); n != 1 {
		t.Errorf("%d bytes were sent for what was there", n)
	}
	// A new version takes the place of the old.
	data = model(t, 1000, 2)
	o.put("/a/model.gguf", data)
	r.options.Progress = nil
	r.good(address, data)
}

// TestBreaks: connections that end early are taken up where they ended.
func TestBreaks(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 250_000, 1)
	address := o.put("/model.gguf", data)
	o.answer = func(w http.ResponseWriter, r *http.Request, n int) bool {
		if n > 1 {
			o.serve(&breaking{w, 10_000}, r)
		}
		return n > 1
	}
	r.good(address, data)
	if n := o.bodies(t); n != int64(len(data))+1 {
		t.Errorf("%d bytes were sent of a file of %d and a probe", n, len(data))
	}
	if !r.noticed("trying again") {
		t.Error("nobody was told")
	}
}

// TestResume: what a pull that failed has read is not read again.
func TestResume(t *testing.T) {
	data := model(t, 250_000, 1)
	for _, c := range []struct {
		name    string
		between func(o *origin)
		hash    bool
		resumes bool
	}{
		{"same version", func(*origin) {}, false, true},
		{"another ETag", func(o *origin) { o.tag("/model.gguf", `"other"`) }, false, false},
		{"weak ETag", func(o *origin) { o.tag("/model.gguf", `W/"x"`) }, false, false},
		{"no ETag any more", func(o *origin) { o.tag("/model.gguf", "") }, false, false},
		{"another size", func(o *origin) { o.put("/model.gguf", model(t, 1000, 1)) }, false, false},
		{"known hash", func(*origin) {}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, r := newOrigin(t), newRig(t)
			address := o.put("/model.gguf", data)
			if c.hash {
				o.tag("/model.gguf", "")
				address += "#sha256=" + sha(data)
			}
			o.answer = func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n > 12 {
					http.Error(w, "", http.StatusNotFound)
				}
				return n > 12
			}
			_, err := r.pull(address)
			var status *StatusError
			if !errors.As(err, &status) || status.Code != 404 || !strings.Contains(err.Error(), o.URL+"/model.gguf") {
				t.Fatalf("error %v, want 404 of the URL", err)
			}
			r.left(".part", ".json")
			if models, err := r.List(); err != nil || len(models) != 0 {
				t.Fatalf("the store has %v, %v", models, err)
			}
			o.answer = nil
			first := o.bodies(t)
			c.between(o)
			want := o.files["/model.gguf"]
			r.good(address, want)
			second := o.bodies(t)
			// What was on its way when the error came is lost.
			lost := int64(r.limits.parallel) * r.limits.chunk
			if c.resumes && (first+second > int64(len(data))+lost || !r.noticed("going on with")) {
				t.Errorf("%d and %d bytes were sent of %d", first, second, len(data))
			}
			if !c.resumes && second != int64(len(want))+1 {
				t.Errorf("%d bytes of another version were sent, of %d", second, len(want))
			}
			r.left()
		})
	}
}

// TestInterrupt: what came until an interrupt is kept, to the byte.
func TestInterrupt(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 250_000, 1)
	address := o.put("/model.gguf", data)
	ctx, cancel := context.WithCancel(t.Context())
	r.options.Progress = func(_ string, _ Stage, done, _ int64) {
		if done > 300_000 {
			cancel()
		}
	}
	ref, _ := ParseReference(address)
	if _, err := r.Pull(ctx, ref, r.options); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	r.left(".part", ".json")
	r.options.Progress = nil
	o.bodies(t)
	r.good(address, data)
	if n := o.bodies(t); n > int64(len(data))-300_000+1 {
		t.Errorf("%d bytes were sent after 300000 of %d were there", n, len(data))
	}
}

// TestMisbehaves has servers do what they should not.
func TestMisbehaves(t *testing.T) {
	data := model(t, 250_000, 1)
	html := []byte("<!doctype html><title>Log in</title>" + strings.Repeat(" ", 1000))
	for _, c := range []struct {
		name   string
		answer func(o *origin) func(http.ResponseWriter, *http.Request, int) bool
		want   error  // nil: it works in spite of that
		text   string // in the error, or a notice
	}{
		{"no ranges", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool { return o.whole }, nil, ""},
		{"no ranges, no length", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				_ = http.NewResponseController(w).Flush()
				_, _ = w.Write(data)
				return true
			}
		}, nil, ""},
		{"no ranges, breaks once", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 2 {
					w = &breaking{w, len(data) / 2}
				}
				return o.whole(w, r, n)
			}
		}, nil, "unexpected EOF"},
		{"no ranges, breaks always", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool { return o.whole(&breaking{w, 1000}, r, n) }
		}, errAny, "tried 4 times: unexpected EOF"},
		{"length too great", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)+1000))
				_, _ = w.Write(data)
				return true
			}
		}, errAny, "unexpected EOF"},
		{"length too small", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-1000))
				_, _ = w.Write(data[:len(data)-1000])
				return true
			}
		}, gguf.ErrTruncated, ""},
		{"range of a size too great", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				o.serve(&sizeLie{w, int64(len(data)) + 1000}, r)
				return true
			}
		}, ErrChanged, ""},
		{"range of a size too small", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				o.serve(&sizeLie{w, int64(len(data)) - 1000}, r)
				return true
			}
		}, errAny, ""},
		{"a size beyond any disk", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				o.serve(&sizeLie{w, 1 << 60}, r)
				return true
			}
		}, ErrSpace, "1.0 EiB are to come"},
		{"another range than was asked for", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				r.Header.Set("Range", "bytes=0-99")
				o.serve(w, r)
				return true
			}
		}, ErrProtocol, "bytes"},
		{"Content-Range of noise", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				w.Header().Set("Content-Range", "bytes 9-0/-1")
				w.WriteHeader(http.StatusPartialContent)
				return true
			}
		}, ErrProtocol, "Content-Range"},
		{"changes half-way", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 5 {
					o.tag("/model.gguf", `"second"`)
				}
				return false
			}
		}, nil, "changed while it was read: starting over"},
		{"changes each time", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				o.tag("/model.gguf", fmt.Sprintf(`"%d"`, n))
				return false
			}
		}, ErrChanged, ""},
		{"gives up ranges half-way", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool { return n > 5 && o.whole(w, r, n) }
		}, nil, "starting over"},
		{"stalls once", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, n int) bool {
				if n == 4 {
					o.serve(&stalling{w, r, 1000}, r)
				}
				return n == 4
			}
		}, nil, "no byte in 3s"},
		{"busy at first", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n < 3 {
					w.Header().Set("Retry-After", "1")
					w.WriteHeader([]int{429, 503}[n%2])
				}
				return n < 3
			}
		}, nil, "503 Service Unavailable: trying again in 1s"},
		{"busy for an hour", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
				w.WriteHeader(429)
				return true
			}
		}, errAny, "429 Too Many Requests: it asks to come back in 59m"},
		{"always busy", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.WriteHeader(503); return true }
		}, errAny, "tried 4 times: 503 Service Unavailable"},
		{"not there", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool { w.WriteHeader(404); return true }
		}, errAny, "404 Not Found"},
		{"a page to log in", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool { _, _ = w.Write(html); return true }
		}, gguf.ErrMagic, ""},
		{"nothing", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, _ *http.Request, _ int) bool { return true }
		}, gguf.ErrTruncated, ""},
		{"redirects in a circle", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, r.URL.Path, http.StatusFound)
				return true
			}
		}, ErrProtocol, "more than 5 redirects"},
		{"redirects to another protocol", func(o *origin) func(http.ResponseWriter, *http.Request, int) bool {
			return func(w http.ResponseWriter, r *http.Request, _ int) bool {
				http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
				return true
			}
		}, ErrProtocol, "redirect to file:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, r := newOrigin(t), newRig(t)
			if c.name == "stalls once" {
				r.limits.stall = 3 * time.Second
			}
			address := o.put("/model.gguf", data)
			o.answer = c.answer(o)
			m, err := r.pull(address)
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				r.holds(m, data)
				if c.text != "" && !r.noticed(c.text) {
					t.Errorf("notices %q, want %q", r.notices, c.text)
				}
				r.left()
				return
			}
			if err == nil || c.want != errAny && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), address) {
				t.Errorf("error %q, want %q and the URL in it", err, c.text)
			}
			if models, err := r.List(); err != nil || len(models) != 0 {
				t.Errorf("the store has %v, %v", models, err)
			}
			if entries, err := os.ReadDir(r.path("files")); err == nil && len(entries) > 0 {
				t.Errorf("files has %v", entries)
			}
		})
	}
}

// errAny is for errors of other packages.
var errAny = errors.New("any")

// sizeLie changes the size that Content-Range says.
type sizeLie struct {
	http.ResponseWriter
	size int64
}

func (l *sizeLie) WriteHeader(code int) {
	if value, _, ok := strings.Cut(l.Header().Get("Content-Range"), "/"); ok {
		l.Header().Set("Content-Range", fmt.Sprintf("%s/%d", value, l.size))
	}
	l.ResponseWriter.WriteHeader(code)
}

// stalling sends some bytes and then none, until the other side goes.
type stalling struct {
	http.ResponseWriter
	r    *http.Request
	left int
}

func (s *stalling) Write(p []byte) (int, error) {
	_, _ = s.ResponseWriter.Write(p[:min(s.left, len(p))])
	_ = http.NewResponseController(s.ResponseWriter).Flush()
	<-s.r.Context().Done()
	panic(http.ErrAbortHandler)
}

// TestHash: bytes that are not those that were promised are not kept.
func TestHash(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 250_000, 1)
	address := o.put("/model.gguf", data)
	_, err := r.pull(address + "#sha256=" + strings.Repeat("0", 64))
	if !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), sha(data)) {
		t.Errorf("error %v", err)
	}
	r.left()
	m := r.good(address+"#sha256="+strings.ToUpper(sha(data)), data)
	if m.Name != address {
		t.Errorf("name %q", m.Name)
	}
	// What is there by its hash needs no server.
	o.Close()
	r.good(address+"#sha256="+sha(data), data)
}

// TestSameFileTwice pulls a file many times at once: it is read once.
func TestSameFileTwice(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 250_000, 1)
	address := o.put("/model.gguf", data)
	other := model(t, 100_000, 2)
	second := o.put("/other.gguf", other)
	o.answer = func(_ http.ResponseWriter, request *http.Request, n int) bool {
		for n == 1 && request.Context().Err() == nil && !r.noticed(request.URL.Path+" is being pulled already") {
			time.Sleep(time.Millisecond)
		}
		return false
	}
	var wg sync.WaitGroup
	var failed atomic.Int32
	for i := range 6 {
		wg.Go(func() {
			which := []string{address, second}[i%2]
			ref, _ := ParseReference(which)
			if _, err := r.Pull(t.Context(), ref, r.options); err != nil {
				t.Error(err)
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if n := o.bodies(t); failed.Load() == 0 && n > int64(len(data)+len(other))+6+6 {
		t.Errorf("%d bytes were sent of %d", n, len(data)+len(other))
	}
	if !r.noticed("is being pulled already") {
		t.Error("nobody was told of the wait")
	}
	models, err := r.List()
	if err != nil || len(models) != 2 {
		t.Fatalf("models %v, %v", models, err)
	}
	r.holds(models[0], data)
	r.holds(models[1], other)
	r.left()
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "99999999999999": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}
