package ws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/realm-webgpu/realm/web/openai"
	"github.com/realm-webgpu/realm/web/service"
)

// maxID bounds the id of a call, in bytes: it comes back in every reply.
const maxID = 256

// function is what a client may call.
type function string

// The functions.
const (
	functionGenerate function = "generate"
	functionChat     function = "chat"
	functionCancel   function = "cancel"
	functionModels   function = "models"
	functionAdapters function = "adapters"
	functionHealth   function = "health"
	functionMetadata function = "metadata"
)

// functions are all of them.
var functions = []function{
	functionGenerate, functionChat, functionCancel, functionModels, functionAdapters, functionHealth, functionMetadata,
}

// frame is a call as a client sends it.
type frame struct {
	ID       string          `json:"id"`
	Function function        `json:"function"`
	Params   json.RawMessage `json:"params"`
}

// readFrame reads a call. Errors are a *service.Error of code INVALID_REQUEST; the
// frame has the id then, as far as it could be read.
func readFrame(data []byte, depth int) (frame, error) {
	var f frame
	if err := readJSON("", data, depth, &f); err != nil {
		return frame{ID: f.ID}, err
	}
	switch {
	case f.ID == "" || len(f.ID) > maxID:
		n := len(f.ID)
		f.ID = ""
		return f, service.Invalid("id", "id: %d bytes, want 1 to %d", n, maxID)
	case f.Function == "":
		return f, service.Invalid("function", "function: is missing")
	}
	return f, nil
}

// hello is what a client says first, to a server with keys: one of the two.
type hello struct {
	Type   string `json:"type"` // auth
	Key    string `json:"api_key"`
	Ticket string `json:"ticket"`
}

// readHello reads it. Errors are a *service.Error.
func readHello(data []byte) (hello, error) {
	var h hello
	if err := readJSON("", data, 4, &h); err != nil {
		return h, err
	}
	if h.Type != "auth" || (h.Key == "") == (h.Ticket == "") {
		return h, service.Invalid("type", `{"type":"auth"} with either api_key or ticket is expected first`)
	}
	return h, nil
}

// readJSON reads a value whose members are all known, in bounds. Nothing, and null, are
// an empty one. Errors name the path of the value within the frame, "" for the whole.
func readJSON(path string, data []byte, depth int, v any) error {
	what := path
	if what == "" {
		what = "the frame"
	}
	switch {
	case path != "" && (len(data) == 0 || string(data) == "null"):
		return nil
	case !utf8.Valid(data):
		return service.Invalid(path, "%s is not UTF-8", what)
	case openai.Depth(data) > depth:
		return service.Invalid(path, "%s nests arrays and objects more than %d deep", what, depth)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return service.Invalid(path, "%s cannot be read: %s", what, jsonError(err))
	}
	// Go takes members of another case for those it knows.
	var members map[string]json.RawMessage
	_ = json.Unmarshal(data, &members) // it was read before
	for name := range members {
		if !known(v, name) {
			return service.Invalid(path, "%s cannot be read: json: unknown field %q", what, name)
		}
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns it as it is
		return service.Invalid(path, "%s has something behind its end", what)
	}
	return nil
}

// known reports whether a pointer to a struct has a member of that name.
func known(v any, name string) bool {
	t := reflect.TypeOf(v).Elem()
	for i := range t.NumField() {
		if tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); tag == name {
			return true
		}
	}
	return false
}

// jsonError says what is wrong without the names of Go's types.
func jsonError(err error) string {
	switch e := err.(type) { //nolint:errorlint // Decode returns them as they are
	case *json.UnmarshalTypeError:
		if e.Field == "" {
			return "an object is expected, not " + article(e.Value)
		}
		return fmt.Sprintf("%s: a string is expected, not %s", e.Field, article(e.Value))
	default:
		return err.Error()
	}
}

// article puts an article before a kind of JSON.
func article(kind string) string {
	if kind == "array" || kind == "object" {
		return "an " + kind
	}
	return "a " + kind
}
