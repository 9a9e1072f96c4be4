package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/realm-webgpu/realm/web/service"
)

// object reads the members of a JSON object one by one, each once. The first error
// is kept and what is read behind it is nothing, so that a reader of many members
// asks for the error once, at the end, which also names members that nobody read.
//
// Members are found by their exact names. null is as good as no member.
type object struct {
	path    string // of the object within the request; "" for the request itself
	members map[string]json.RawMessage
	err     *service.Error
}

// readBody reads the object that a request is.
func readBody(data []byte, l Limits) (*object, error) {
	if int64(len(data)) > l.Body {
		return nil, service.Invalid("", "the request has %d bytes, at most %d are read", len(data), l.Body)
	}
	if !utf8.Valid(data) {
		return nil, service.Invalid("", "the request is not UTF-8")
	}
	if Depth(data) > l.Depth {
		return nil, service.Invalid("", "the request nests arrays and objects more than %d deep", l.Depth)
	}
	o := readObject("", data)
	if o.err != nil {
		return nil, o.err
	}
	return o, nil
}

// Depth returns how deep arrays and objects are in one another, whether the text is
// JSON or not.
func Depth(data []byte) int {
	most, now, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}

// readObject reads an object at a path of the request.
func readObject(path string, raw json.RawMessage) *object {
	o := &object{path: path}
	if err := json.Unmarshal(raw, &o.members); err != nil || o.members == nil {
		switch what := kindOf(raw); {
		case path == "" && err != nil && (what == "an object" || !json.Valid(raw)):
			o.err = service.Invalid("", "the request is no JSON object: %v", err)
		case path == "":
			o.err = service.Invalid("", "the request is no JSON object: it is %s", what)
		default:
			o.err = service.Invalid(path, "%s: an object is expected, not %s", path, what)
		}
	}
	return o
}

// kindOf says what JSON a value is, for errors.
func kindOf(raw json.RawMessage) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return "nothing"
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// at returns the path of a member.
func (o *object) at(name string) string {
	if o.path == "" {
		return name
	}
	return o.path + "." + name
}

// fail keeps an error of a member; "" is the object itself.
func (o *object) fail(name, format string, args ...any) {
	if o.err != nil {
		return
	}
	path := o.path
	if name != "" {
		path = o.at(name)
	}
	o.err = service.Invalid(path, "%s", path+": "+fmt.Sprintf(format, args...))
}

// keep keeps an error that has its place already.
func (o *object) keep(err *service.Error) {
	if o.err == nil {
		o.err = err
	}
}

// take returns a member, once; nil where there is none, or null.
func (o *object) take(name string) json.RawMessage {
	raw := o.members[name]
	delete(o.members, name)
	if o.err != nil || string(raw) == "null" {
		return nil
	}
	return raw
}

// has reports whether there is a member that is not null and was not taken.
func (o *object) has(name string) bool {
	raw, ok := o.members[name]
	return ok && string(raw) != "null"
}

// read reads a member into a value; what is the kind of JSON that is expected. It
// reports whether there was one.
func (o *object) read(name, what string, into any) bool {
	raw := o.take(name)
	if raw == nil {
		return false
	}
	if !decode(raw, into) {
		if got := kindOf(raw); strings.Contains(what, got) { // such as 1e999, or [1] for texts
			o.fail(name, "%s cannot be read as %s", clip(string(raw)), what)
		} else {
			o.fail(name, "%s is expected, not %s", what, got)
		}
		return false
	}
	return true
}

// decode reads a value, and reports whether it is one. Within a list of numbers or of
// texts null is none, though it is as good as no member.
func decode(raw json.RawMessage, into any) bool {
	if json.Unmarshal(raw, into) != nil {
		return false
	}
	var all []json.RawMessage
	switch into.(type) {
	case *[]int32, *[]string:
		if json.Unmarshal(raw, &all) != nil {
			return false
		}
	case *map[string]float64:
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil {
			return false
		}
		all = slices.Collect(maps.Values(members))
	}
	return !slices.ContainsFunc(all, func(x json.RawMessage) bool { return string(x) == "null" })
}

