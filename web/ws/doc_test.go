package ws

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/web/openai"
)

// TestDoc holds docs/websocket.md to the code: it has every function, status, code and
// member, its examples are JSON, and no code that there is none of.
func TestDoc(t *testing.T) {
	data, err := os.ReadFile("../../docs/websocket.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	has := func(kind, name string) {
		t.Helper()
		if !strings.Contains(doc, "`"+name+"`") && !strings.Contains(doc, `"`+name+`"`) {
			t.Errorf("docs/websocket.md does not have the %s %s", kind, name)
		}
	}
	for _, f := range functions {
		has("function", string(f))
	}
	for _, s := range []string{streaming, complete, failed, cancelled} {
		has("status", s)
	}
	source, err := os.ReadFile("../service/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]bool{}
	for _, m := range regexp.MustCompile(`Code\s+= "([A-Z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		codes[m[1]] = true
		has("code", m[1])
	}
	if len(codes) < 10 {
		t.Errorf("%d codes were found: does errors.go still have them?", len(codes))
	}
	for _, m := range regexp.MustCompile("`([A-Z]+_[A-Z_]+)`").FindAllStringSubmatch(doc, -1) {
		if !codes[m[1]] {
			t.Errorf("docs/websocket.md has the code %s, and there is none", m[1])
		}
	}
	for _, v := range []any{
		frame{}, hello{}, greeting{}, connected{}, model{}, models{}, adaptersParams{}, adapters{}, adapter{}, cancelParams{}, health{}, metadata{},
		reply{}, failure{}, details{}, part{}, choice{}, ending{}, openai.Timings{},
	} {
		members(reflect.TypeOf(v), func(name string) { has("member", name) })
	}
	blocks := regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(doc, -1)
	if len(blocks) < 6 {
		t.Errorf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		for line := range strings.Lines(b[1]) {
			if !json.Valid([]byte(line)) {
				t.Errorf("this example is no JSON: %s", line)
			}
			if strings.Contains(line, `"function"`) {
				if _, err := readFrame([]byte(line), 32); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
			if strings.Contains(line, `"type": "auth",`) {
				if _, err := readHello([]byte(line)); err != nil {
					t.Errorf("%s: %v", line, err)
				}
			}
		}
	}
}

// members calls name for every member of a struct of this package, and of those in it.
func members(s reflect.Type, name func(string)) {
	for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
		s = s.Elem()
	}
	if s.Kind() != reflect.Struct {
		return
	}
	for f := range s.Fields() {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag != "" && tag != "-" {
			name(tag)
		}
		if f.Anonymous || f.Type.PkgPath() == s.PkgPath() {
			members(f.Type, name)
		}
	}
}
