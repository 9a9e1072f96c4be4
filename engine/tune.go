package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/realm-webgpu/realm/engine/device"
)

// NoCache is the Options.CacheDir that keeps nothing.
const NoCache = "-"

// Tiling is a way to cut the product of a matrix and rows of activations into
// threads, measured.
type Tiling struct {
	Vectors int // groups of four adjacent rows of the matrix that a thread owns
	Columns int // rows of activations that a thread owns
	Lanes   int // threads of a workgroup that lie along the rows of the matrix
	// Rate is in 10^9 multiply-adds a second.
	Rate float64
	// Err says why the adapter does not take it, and Rate is 0.
	Err error
}

// Tuning is the choice among the tilings of an adapter.
type Tuning struct {
	Device device.Info
	// Tilings has the one for 1, 2, 4 and so on rows of activations a thread. The
	// last of them serves all larger steps.
	Tilings []Tiling
	// Dir is where it is remembered, "" for nowhere.
	Dir string
}

// Tune measures tilings on the adapter that o.Device names, and remembers the
// best in o.CacheDir, where Open finds it. It takes seconds to minutes. report,
// unless nil, is told of each measurement. What is chosen changes the speed of a
// device, and never what it computes.
//
// Errors: ErrDevice for a device without tilings, device.ErrNotFound for an
// adapter that is not there or a build without WebGPU, those of the adapter where
// it takes no tiling at all, and ctx.Err().
func Tune(ctx context.Context, o Options, report func(Tiling)) (Tuning, error) {
	backend, adapter, _ := strings.Cut(o.Device, ":")
	switch {
	case backend == "" || o.Device == "auto":
		adapter = ""
	case backend != "webgpu":
		return Tuning{}, fmt.Errorf("engine: tune: %q: %w: only WebGPU adapters have tilings to choose from", o.Device, ErrDevice)
	}
	dir, err := o.cacheDir()
	if err != nil {
		return Tuning{}, fmt.Errorf("engine: tune: %w", err)
	}
	d, err := openWebGPU(adapter, o)
	if err != nil {
		return Tuning{}, fmt.Errorf("engine: tune: %w", err)
	}
	info := d.Info()
	if err := d.Close(); err != nil {
		return Tuning{}, fmt.Errorf("engine: tune: %w", err)
	}
	var good int
	var failures []error
	tuning, err := tuneWebGPU(ctx, adapter, dir, func(t Tiling) {
		if t.Err == nil {
			good++
		} else if len(failures) == 0 {
			failures = append(failures, t.Err)
		}
		if report != nil {
			report(t)
		}
	})
	if err == nil && good == 0 {
		err = errors.Join(failures...)
	}
	if err != nil {
		return Tuning{}, fmt.Errorf("engine: tune: %w", err)
	}
	tuning.Device, tuning.Dir = info, dir
	return tuning, nil
}

// cacheDir returns the folder for what is remembered, "" for none. It fails
// where the system does not say where a user's caches are.
func (o Options) cacheDir() (string, error) {
	switch o.CacheDir {
	case NoCache:
		return "", nil
	case "":
		dir, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cache: %w", err)
		}
		return filepath.Join(dir, "realm"), nil
	}
	return o.CacheDir, nil
}
