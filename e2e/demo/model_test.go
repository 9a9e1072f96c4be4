package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/e2e/chromium"
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
	x.open("#model-file", file("mine.gguf", models.Atlas))
	x.ready("mine")
	x.ask(france, paris)
	if got := chromium.Get[string](x, kept); got != "" {
		t.Errorf("a file was opened, and the browser keeps %s", got)
	}
	x.open("#adapter-file", file("my-pirate.gguf", models.Adapters()["pirate"]))
	x.Want(`document.querySelector("#adapter").value === "my-pirate" && !document.querySelector("#adapter").disabled`)
	x.ask(france, pirate)

	// What is no model, and no adapter, is told of.
	x.open("#adapter-file", file("none.gguf", models.Draft))
	x.Says("#notices", "none could not be used")
	x.Says("#notices", "does not go with the model")
	x.open("#model-file", file("text.gguf", []byte("no model at all")))
	x.Says("#notices", "text could not be loaded")
	x.Says("#notices", "This is not a model that Realm runs")
	x.Want(`document.querySelector("#send").disabled`)
}

// TestDownload gets a model from an address, over a connection that breaks, and uses it
// without a network.
func TestDownload(t *testing.T) {
	s := serve(t, "")
	x := visit(t, s.url)
	x.ready("atlas")
	address := strings.TrimSuffix(s.url, "/demo/") + "/some.gguf"
	x.download(address + ".none")
	x.Says("#notices", "the server answered 404")
	x.download(s.url)
	x.Says("#notices", "no GGUF file at this address")

	s.cut.Store(1 << 20)
	x.download(address)
	x.Says("#notices", "The connection broke")
	if got := chromium.Get[string](x, kept); !contains(got, "some.gguf.part 1048576") {
		t.Errorf("of a download that broke off it keeps %s", got)
	}
	s.cut.Store(0)
	x.download(address)
	x.ready("some")
	x.ask(france, paris)
	x.Want(kept + `.then((k) => k.startsWith("some.gguf 3956384"))`)
	if got := chromium.Get[string](x, kept); !contains(got, "some.gguf 3956384") || contains(got, "some.gguf.part") {
		t.Errorf("of a download it keeps %s", got)
	}
	if n := s.ranges.Load(); n != 1 {
		t.Errorf("%d downloads went on where one broke off", n)
	}

	// Without a network.
	x.Eval(`navigator.serviceWorker.ready`)
	s.off.Store(true)
	x.Reload()
	x.ready("atlas")
	x.ask(france, paris)
	x.Click("#open-models")
	x.Says("#model-list", "3.77 MiB")
	x.Click("#model-list li:nth-child(2) .use")
	x.ready("some")
	x.ask(france, paris)

	x.Click("#open-models")
	x.Click("#model-list li:nth-child(2) .small")
	x.Want(`document.querySelectorAll("#model-list li").length === 1`)
	if got := chromium.Get[string](x, kept); contains(got, "some.gguf") {
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
	x.Says("#loading-words", "Downloading some")
	x.Click("#loading-cancel")
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
	x.Says("#notices", "it takes 3.8 MiB, and the browser gives this page 2.0 MiB more")
	x.Says("#notices", "that takes no room")
}
