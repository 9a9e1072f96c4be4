package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// newTestHarness is a harness of a binary that no check of the test runs.
func newTestHarness(t *testing.T, o Options) *Harness {
	t.Helper()
	var err error
	if o.Binary, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	h, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// TestCheck has checks end in each way.
func TestCheck(t *testing.T) {
	const require = "REALM_REQUIRE_NOTHING"
	o := Options{Artifacts: t.TempDir(), Limit: time.Second}
	h := newTestHarness(t, o)
	var dir string
	for _, c := range []struct {
		name   string
		run    func(ctx context.Context, r *Rig) error
		status Status
		says   string
	}{
		{"good", func(_ context.Context, r *Rig) error {
			dir = r.Dir
			r.Note("%d facts", 2)
			r.Keep("kept.txt", []byte("kept"))
			_, err := r.Put("a/file", []byte("gone afterwards"))
			return err
		}, Passed, ""},
		{"bad", func(context.Context, *Rig) error { return errors.New("it is otherwise") }, Failed, "it is otherwise"},
		{"missing", func(context.Context, *Rig) error { return &Missing{What: "thing", Require: require} }, Skipped, "NOT TESTED: there is no thing"},
		{"endless", func(ctx context.Context, _ *Rig) error {
			<-ctx.Done()
			return ctx.Err()
		}, Failed, "it took longer than 1s"},
	} {
		r := h.Check(t.Context(), Check{c.name, "About.", c.run})
		if r.Name != c.name || r.Status != c.status || !strings.Contains(r.Error, c.says) || (c.says == "") != (r.Error == "") {
			t.Errorf("%s: %+v, want %s that says %q", c.name, r, c.status, c.says)
		}
		if c.name == "good" && (strings.Join(r.Notes, "") != "2 facts" || strings.Join(r.Artifacts, "") != "good/kept.txt") {
			t.Errorf("notes %q, artifacts %q", r.Notes, r.Artifacts)
		}
	}
	if kept, err := os.ReadFile(filepath.Join(o.Artifacts, "good", "kept.txt")); err != nil || string(kept) != "kept" {
		t.Errorf("kept %q, %v", kept, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder of a check that has ended: %v", err)
	}
	t.Setenv(require, "1")
	r := h.Check(t.Context(), Check{"missing", "About.", func(context.Context, *Rig) error { return &Missing{What: "thing", Require: require} }})
	if r.Status != Failed {
		t.Errorf("what is required and missing: %+v", r)
	}
}

// TestReport counts results, and writes them as docs/harness.md says.
func TestReport(t *testing.T) {
	r := &Report{Schema: Schema, Checks: []Result{}}
	r.add(Result{Name: "a", Status: Passed, Notes: []string{"n"}, Artifacts: []string{"a/b"}})
	r.add(Result{Name: "b", Status: Failed, Error: "e"})
	r.add(Result{Name: "c", Status: Skipped, Error: "s"})
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || !reflect.DeepEqual(&got, r) {
		t.Errorf("%v: %+v, want %+v", err, got, r)
	}
	if r.Passed != 1 || r.Failed != 1 || r.Skipped != 1 || !strings.HasPrefix(r.Summary(), "1 passed, 1 failed, 1 skipped") {
		t.Errorf("%s: %+v", r.Summary(), r)
	}
}

// TestDocs holds docs/harness.md to the checks and the members of a report that there are.
func TestDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "harness.md"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range Checks() {
		names = append(names, c.Name)
	}
	for _, part := range []reflect.Type{reflect.TypeFor[Report](), reflect.TypeFor[Result]()} {
		for i := range part.NumField() {
			name, _, _ := strings.Cut(part.Field(i).Tag.Get("json"), ",")
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("docs/harness.md has nothing of %q", name)
		}
	}
}