// text reads a string of at most so many bytes.
func (o *object) text(name string, most int) string {
	var s string
	if o.read(name, "a string", &s) && len(s) > most {
		o.fail(name, "%d bytes, at most %d", len(s), most)
	}
	return s
}

// choice reads a string that is one of some; "" where there is none.
func (o *object) choice(name string, of ...string) string {
	var s string
	if o.read(name, "a string", &s) && !slices.Contains(of, s) {
		o.fail(name, "%q is none of %s", clip(s), strings.Join(of, ", "))
	}
	return s
}

// flag reads a boolean, which is what it is where there is none.
func (o *object) flag(name string, otherwise bool) bool {
	o.read(name, "true or false", &otherwise)
	return otherwise
}

// number reads a number within bounds, and reports whether there was one.
func (o *object) number(name string, low, high float64) (float64, bool) {
	var f float64
	if !o.read(name, "a number", &f) {
		return 0, false
	}
	if !(f >= low && f <= high) {
		o.fail(name, "%g is not in [%g, %g]", f, low, high)
	}
	return f, true
}

// count reads a whole number within bounds, and reports whether there was one. 16.0
// is 16: clients in languages without integers write that.
func (o *object) count(name string, low, high int) (int, bool) {
	f, ok := o.number(name, math.Inf(-1), math.Inf(1))
	if !ok {
		return 0, false
	}
	if f != math.Trunc(f) {
		o.fail(name, "%g is no whole number", f)
		return 0, false
	}
	if f < float64(low) || f > float64(high) {
		o.fail(name, "%.0f is not in [%d, %d]", f, low, high)
		return 0, false
	}
	return int(f), true
}

// object reads an object; nil where there is none.
func (o *object) object(name string) *object {
	raw := o.take(name)
	if raw == nil {
		return nil
	}
	inner := readObject(o.at(name), raw)
	o.adopt(inner)
	if inner.err != nil {
		return nil
	}
	return inner
}

// adopt takes over the error of an object within.
func (o *object) adopt(inner *object) {
	if inner.err != nil {
		o.keep(inner.err)
	}
}

// list reads an array of at most so many values.
func (o *object) list(name string, most int) []json.RawMessage {
	var all []json.RawMessage
	if o.read(name, "an array", &all) && len(all) > most {
		o.fail(name, "%d values, at most %d", len(all), most)
		return nil
	}
	return all
}

// objects reads an array of objects, and calls each with them until there is an error.
func (o *object) objects(name string, most int, each func(*object)) int {
	all := o.list(name, most)
	for i, raw := range all {
		if o.err != nil {
			break
		}
		inner := readObject(fmt.Sprintf("%s[%d]", o.at(name), i), raw)
		if inner.err == nil {
			each(inner)
		}
		o.adopt(inner)
	}
	return len(all)
}

// accept passes over members that change nothing of an answer.
func (o *object) accept(names ...string) {
	for _, name := range names {
		delete(o.members, name)
	}
}

// refuse is for members that change an answer in a way that this server does not:
// only null is accepted.
func (o *object) refuse(names ...string) {
	for _, name := range names {
		if o.take(name) != nil {
			o.fail(name, "is not supported")
		}
	}
}

// end returns the first error. A member that nobody has read is one.
func (o *object) end() error {
	if err := o.finish(); err != nil {
		return err
	}
	return nil
}

// finish is end for an object within another.
func (o *object) finish() *service.Error {
	if o.err == nil && len(o.members) > 0 {
		name := slices.Min(slices.Collect(maps.Keys(o.members)))
		o.fail(clip(name), "there is no such parameter")
	}
	return o.err
}

// clip shortens a text of the client's for an error.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	for s = s[:most]; !utf8.ValidString(s); s = s[:len(s)-1] {
	}
	return s + "..."
}
