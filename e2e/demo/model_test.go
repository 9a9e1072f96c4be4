package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/realm-webgpu/realm/e2e/models"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

// kept lists what the origin private file system has: names and sizes.
const kept = `(async () => {
	const names = [];
	const root = await navigator.storage.getDirectory();
	for await (const folder of root.values())
		for await (const file of folder.values()) names.push(decodeURIComponent(file.name).split("/").pop() + " " + (await file.getFile()).size);
	return names.sort().join();
})()`

// TestFile opens files of one's own: nothing of them is copied.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	x := visit(t, serve(t, "").url)
	x.ready("atlas")
	x.do(chromedp.Click("#open-models"), chromedp.SetUploadFiles("#model-file", []string{file("mine.gguf", models.Atlas)}))
	x.ready("mine")
	x.ask(france, paris)
	if got := get[string](x, kept); got != "" {
		t.Errorf("a file was opened, and the browser keeps %s", got)
	}
	x.do(chromedp.Click("#open-models"), chromedp.SetUploadFiles("#adapter-file", []string{file("my-pirate.gguf", models.Adapters()["pirate"])}))
	x.want(`document.querySelector("#adapter").value === "my-pirate" && !document.querySelector("#adapter").disabled`)
	x.ask(france, pirate)

	// What is no model, and no adapter, is told of.
	x.do(chromedp.Click("#open-models"), chromedp.SetUploadFiles("#adapter-file", []string{file("none.gguf", models.Draft)}))
	x.says("#notices", "none could not be used")
	x.says("#notices", "does not go with the model")
	x.do(chromedp.Click("#open-models"), chromedp.SetUploadFiles("#model-file", []string{file("text.gguf", []byte("no model at all"))}))
	x.says("#notices", "text could not be loaded")
	x.says("#notices", "This is not a model that Realm runs")
	x.want(`document.querySelector("#send").disabled`)
}

// TestDownload gets a model from an address, over a connection that breaks, and uses it
// without a network.
func TestDownload(t *testing.T) {
	s := serve(t, "")
	x := visit(t, s.url)
	x.ready("atlas")
	address := strings.TrimSuffix(s.url, "/demo/") + "/some.gguf"
	x.download(address + ".none")
	x.says("#notices", "the server answered 404")
	x.download(s.url)
	x.says("#notices", "no GGUF file at this address")

	s.cut.Store(1 << 20)
	x.download(address)
	x.says("#notices", "The connection broke")
	if got := get[string](x, kept); !contains(got, "some.gguf.part 1048576") {
		t.Errorf("of a download that broke off it keeps %s", got)
	}
	s.cut.Store(0)
	x.download(address)
	x.ready("some")
	x.ask(france, paris)
	x.want(kept + `.then((k) => k.startsWith("some.gguf 3956384"))`)
	if got := get[string](x, kept); !contains(got, "some.gguf 3956384") || contains(got, "some.gguf.part") {
		t.Errorf("of a download it keeps %s", got)
	}
	if n := s.ranges.Load(); n != 1 {
		t.Errorf("%d downloads went on where one broke off", n)
	}

	// Without a network.
	get[any](x, `navigator.serviceWorker.ready.then(() => null)`)
	s.off.Store(true)
	x.do(chromedp.Reload())
	x.ready("atlas")
	x.ask(france, paris)
	x.do(chromedp.Click("#open-models"))
	x.says("#model-list", "3.77 MiB")
	x.do(chromedp.Click("#model-list li:nth-child(2) .use"))
	x.ready("some")
	x.ask(france, paris)

	x.do(chromedp.Click("#open-models"), chromedp.Click("#model-list li:nth-child(2) .small"))
	x.want(`document.querySelectorAll("#model-list li").length === 1`)
	if got := get[string](x, kept); contains(got, "some.gguf") {
		t.Errorf("what was deleted is there still: %s", got)
	}
}

// TestCancel stops a download, and another model is chosen while one loads.
func TestCancel(t *testing.T) {
	s := serve(t, "")
	x := visit(t, s.url)
	x.ready("atlas")
	s.slow.Store(true)
	address := strings.TrimSuffix(s.url, "/demo/") + "/some.gguf"
	x.download(address)
	x.says("#loading-words", "Downloading some")
	x.do(chromedp.Click("#loading-cancel"))
	x.ready("atlas") // what was there before is back
	x.ask(france, paris)
}

// TestQuota has no room for a model.
func TestQuota(t *testing.T) {
	s := serve(t, `navigator.storage.estimate = async () => ({ quota: 3 * 2 ** 20, usage: 2 ** 20 });`)
	x := visit(t, s.url)
	x.ready("atlas")
	address := strings.TrimSuffix(s.url, "/demo/") + "/some.gguf"
	x.download(address)
	x.says("#notices", "it takes 3.8 MiB, and the browser gives this page 2.0 MiB more")
	x.says("#notices", "that takes no room")
}
