package engine_test

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/realm-webgpu/realm/engine"
	"github.com/realm-webgpu/realm/engine/device"
)

// TestTune has an adapter measured and opened with what was chosen: the answer
// stays the same.
func TestTune(t *testing.T) {
	o := engine.Options{Device: "webgpu", CacheDir: t.TempDir()}
	var measured []engine.Tiling
	tuning, err := engine.Tune(t.Context(), o, func(m engine.Tiling) { measured = append(measured, m) })
	if errors.Is(err, device.ErrNotFound) && os.Getenv("REALM_REQUIRE_GPU") != "1" {
		t.Skipf("SKIPPED: %v (REALM_REQUIRE_GPU=1 makes this a failure)", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for i, chosen := range tuning.Tilings {
		var best engine.Tiling
		for _, m := range measured {
			if m.Columns == 1<<i && m.Rate > best.Rate {
				best = m
			}
		}
		if best.Rate = 0; chosen != best {
			t.Errorf("%+v was chosen, the best is %+v", chosen, best)
		}
	}
	if len(tuning.Tilings) == 0 || tuning.Dir != o.CacheDir {
		t.Errorf("tuning %+v", tuning)
	}
	if files, err := os.ReadDir(o.CacheDir); err != nil || len(files) != 1 {
		t.Errorf("the cache has %v, %v", files, err)
	}
	if text := write(t, ask(t, load(t, open(t, o), engine.LoadOptions{}), question), engine.GenerateOptions{}); text != answer {
		t.Errorf("tuned, the answer is %q", text)
	}
}

func TestTuneErrors(t *testing.T) {
	for _, name := range []string{"cpu", "cuda", "webgpux"} {
		if _, err := engine.Tune(t.Context(), engine.Options{Device: name}, nil); !errors.Is(err, engine.ErrDevice) {
			t.Errorf("device %q: %v", name, err)
		}
	}
	if _, err := engine.Tune(t.Context(), engine.Options{Device: "webgpu:no-such-adapter"}, nil); !errors.Is(err, device.ErrNotFound) {
		t.Errorf("an adapter that is not there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := engine.Options{Device: "webgpu", CacheDir: t.TempDir()}
	if _, err := engine.Tune(ctx, o, nil); !errors.Is(err, context.Canceled) && !errors.Is(err, device.ErrNotFound) {
		t.Errorf("cancelled: %v", err)
	}
	if files, err := os.ReadDir(o.CacheDir); err != nil || len(files) != 0 {
		t.Errorf("the cache has %v, %v", files, err)
	}
}
