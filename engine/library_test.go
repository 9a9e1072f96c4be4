package engine_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-webgpu/realm/e2e/models"
	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
	"github.com/realm-webgpu/realm/engine/gguf"
)

// shelf are sources of a test, and how often each was opened.
type shelf struct {
	opened atomic.Int64
}

// atlas is a source of atlas. Sources of other names have other bytes behind its
// tensors, and so are other models.
func (s *shelf) atlas(name string) engine.ModelSource {
	data := append(bytes.Clone(models.Atlas), name...)
	return engine.ModelSource{
		Name: name, Version: name,
		Open: func() (*gguf.File, error) {
			s.opened.Add(1)
			return gguf.Read(bytes.NewReader(data))
		},
		Load: engine.LoadOptions{Context: 256},
	}
}

// draft is a source of the draft model.
func (s *shelf) draft() *engine.ModelSource {
	return &engine.ModelSource{
		Name: "draft", Version: "draft",
		Open: func() (*gguf.File, error) {
			s.opened.Add(1)
			return gguf.Read(bytes.NewReader(models.Draft))
		},
		Load: engine.LoadOptions{Context: 256},
	}
}

func newLibrary(t testing.TB, e *engine.Engine, o engine.LibraryOptions) *engine.Library {
	t.Helper()
	l, err := e.NewLibrary(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func acquire(t testing.TB, l *engine.Library, src engine.ModelSource) *engine.Lease {
	t.Helper()
	lease, err := l.Acquire(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return lease
}

// names are the models of a library, the one that was used the longest ago first.
func names(l *engine.Library) string {
	all := ""
	for _, m := range l.Models() {
		all += m.Name + " "
	}
	return all
}

// TestLibraryLoadsOnce: the same content is one model, whoever asks, by whatever
// name, and at the same time; a version that is known is not opened.
func TestLibraryLoadsOnce(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		var s shelf
		l := newLibrary(t, e, engine.LibraryOptions{})
		src := s.atlas("atlas")
		other := src
		other.Name, other.Version = "the same", "another path"
		unknown := src
		unknown.Version = ""
		leases := make([]*engine.Lease, 24)
		var group sync.WaitGroup
		for i := range leases {
			group.Go(func() {
				var err error
				if leases[i], err = l.Acquire(t.Context(), []engine.ModelSource{src, other, unknown}[i%3]); err != nil {
					t.Error(err)
				}
			})
		}
		if group.Wait(); t.Failed() {
			return
		}
		if n := l.Stats().Loads; n != 1 || len(l.Models()) != 1 || l.Models()[0].Leases != len(leases) {
			t.Fatalf("%d loads, %+v", n, l.Models())
		}
		for _, x := range leases {
			if x.Model() != leases[0].Model() {
				t.Fatal("there are two models")
			}
		}
		before := s.opened.Load()
		acquire(t, l, src).Release()
		if n := s.opened.Load(); n != before {
			t.Errorf("a known version was opened %d times", n-before)
		}
		if got := write(t, ask(t, leases[3].Model(), question), engine.GenerateOptions{}); got != answer {
			t.Errorf("it says %q", got)
		}
		// Loaded otherwise it is another model.
		longer := src
		longer.Load.Context = 128
		acquire(t, l, longer).Release()
		if n := l.Stats().Loads; n != 2 {
			t.Errorf("%d loads", n)
		}
		for _, x := range leases {
			x.Release()
			x.Release() // harmless
		}
		for _, m := range l.Models() {
			if m.Leases != 0 || m.Bytes <= 0 || m.LastUsed.IsZero() {
				t.Errorf("%+v", m)
			}
		}
	})
}

// TestLibraryBudget: the model that was used the longest ago makes room, one in use
// never does, and what does not fit changes nothing.
func TestLibraryBudget(t *testing.T) {
	var s shelf
	one := atlasPlan(t)
	for name, o := range map[string]struct {
		engine  engine.Options
		library engine.LibraryOptions
	}{
		"device":  {engine: engine.Options{Memory: roomForTwo(one)}},
		"library": {library: engine.LibraryOptions{Memory: roomForTwo(one) - one.Scratch}},
		"cache":   {engine: engine.Options{CacheMemory: 2*one.Cache + one.Cache/2}},
	} {
		t.Run(name, func(t *testing.T) {
			o.engine.Device = "cpu"
			e := open(t, o.engine)
			l := newLibrary(t, e, o.library)
			a, b := acquire(t, l, s.atlas("a")), acquire(t, l, s.atlas("b"))
			before := e.Memory()
			_, err := l.Acquire(t.Context(), s.atlas("c"))
			var short *device.MemoryError
			if !errors.As(err, &short) || short.Need <= 0 || short.Budget <= 0 || short.Used <= 0 || short.Need <= short.Budget-short.Used {
				t.Fatalf("a third with two in use: %v", err)
			}
			if e.Memory() != before || names(l) != "a b " {
				t.Errorf("a refusal changed something: %v, %v; %s", before, e.Memory(), names(l))
			}
			if got := write(t, ask(t, a.Model(), question), engine.GenerateOptions{}); got != answer {
				t.Errorf("it says %q", got)
			}
			b.Release()
			a.Release()
			// b was given back first.
			c := acquire(t, l, s.atlas("c"))
			if names(l) != "a c " {
				t.Errorf("after c: %s", names(l))
			}
			acquire(t, l, s.atlas("b")).Release()
			if names(l) != "c b " {
				t.Errorf("after b: %s", names(l))
			}
			acquire(t, l, s.atlas("a")).Release() // b again, as c is in use
			if names(l) != "c a " || l.Stats().Evictions != 3 {
				t.Errorf("after a: %s, %+v", names(l), l.Stats())
			}
			c.Release()
			// More than all there is: the idle ones stay.
			huge := s.atlas("huge")
			huge.Load.CacheTokens = 1 << 24
			if _, err := l.Acquire(t.Context(), huge); !errors.Is(err, device.ErrMemory) || names(l) != "a c " {
				t.Errorf("a huge one: %v; %s", err, names(l))
			}
		})
	}
}

// roomForTwo is memory for two models of a plan and what they compute in, and not for
// three.
func roomForTwo(p engine.Plan) int64 {
	return 2*(p.Weights+p.Cache) + p.Scratch + (p.Weights+p.Cache)/2
}

// atlasPlan returns what atlas takes on the CPU as sources of a shelf load it.
func atlasPlan(t *testing.T) engine.Plan {
	t.Helper()
	f, err := gguf.Read(bytes.NewReader(models.Atlas))
	if err != nil {
		t.Fatal(err)
	}
	p, err := open(t, engine.Options{Device: "cpu"}).Plan(f, engine.LoadOptions{Context: 256})
	if err != nil || p.Err != nil {
		t.Fatal(err, p.Err)
	}
	return p
}

// TestLibraryDraft: a draft model comes with its model, is held by it, and is done
// without where it cannot be had.
func TestLibraryDraft(t *testing.T) {
	eachDevice(t, func(t *testing.T, e *engine.Engine) {
		var s shelf
		l := newLibrary(t, e, engine.LibraryOptions{})
		src := s.atlas("atlas")
		src.Draft = s.draft()
		lease := acquire(t, l, src)
		if !lease.Model().HasDraft() || lease.DraftError() != nil || len(l.Models()) != 2 {
			t.Fatalf("%v, %v, %s", lease.Model().HasDraft(), lease.DraftError(), names(l))
		}
		got := write(t, ask(t, lease.Model(), question), engine.GenerateOptions{Draft: engine.DraftOptions{Mode: engine.DraftModel}})
		if got != answer {
			t.Errorf("it says %q", got)
		}
		for _, m := range l.Models() {
			if m.Leases != 1 {
				t.Errorf("%+v", m)
			}
		}
		l.Forget(src)
		l.Forget(*src.Draft)
		lease.Release()
		// A model leaves the library first, and the device when it is closed after that.
		waitFor(t, func() bool { return len(l.Models()) == 0 && e.Memory().Used[device.KindWeights] == 0 })

		broken := src
		broken.Draft = s.draft()
		broken.Draft.Version = "broken"
		failure := errors.New("no such draft")
		broken.Draft.Open = func() (*gguf.File, error) { return nil, failure }
		lease = acquire(t, l, broken)
		defer lease.Release()
		if !errors.Is(lease.DraftError(), failure) || lease.Model().HasDraft() || len(e.Notices()) == 0 {
			t.Errorf("without a draft: %v, notices %q", lease.DraftError(), e.Notices())
		}
	})
}

// waitFor waits until something is so.
func waitFor(t testing.TB, so func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what it waits for has not come to be in a minute")
		}
	}
}

