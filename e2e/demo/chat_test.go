package demo

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestParis asks the model that comes with the page, on the browser's WebGPU.
func TestParis(t *testing.T) {
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	x.ask(france, paris)
	x.says("#notices", "The GPU here is a program")
	x.says("#status", "SwiftShader")
	x.says(".facts", "tokens/s")
	x.do(chromedp.SetValue("#adapter", "pirate"))
}
