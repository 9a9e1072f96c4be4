package store

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestFindAndRemove calls models by their names and by parts of them.
func TestFindAndRemove(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	r.options.Hub = o.URL
	if _, err := r.Find("x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	if _, _, err := r.Remove(t.Context(), "x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("empty store: %v", err)
	}
	if models, err := r.List(); err != nil || len(models) != 0 {
		t.Errorf("empty store: %v, %v", models, err)
	}
	if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
		t.Errorf("looking made the folder: %v", err)
	}

	a, b, c := model(t, 1000, 1), model(t, 2000, 2), model(t, 3000, 3)
	o.repository(t, "one/Tiny-GGUF", map[string][]byte{"Tiny-Q4_0.gguf": a, "Tiny-Q8_0.gguf": b})
	o.repository(t, "two/Tiny-GGUF", map[string][]byte{"Tiny-Q4_0.gguf": a})
	address := o.put("/files/c.gguf", c) + "?download=true"
	for _, ref := range []string{"hf.co/one/Tiny-GGUF:Q4_0", "hf.co/one/Tiny-GGUF:Q8_0", "hf.co/two/Tiny-GGUF:Q4_0", address} {
		if _, err := r.pull(ref); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, found string
		want        error
	}{
		{"hf.co/one/Tiny-GGUF:Q4_0", "hf.co/one/Tiny-GGUF:Q4_0", nil},
		{"huggingface.co/one/Tiny-GGUF:Q4_0", "hf.co/one/Tiny-GGUF:Q4_0", nil},
		{"hf.co/One/tiny-gguf:q4_0", "hf.co/one/Tiny-GGUF:Q4_0", nil},
		{"one/Tiny-GGUF:Q8_0", "hf.co/one/Tiny-GGUF:Q8_0", nil},
		{"tiny-gguf:q8_0", "hf.co/one/Tiny-GGUF:Q8_0", nil},
		{"two/Tiny-GGUF", "hf.co/two/Tiny-GGUF:Q4_0", nil},
		{"c.gguf", address, nil},
		{address, address, nil},
		{o.URL + "/files/c.gguf", address, nil},
		{"Tiny-GGUF:Q4_0", "", ErrAmbiguous},
		{"Tiny-GGUF", "", ErrAmbiguous},
		{"one/Tiny-GGUF", "", ErrAmbiguous},
		{"iny-GGUF:Q8_0", "", ErrNotFound},
		{"", "", ErrNotFound},
		{"Q4_0", "", ErrNotFound},
		{"../../../etc/passwd", "", ErrNotFound},
		{"hf.co/one/../two:Q4_0", "", ErrNotFound},
	} {
		m, err := r.Find(c.name)
		if m.Name != c.found || !errors.Is(err, c.want) {
			t.Errorf("%q: found %q, %v; want %q, %v", c.name, m.Name, err, c.found, c.want)
		}
	}
	_, _, err := r.Remove(t.Context(), "Tiny-GGUF:Q4_0")
	if !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "hf.co/one/Tiny-GGUF:Q4_0, hf.co/two/Tiny-GGUF:Q4_0") {
		t.Errorf("error %v", err)
	}

	// What two have stays until the second goes.
	m, freed, err := r.Remove(t.Context(), "one/Tiny-GGUF:q4_0")
	if err != nil || m.Name != "hf.co/one/Tiny-GGUF:Q4_0" || freed != 0 || r.Missing(m) {
		t.Errorf("removed %q, %d bytes, %v", m.Name, freed, err)
	}
	if m, freed, err = r.Remove(t.Context(), "two/Tiny-GGUF"); err != nil || freed != int64(len(a)) || !r.Missing(m) {
		t.Errorf("removed %q, %d bytes, %v", m.Name, freed, err)
	}
	if _, _, err := r.Remove(t.Context(), "two/Tiny-GGUF"); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
	// A file that is gone is no reason to keep the name, and is pulled again.
	m, err = r.Find("c.gguf")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(r.Paths(m)[0]); err != nil || !r.Missing(m) {
		t.Fatal(err)
	}
	r.good(address, c)
	if err := os.Remove(r.Paths(m)[0]); err != nil {
		t.Fatal(err)
	}
	if _, freed, err := r.Remove(t.Context(), "c.gguf"); err != nil || freed != 0 {
		t.Errorf("%d bytes, %v", freed, err)
	}
	if models, err := r.List(); err != nil || len(models) != 1 || models[0].Name != "hf.co/one/Tiny-GGUF:Q8_0" {
		t.Errorf("models %v, %v", models, err)
	}
	if entries, err := os.ReadDir(r.path("files")); err != nil || len(entries) != 1 {
		t.Errorf("files has %v, %v", entries, err)
	}
}

