package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Schema is the version of Report. Members may be added within one.
const Schema = 1

// Status is how a check ended.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped" // it could not be made here; Error says why
)

// Report is what was found out. docs/harness.md describes it for programs.
type Report struct {
	Schema   int       `json:"schema"`
	Version  string    `json:"version"` // of the binary, as it says itself
	Binary   string    `json:"binary"`  // its path, "" for one that was built for this
	Device   string    `json:"device"`  // as --device has it
	Platform string    `json:"platform"`
	Started  time.Time `json:"started"`
	Seconds  float64   `json:"seconds"`
	Passed   int       `json:"passed"`
	Failed   int       `json:"failed"`
	Skipped  int       `json:"skipped"`
	Checks   []Result  `json:"checks"`
}

// Result is how one check ended.
type Result struct {
	Name    string  `json:"name"`
	About   string  `json:"about"`
	Status  Status  `json:"status"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
	// Notes are facts that were met with.
	Notes []string `json:"notes,omitempty"`
	// Artifacts are files, relative to the folder of artifacts.
	Artifacts []string `json:"artifacts,omitempty"`
}

// Options say how checks are run.
type Options struct {
	Binary    string // path of the binary
	Device    string // as --device has it, "" for auto
	Artifacts string // folder for pictures and logs; "": they are not kept
	Pictures  string // folder for the pictures of the pages that docs show; "": none are made
	// Limit bounds a check; 0: ten minutes.
	Limit time.Duration
}

// patience is the usual Options.Limit.
const patience = 10 * time.Minute

// Run runs checks one after the other. told, unless nil, hears of each as it ends. The
// error is that nothing could be run.
func Run(ctx context.Context, o Options, checks []Check, told func(Result)) (*Report, error) {
	if o.Device == "" {
		o.Device = "auto"
	}
	r := &Report{Schema: Schema, Binary: o.Binary, Device: o.Device, Platform: runtime.GOOS + "/" + runtime.GOARCH, Started: time.Now().UTC(), Checks: []Result{}}
	version, err := o.version(ctx)
	if err != nil {
		return nil, fmt.Errorf("harness: %s: %w", o.Binary, err)
	}
	r.Version = version
	for _, c := range checks {
		if ctx.Err() != nil {
			return r, fmt.Errorf("harness: %w", context.Cause(ctx))
		}
		result := One(ctx, o, c)
		switch result.Status {
		case Passed:
			r.Passed++
		case Failed:
			r.Failed++
		case Skipped:
			r.Skipped++
		}
		r.Checks = append(r.Checks, result)
		r.Seconds = time.Since(r.Started).Seconds()
		if told != nil {
			told(result)
		}
	}
	return r, nil
}

// version asks the binary for its version.
func (o *Options) version(ctx context.Context) (string, error) {
	rig, err := newRig(o, "version")
	if err != nil {
		return "", err
	}
	defer rig.close()
	text, err := rig.Run(ctx, "version")
	first, _, _ := strings.Cut(text, "\n")
	return first, err
}

// One runs one check, in a folder of its own that is gone afterwards.
func One(ctx context.Context, o Options, c Check) Result {
	if o.Device == "" {
		o.Device = "auto"
	}
	if o.Limit <= 0 {
		o.Limit = patience
	}
	start, result := time.Now(), Result{Name: c.Name, About: c.About}
	rig, err := newRig(&o, c.Name)
	if err == nil {
		bounded, cancel := context.WithTimeoutCause(ctx, o.Limit, fmt.Errorf("it took longer than %v", o.Limit))
		if err = c.Run(bounded, rig); err != nil && bounded.Err() != nil {
			err = errors.Join(context.Cause(bounded), err)
		}
		cancel()
		err = rig.end(err)
		result.Notes, result.Artifacts = rig.notes, rig.kept
	}
	result.Seconds = time.Since(start).Seconds()
	var missing *Missing
	switch {
	case err == nil:
		result.Status = Passed
	case errors.As(err, &missing) && os.Getenv(missing.Require) == "":
		result.Status, result.Error = Skipped, "NOT TESTED: "+err.Error()
	default:
		result.Status, result.Error = Failed, err.Error()
	}
	return result
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteFile writes the report to a file, whose folder is made.
func (r *Report) WriteFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(r.Write(f), f.Close())
}

// Summary says a result to a person: a line, and what was found.
func (r Result) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s%-20s%6.1f s\n", r.Status, r.Name, r.Seconds)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "        %s\n", note)
	}
	if r.Error != "" {
		for line := range strings.SplitSeq(strings.TrimSpace(r.Error), "\n") {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	return b.String()
}

// Summary says in a line how it all ended.
func (r *Report) Summary() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped in %.0f s: %s on %s, device %s", r.Passed, r.Failed, r.Skipped, r.Seconds, r.Version, r.Platform, r.Device)
}
