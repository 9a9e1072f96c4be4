package harness

import (
	"context"
	"fmt"
)

// Check is one thing that has to be so.
type Check struct {
	Name  string // in lower case, with hyphens
	About string // what is so, in a sentence
	// Run finds out. Its error says what is otherwise, or, a *Missing, that it cannot be
	// found out here.
	Run func(ctx context.Context, r *Rig) error
}

// Checks are all there are, in the order in which they are run.
func Checks() []Check {
	return []Check{
		{"paris-cli", "realm run answers.", parisCLI},
		{"paris-http", "The server answers over HTTP, as a chat and as a completion.", parisHTTP},
		{"paris-sse", "The server streams the same answer as events, in parts.", parisSSE},
		{"paris-websocket", "The server streams the same answer over the WebSocket.", parisWebSocket},
		{"paris-playground", "The playground answers in a browser.", parisPlayground},
		{"paris-demo", "The whole runtime answers in a page, in a browser.", parisDemo},
		{"adapters", "Adapters are loaded, applied and removed while the server runs; one that there is not is an error, and never the plain model's answer.", adapters},
		{"speculation", "Texts are the same with drafts and without, and the counters of drafts move.", speculation},
		{"batching", "Sixteen streams at a time have the texts that each has alone.", batching},
		{"guests", "Each example of a guest answers, from the command line and in the server.", guests},
		{"crash", "A server that is killed in mid-stream starts again with its keys, its counts and its models whole.", crash},
		{"crash-pull", "A download that is killed goes on where it was.", crashPull},
		{"device-lost", "A device that is lost under answers is opened again, and the answers are the same.", deviceLost},
		{"playground", "A person asks, stops, asks again, switches the adapter and finds the chat again; the page gets over a restart of its server.", playground},
		{"playground-layout", "The playground holds together at three widths, light and dark.", playgroundLayout},
		{"demo", "A person asks the demo, stops it, switches the adapter, and goes on without a network.", demoAsPerson},
		{"demo-agrees", "The demo says what realm run says.", demoAgrees},
		{"demo-lost", "The demo's answer goes on when the browser's GPU process crashes.", demoLost},
		{"demo-layout", "The demo holds together at three widths, light and dark.", demoLayout},
	}
}

// Missing is why a check cannot be made on this machine.
type Missing struct {
	What string
	// Require is the variable of the environment that makes it a failure.
	Require string
	Err     error // nil: What says it all
}

// Error implements error.
func (m *Missing) Error() string {
	if m.Err != nil {
		return fmt.Sprintf("there is no %s: %v", m.What, m.Err)
	}
	return "there is no " + m.What
}

// Unwrap returns what the absence came out by.
func (m *Missing) Unwrap() error { return m.Err }
