package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTune(t *testing.T) {
	f := newFolder(t)
	o := f.realm("", "bench", "--tune", "--device", "webgpu", "--json")
	if o.code == exitDevice && os.Getenv("REALM_REQUIRE_GPU") != "1" {
		t.Skipf("SKIPPED: %s(REALM_REQUIRE_GPU=1 makes this a failure)", o.stderr)
	}
	if o.code != exitOK || o.stderr != "" {
		t.Fatalf("exit code %d, %q", o.code, o.stderr)
	}
	var reports struct{ Devices []tuneReport }
	if err := json.Unmarshal([]byte(o.stdout), &reports); err != nil {
		t.Fatal(err)
	}
	if len(reports.Devices) != 1 {
		t.Fatalf("%+v", reports)
	}
	r := reports.Devices[0]
	if len(r.Measured) == 0 || len(r.Chosen) == 0 || r.Backend != "webgpu" || r.Folder != filepath.Join(f.dir, "realm") {
		t.Errorf("%+v", r)
	}
	if found, err := filepath.Glob(filepath.Join(f.dir, "realm", "*")); err != nil || len(found) != 1 {
		t.Errorf("remembered %q, %v", found, err)
	}
	if o := f.good("", "run", "--device", "webgpu", question); o.stdout != answer {
		t.Errorf("tuned, the answer is %q", o.stdout)
	}
}

func TestTuneTable(t *testing.T) {
	r := tuneReport{
		Option: "webgpu:0", deviceReport: deviceReport{Name: "GPU", Driver: "1.2"}, Folder: "/caches/realm",
		Measured: []tilingReport{
			{Vectors: 1, Columns: 1, Lanes: 8, Rate: 12.345}, {Vectors: 1, Columns: 2, Lanes: 8, Rate: 20},
			{Vectors: 2, Columns: 1, Lanes: 8, Rate: 10}, {Vectors: 2, Columns: 2, Lanes: 8, Error: "too large"},
			{Vectors: 1, Columns: 1, Lanes: 16, Rate: 1},
		},
		Chosen: []tilingReport{{Vectors: 1, Columns: 1, Lanes: 8}, {Vectors: 1, Columns: 2, Lanes: 8}},
	}
	const want = `webgpu:0: GPU (1.2)
GMAC/s by lanes and rows of the matrix a thread (down), rows of activations a thread (across)
  lanes  rows      1       2 
      8     4  12.35*     20*
      8     8     10   fails 
     16     4      1         
* is used from now on, also where more rows are read at once; remembered in /caches/realm
`
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if b.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", b.String(), want)
	}
}
