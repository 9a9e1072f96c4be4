package grammar_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-webgpu/realm/engine/grammar"
)

// schemaSuite is the variable that names a folder with the official tests of JSON
// schema.
const schemaSuite = "REALM_JSON_SCHEMA_TESTSUITE"

// suiteCase is a schema of the suite, and what is valid against it.
type suiteCase struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

// TestSchemaSuite runs the official tests of draft 2020-12, and those of formats. A schema is refused with
// the keyword that is not supported, or no text of its grammar is invalid. Of the
// valid ones the grammar leaves out some, as its documentation says: they are counted.
func TestSchemaSuite(t *testing.T) {
	folder := os.Getenv(schemaSuite)
	if folder == "" {
		t.Skipf("NOT TESTED: set %s to a checkout of https://github.com/json-schema-org/JSON-Schema-Test-Suite", schemaSuite)
	}
	var files []string
	for _, part := range []string{"", "optional", "optional/format"} {
		some, err := filepath.Glob(filepath.Join(folder, "tests", "draft2020-12", part, "*.json"))
		if err != nil || len(some) == 0 {
			t.Fatal("there are no tests", err)
		}
		files = append(files, some...)
	}
	refused, schemas, invalid, valid, left := map[string]int{}, 0, 0, 0, map[string]int{}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var cases []suiteCase
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			g, err := grammar.ParseSchema(c.Schema, grammar.SchemaOptions{})
			if err != nil {
				var at *grammar.SchemaError
				if !errors.As(err, &at) || at.Keyword == "" && at.Pointer == "" && string(c.Schema) != "false" {
					t.Errorf("%s: %s: %v: it names no keyword", filepath.Base(path), c.Description, err)
				} else if at.Keyword != "" {
					refused[at.Keyword]++
				} else {
					refused[at.Pointer[strings.LastIndexByte(at.Pointer, '/')+1:]]++
				}
				continue
			}
			schemas++
			for _, x := range c.Tests {
				var compact, wide bytes.Buffer
				if json.Compact(&compact, x.Data) != nil || json.Indent(&wide, x.Data, "", " ") != nil {
					t.Fatal(x.Description)
				}
				taken := matches(g, compact.String()) || matches(g, wide.String())
				name := fmt.Sprintf("%s: %s: %s: %s", filepath.Base(path), c.Description, x.Description, compact.String())
				switch {
				case !x.Valid && taken:
					t.Errorf("%s: an invalid text is of the grammar", name)
				case !x.Valid:
					invalid++
				case taken:
					valid++
				default:
					left[strings.TrimSuffix(filepath.Base(path), ".json")]++
					t.Log("left out: ", name)
				}
			}
		}
	}
	if schemas < 120 || invalid < 180 || valid < 180 {
		t.Errorf("%d schemas, %d invalid and %d valid texts: there were more", schemas, invalid, valid)
	}
	var keywords []string
	for k, n := range refused {
		keywords = append(keywords, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(keywords)
	t.Logf("%d schemas: %d invalid texts are refused, %d valid ones taken, others left out: %v", schemas, invalid, valid, left)
	t.Logf("not supported: %s", strings.Join(keywords, ", "))
}