// TestLibraryWaits: who does not wait any more leaves the load to the others, and
// Close ends loads and all that wait.
func TestLibraryWaits(t *testing.T) {
	e := open(t, engine.Options{Device: "cpu"})
	var s shelf
	l := newLibrary(t, e, engine.LibraryOptions{})
	src := s.atlas("atlas")
	inside, on := make(chan struct{}), make(chan struct{})
	src.Plan = func(*gguf.File, *engine.LoadOptions) error {
		close(inside)
		<-on
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	impatient, patient := make(chan error), make(chan error)
	go func() {
		_, err := l.Acquire(ctx, src)
		impatient <- err
	}()
	<-inside
	go func() {
		lease, err := l.Acquire(t.Context(), src)
		if err == nil {
			defer lease.Release()
		}
		patient <- err
	}()
	cancel()
	if err := <-impatient; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	close(on)
	if err := <-patient; err != nil {
		t.Errorf("the one who waited: %v", err)
	}
	waitFor(t, func() bool { return l.Models()[0].Leases == 0 })

	// A failure is told to all, and tried again by the next.
	failing := s.atlas("failing")
	failure := errors.New("not today")
	failing.Plan = func(*gguf.File, *engine.LoadOptions) error { return failure }
	for range 2 {
		if _, err := l.Acquire(t.Context(), failing); !errors.Is(err, failure) {
			t.Errorf("a source that fails: %v", err)
		}
	}
	if _, err := l.Acquire(t.Context(), engine.ModelSource{Name: "nothing"}); !errors.Is(err, engine.ErrOption) {
		t.Errorf("a source of nothing: %v", err)
	}

	slow := s.atlas("slow")
	inside, on = make(chan struct{}), make(chan struct{})
	slow.Plan = src.Plan
	go func() {
		_, err := l.Acquire(t.Context(), slow)
		patient <- err
	}()
	<-inside
	held := l.Models()[0].Model
	closed := make(chan error)
	go func() { closed <- l.Close() }()
	waitFor(t, func() bool { _, err := l.Acquire(t.Context(), src); return errors.Is(err, engine.ErrClosed) })
	close(on)
	if err := <-patient; !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a load that Close ended: %v", err)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if _, err := held.NewSequence(); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a model of a closed library: %v", err)
	}
	waitFor(t, func() bool { return e.Memory().Total() == 0 })
}

