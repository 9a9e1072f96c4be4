package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/realm-webgpu/realm/e2e/realm"
	"github.com/realm-webgpu/realm/web/demo/build"
)

// Options say how checks are run.
type Options struct {
	Binary    string // path of the binary; "": one is built
	Device    string // as --device has it; "": auto
	Artifacts string // folder for pictures and logs; "": they are not kept
	// Limit bounds a check; 0: ten minutes.
	Limit time.Duration
}

// patience is the usual Options.Limit.
const patience = 10 * time.Minute

// Harness runs checks of one binary.
type Harness struct {
	options Options
	binary  string // its path, absolute
	dir     string // what is built, until Close
	demo    string // the folder that the demo was published to, "" before
}

// New makes a harness, and builds the binary where none is given.
func New(ctx context.Context, o Options) (*Harness, error) {
	if o.Device == "" {
		o.Device = "auto"
	}
	if o.Limit <= 0 {
		o.Limit = patience
	}
	dir, err := os.MkdirTemp("", "realm-harness")
	if err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	h := &Harness{options: o, dir: dir}
	if o.Binary == "" {
		h.binary, err = realm.Build(ctx, dir)
	} else {
		h.binary, err = filepath.Abs(o.Binary)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("harness: %w", err), h.Close())
	}
	return h, nil
}

// Close removes what was built.
func (h *Harness) Close() error { return os.RemoveAll(h.dir) }

// Run runs checks one after the other. told, unless nil, hears of each as it ends. The
// error is that not all could be run; the report, nil if none could, has the others.
func (h *Harness) Run(ctx context.Context, checks []Check, told func(Result)) (*Report, error) {
	report := &Report{
		Schema: Schema, Binary: h.options.Binary, Device: h.options.Device, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Started: time.Now().UTC(), Checks: []Result{},
	}
	text, err := realm.Place{Binary: h.binary, Dir: h.dir}.Run(ctx, "version")
	if err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	report.Version, _, _ = strings.Cut(text, "\n")
	for _, c := range checks {
		if ctx.Err() != nil {
			return report, fmt.Errorf("harness: %w", context.Cause(ctx))
		}
		result := h.Check(ctx, c)
		report.add(result)
		if told != nil {
			told(result)
		}
	}
	return report, nil
}

// Check runs one check, in a folder of its own that is gone afterwards.
func (h *Harness) Check(ctx context.Context, c Check) Result {
	start, result := time.Now(), Result{Name: c.Name, About: c.About}
	rig, err := newRig(h, c.Name)
	if err == nil {
		bounded, cancel := context.WithTimeoutCause(ctx, h.options.Limit, fmt.Errorf("it took longer than %v", h.options.Limit))
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
		result.Status, result.Error = Skipped, "NOT TESTED: "+missing.Error()
	default:
		result.Status, result.Error = Failed, err.Error()
	}
	return result
}

// published returns the folder that the demo was published to, once for all checks. Little
// time is spent on compression. Errors: a *Missing.
func (h *Harness) published() (string, error) {
	if h.demo != "" {
		return h.demo, nil
	}
	dir := filepath.Join(h.dir, "demo")
	if err := build.Publish(dir, 2); err != nil {
		return "", &Missing{What: "demo in the binary, and it could not be built here", Require: "REALM_REQUIRE_BROWSER", Err: err}
	}
	h.demo = dir
	return dir, nil
}
