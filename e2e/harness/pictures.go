package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/chromium"
)

// mostPicture is the most that a picture of the docs takes, in bytes.
const mostPicture = 200 << 10

// Pictures is a check that makes the pictures of the pages that docs show, in a folder:
// playground.png and demo.png.
func Pictures(dir string) Check {
	return Check{"pictures", "The pictures of the pages that docs show can be made.", func(ctx context.Context, r *Rig) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return errors.Join(r.picturePlayground(ctx, filepath.Join(dir, "playground.png")), r.pictureDemo(ctx, filepath.Join(dir, "demo.png")))
	}}
}

func (r *Rig) picturePlayground(ctx context.Context, path string) error {
	t, _, err := r.openPlayground(ctx, "")
	if err != nil {
		return err
	}
	t.pick("#beside", "pirate")
	for _, question := range []string{"Tell me about Norway.", france} {
		t.Click("#new-chat") // what the first answers wait for is not for figures
		t.asks(question)
		t.answered()
	}
	t.Click("#figures summary")
	return t.shoot(path)
}

func (r *Rig) pictureDemo(ctx context.Context, path string) error {
	t, _, err := r.openDemo(ctx)
	if err != nil {
		return err
	}
	if chromium.Get[bool](t, `document.querySelector(".notice button") !== null`) {
		t.Click(".notice button") // it was read
	}
	t.answers(france, paris)
	t.asks("Tell me about Norway.")
	t.answered()
	return t.shoot(path)
}

// shoot writes a picture of what is seen to a file.
func (t *tab) shoot(path string) error {
	t.Do("resize", chromedp.EmulateViewport(1200, 750, chromedp.EmulateScale(1.5)))
	t.Eval(`document.activeElement.blur()`) // what was clicked on last is not what is shown
	t.Settle()
	picture := t.Picture()
	if err := t.well(); err != nil {
		return err
	}
	if len(picture) > mostPicture {
		return fmt.Errorf("%s has %d bytes, at most %d", path, len(picture), mostPicture)
	}
	return os.WriteFile(path, picture, 0o644)
}
