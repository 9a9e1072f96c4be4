package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-webgpu/realm/engine/device"
)

// reopenWaits are the times between attempts to open a lost device: a driver that was
// reset takes a moment.
var reopenWaits = [...]time.Duration{0, 100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second}

// Ready returns nil where the engine computes what is asked for. Errors: a
// device.ErrLost while the device is being opened again, for which runs wait, and for
// good where it could not be, which ends all of them; ErrClosed.
func (e *Engine) Ready() error { return e.scheduler.Ready() }

// current returns the device, which is another after one was lost.
func (e *Engine) current() device.Device {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.device
}

// again calls f, which uses the device, and once more each time that it fails because
// the device is lost, when that is opened again.
func (e *Engine) again(ctx context.Context, f func() error) error {
	for attempt := 0; ; attempt++ {
		generation := e.scheduler.Generation()
		err := f()
		if !errors.Is(err, device.ErrLost) || attempt == len(reopenWaits) {
			return err
		}
		if lost := e.scheduler.Recover(ctx, generation, err); lost != nil {
			return lost
		}
	}
}

// reopen opens the device again and puts the models back onto it. The scheduler calls
// it, while nothing is in flight.
func (e *Engine) reopen(lost error) error {
	e.loading.Lock()
	defer e.loading.Unlock()
	start := time.Now()
	old := e.current()
	info := old.Info()
	// What it says does not matter any more.
	_ = old.Close()
	var failed error
	for _, wait := range reopenWaits {
		select {
		case <-time.After(wait):
		case <-e.ctx.Done():
			return fmt.Errorf("engine: %w", ErrClosed)
		}
		d, err := e.openSame(info)
		if err == nil {
			if err = e.restore(d); err == nil {
				e.mu.Lock()
				e.device = d
				e.mu.Unlock()
				e.scheduler.SetDevice(d)
				e.say(fmt.Sprintf("the device %s was lost (%v): opened again after %v; texts under way are read again and go on", info.Name, lost, time.Since(start).Round(time.Millisecond)))
				return nil
			}
			_ = d.Close() // why it is of no use is known
		}
		failed = err
	}
	e.say(fmt.Sprintf("the device %s was lost (%v) and cannot be opened again: %v", info.Name, lost, failed))
	return fmt.Errorf("engine: reopen: %w, and it cannot be opened again: %w", lost, failed)
}

// openSame opens the device that was lost, and no other: on another one texts would
// not go on as they began.
func (e *Engine) openSame(info device.Info) (device.Device, error) {
	d, err := e.openAgain(info)
	if err != nil {
		return nil, err
	}
	if found := d.Info(); found.Name != info.Name || found.Driver != info.Driver || found.MaxRows < info.MaxRows {
		return nil, errors.Join(fmt.Errorf("there is %s (%s) in place of %s (%s): %w", found.Name, found.Driver, info.Name, info.Driver, device.ErrNotFound), d.Close())
	}
	return d, nil
}

// restore puts the models onto another device.
func (e *Engine) restore(d device.Device) error {
	e.mu.Lock()
	models := append([]*Model(nil), e.models...)
	e.mu.Unlock()
	for _, m := range models {
		if err := m.restore(e.ctx, d); err != nil {
			return err
		}
	}
	return nil
}

// restore puts the model onto another device: the weights from its file, an empty
// cache, and the adapters.
func (m *Model) restore(ctx context.Context, d device.Device) error {
	if m.core.Closed() {
		return nil // who closed it releases the rest
	}
	if err := m.model.Restore(ctx, d); err != nil {
		return err
	}
	cache, err := d.NewCache(m.spec)
	if err != nil {
		return err
	}
	m.cache = cache
	banks, err := m.adapters.Restore(d)
	if err != nil {
		return err
	}
	m.core.Restore(cache, banks)
	return nil
}