// TestLibraryStress: many goroutines acquire more models than there is room for. Each
// answers as it should while it is held, and in the end all is given back.
func TestLibraryStress(t *testing.T) {
	one := atlasPlan(t)
	goroutines := runtime.NumGoroutine()
	e, err := engine.Open(engine.Options{Device: "cpu", Memory: roomForTwo(one)})
	if err != nil {
		t.Fatal(err)
	}
	var s shelf
	l := newLibrary(t, e, engine.LibraryOptions{})
	sources := []engine.ModelSource{s.atlas("a"), s.atlas("b"), s.atlas("c"), s.atlas("d")}
	var group sync.WaitGroup
	var served, refused atomic.Int64
	for i := range 8 {
		group.Go(func() {
			for n := range 6 {
				lease, err := l.Acquire(t.Context(), sources[(i+n)%len(sources)])
				if errors.Is(err, device.ErrMemory) {
					refused.Add(1) // two others are in use
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				m := lease.Model()
				q, err := m.NewSequence()
				if err == nil {
					err = q.Append(m.Encode(question, true)...)
				}
				if err != nil {
					t.Error(err)
					return
				}
				if got, _, err := collect(q.Generate(t.Context(), engine.GenerateOptions{MaxTokens: 3})); err != nil || got == "" {
					t.Errorf("%q, %v", got, err)
				}
				q.Close()
				lease.Release()
				served.Add(1)
			}
		})
	}
	group.Wait()
	if served.Load() == 0 {
		t.Error("nobody was served")
	}
	t.Logf("%d served, %d refused, %+v", served.Load(), refused.Load(), l.Stats())
	if err := errors.Join(l.Close(), e.Close()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines })
}

// BenchmarkLibraryHit is the price of a model that is there.
func BenchmarkLibraryHit(b *testing.B) {
	var s shelf
	l := newLibrary(b, open(b, engine.Options{Device: "cpu"}), engine.LibraryOptions{})
	src := s.atlas("atlas")
	defer acquire(b, l, src).Release()
	for b.Loop() {
		acquire(b, l, src).Release()
	}
}