// TestSplitURL pulls all shards that a URL names the first of.
func TestSplitURL(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	split := shards(t, 3, 1000)
	for i, data := range split {
		o.put(fmt.Sprintf("/big-0000%d-of-00003.gguf", i+1), data)
	}
	m := r.good(o.URL+"/big-00001-of-00003.gguf", split...)
	if m.Files[2].URL != o.URL+"/big-00003-of-00003.gguf" || m.Parameters != 3000 {
		t.Errorf("model %+v", m)
	}
	if _, err := r.pull(o.URL + "/big-00002-of-00003.gguf"); !errors.Is(err, ErrReference) {
		t.Errorf("error %v", err)
	}
	// One shard twice: a model that cannot be.
	o.put("/bad-00001-of-00002.gguf", split[0])
	o.put("/bad-00002-of-00002.gguf", split[0])
	if _, err := r.pull(o.URL + "/bad-00001-of-00002.gguf"); err == nil {
		t.Error("no error")
	}
	r.left()
}

// TestManifest reads back what is written, and refuses what is not.
func TestManifest(t *testing.T) {
	o, r := newOrigin(t), newRig(t)
	data := model(t, 1000, 1)
	m := r.good(o.put("/x.gguf", data), data)
	again, err := Open(r.Dir()).Find("x.gguf")
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("read %+v, %v; want %+v", again, err, m)
	}
	for name, text := range badManifests {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(r.path("manifest.json"), []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			for what, err := range map[string]error{
				"list":   second(r.List()),
				"find":   second(r.Find("x")),
				"pull":   second(r.pull(o.URL + "/x.gguf")),
				"remove": func() error { _, _, err := r.Remove(t.Context(), "x"); return err }(),
			} {
				if !errors.Is(err, ErrManifest) || !strings.Contains(err.Error(), r.path("manifest.json")) {
					t.Errorf("%s: error %v", what, err)
				}
			}
			if got, err := os.ReadFile(r.path("manifest.json")); err != nil || string(got) != text {
				t.Errorf("it was changed to %q, %v", got, err)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

var badManifests = map[string]string{
	"nothing":      "",
	"no object":    "[]",
	"no version":   "{}",
	"version":      `{"version":2,"models":{}}`,
	"up":           `{"version":1,"models":{"hf.co/a/b:c":{"files":[{"name":"x","size":1,"sha256":"../../../../etc/passwd"}]}}}`,
	"short hash":   `{"version":1,"models":{"hf.co/a/b:c":{"files":[{"name":"x","size":1,"sha256":"abc"}]}}}`,
	"no files":     `{"version":1,"models":{"hf.co/a/b:c":{"files":[]}}}`,
	"size":         `{"version":1,"models":{"hf.co/a/b:c":{"files":[{"size":-1,"sha256":"` + strings.Repeat("0", 64) + `"}]}}}`,
	"name":         `{"version":1,"models":{"../x":{"files":[{"size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}}}`,
	"second name":  `{"version":1,"models":{"https://hf.co/a/b:c":{"files":[{"size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}}}`,
	"escape codes": `{"version":1,"models":{"hf.co/a/b:c":{"architecture":"\u001b[2J","files":[{"size":1,"sha256":"` + strings.Repeat("0", 64) + `"}]}}}`,
}

// TestLock: the lock is one at a time, also where its file is removed by the one
// that had it.
func TestLock(t *testing.T) {
	s := Open(t.TempDir())
	path := s.path("x.lock")
	inside, most := 0, 0
	done := make(chan error)
	var gate = make(chan struct{}, 1)
	gate <- struct{}{}
	for range 8 {
		go func() {
			unlock, err := s.lock(t.Context(), path, nil)
			if err == nil {
				<-gate
				inside++
				most = max(most, inside)
				gate <- struct{}{}
				time.Sleep(time.Millisecond)
				<-gate
				inside--
				gate <- struct{}{}
				err = os.Remove(path)
				unlock()
			}
			done <- err
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most != 1 {
		t.Errorf("%d held it at a time", most)
	}
	unlock, err := s.lock(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := s.lock(within(t, 50*time.Millisecond), path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}
