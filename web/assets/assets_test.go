package assets

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestWith has the files of a page stand beside those that pages share, and not over them.
func TestWith(t *testing.T) {
	files, err := With(fstest.MapFS{"index.html": {Data: []byte("<!doctype html>")}})
	if err != nil {
		t.Fatal(err)
	}
	if string(files["index.html"]) != "<!doctype html>" {
		t.Errorf("the page's own file has %q", files["index.html"])
	}
	for _, name := range []string{"base.css", "element.js", "icon.svg"} {
		if len(files[name]) == 0 {
			t.Errorf("%s is not there", name)
		}
	}
	if len(files) != 4 {
		t.Errorf("%d files, want 4", len(files))
	}
	if _, err := With(fstest.MapFS{"base.css": {}}); err == nil || !strings.Contains(err.Error(), "base.css") {
		t.Errorf("a page with a file of its own of a name that is shared: %v", err)
	}
}
