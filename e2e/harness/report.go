package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	Binary   string    `json:"binary"`  // its path; "": it was built for this
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

// add adds a result.
func (r *Report) add(result Result) {
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
