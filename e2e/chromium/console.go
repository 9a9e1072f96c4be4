package chromium

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/chromedp"
)

// mostMessages is how many messages of a console are kept, the last ones.
const mostMessages = 10

// console has the last warnings and errors of a tab's console.
type console struct {
	mu       sync.Mutex
	messages []string
}

// newConsole listens to a tab until that ends.
func newConsole(ctx context.Context) *console {
	c := &console{}
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			switch m.Type {
			case chromedp.ConsoleWarning, chromedp.ConsoleError, chromedp.ConsoleException:
				c.add(m.String())
			}
		}
	}()
	return c
}

func (c *console) add(message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, clip(message, 500))
	c.messages = slices.Delete(c.messages, 0, max(0, len(c.messages)-mostMessages))
}

// String returns what the console has, for errors.
func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.messages) == 0 {
		return "the console has no warnings and no errors"
	}
	return fmt.Sprintf("the console has last:\n%s", strings.Join(c.messages, "\n"))
}
