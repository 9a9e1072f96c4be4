package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// loseDevice has the binary lose its device after so many steps, once, as if its driver had
// been reset.
const loseDevice = "REALM_LOSE_DEVICE_AFTER"

func deviceLost(ctx context.Context, r *Rig) error {
	want, err := r.ask(ctx, "Tell me about Brazil.")
	if err != nil {
		return err
	}
	r.Env = []string{loseDevice + "=5"}
	c := r.Command(ctx, "run", "--device", r.harness.options.Device, "Tell me about Brazil.")
	var said bytes.Buffer
	c.Stderr = &said
	text, err := c.Output()
	if err != nil {
		return fmt.Errorf("realm run: %w\n%s", err, &said)
	}
	if err := same("realm run whose device is lost", strings.TrimSpace(string(text)), want); err != nil {
		return err
	}
	if err := saysLost("realm run", said.String()); err != nil {
		return err
	}
	return r.lostUnderStreams(ctx, want)
}

// lostUnderStreams has a server lose its device while streams are under way, of the plain
// model and of an adapter.
func (r *Rig) lostUnderStreams(ctx context.Context, want string) error {
	s, err := r.Serve(ctx, "")
	if err != nil {
		return err
	}
	asked := []struct {
		p    params
		want string
	}{
		{asking("Tell me about Brazil."), want}, {asking(france), paris}, {asking(france).with("adapter", "pirate"), piratical},
	}
	wrong := make([]error, len(asked))
	var group sync.WaitGroup
	for i, a := range asked {
		group.Go(func() {
			text, err := s.Stream(ctx, chatPath, a.p, nil)
			if err == nil {
				err = same("a stream whose device is lost", text, a.want)
			}
			wrong[i] = err
		})
	}
	group.Wait()
	if err := errors.Join(wrong...); err != nil {
		return err
	}
	if err := saysLost("the server", s.Log()); err != nil {
		return err
	}
	if err := s.wants(ctx, asking(france), paris); err != nil {
		return fmt.Errorf("afterwards: %w", err)
	}
	return s.Stop()
}

// saysLost wants the loss of a device to be said.
func saysLost(who, said string) error {
	if !strings.Contains(said, "was lost") || !strings.Contains(said, "opened again") {
		return fmt.Errorf("%s does not say that its device was lost and opened again:\n%s", who, said)
	}
	return nil
}

// demoLost kills the process of the browser that has the GPU, under an answer.
func demoLost(ctx context.Context, r *Rig) error {
	const question = "Tell me about Brazil."
	want, err := r.ask(ctx, question)
	if err != nil {
		return err
	}
	return r.inDemo(ctx, func(t *tab) error {
		t.asks(question)
		t.Wait("the answer begins", lastAnswer+`.length > 0`)
		begun := chromium.Get[string](t, lastAnswer)
		if t.Err == nil {
			if _, err := chromedp.CallBrowser(t.Ctx, browser.CrashGPUProcess, cdp.Empty{}); err != nil {
				return fmt.Errorf("crash of the GPU's process: %w", err)
			}
		}
		t.Wait("the page says that the GPU was lost", `document.querySelector(".notice[data-code=lost]")`)
		t.answered()
		t.want("the answer", lastAnswer, want)
		t.Keep("recovered")
		t.Click("#new-chat")
		t.answers(france, paris)
		r.Note("the GPU was lost after %d of %d letters", len(begun), len(want))
		return nil
	})
}
