package chat

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

//go:embed builtin/*.jinja
var builtin embed.FS

// BuiltinNames are the names of the templates that Builtin has, in order.
func BuiltinNames() []string {
	files, err := fs.Glob(builtin, "builtin/*.jinja")
	if err != nil {
		return nil // the pattern is good
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(file, "builtin/"), ".jinja")
	}
	slices.Sort(names)
	return names
}

// Builtin gives the source of a template that may be chosen by name where a model has none, or a
// wrong one. They write plain conversations: system, user and assistant, and no tools.
func Builtin(name string) (string, error) {
	source, err := fs.ReadFile(builtin, "builtin/"+name+".jinja")
	if err != nil {
		return "", fmt.Errorf("chat: built-in template: %w: %q, there are %s", ErrUnknownTemplate, name, strings.Join(BuiltinNames(), ", "))
	}
	return string(source), nil
}
