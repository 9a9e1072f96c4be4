package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
)

// printJSON prints one JSON object on one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// printable is text from a file as a terminal can show it: quoted where it has
// control characters.
func printable(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return strconv.Quote(s)
	}
	return s
}

// replaceFile writes a file all or not at all: to a temporary file beside it,
// which becomes the file when write has done its work, and is gone after an
// error. What is there already and is no ordinary file, such as a device, is
// left alone.
func replaceFile(path string, write func(io.Writer) error) (err error) {
	if old, err := os.Stat(path); err == nil && !old.Mode().IsRegular() {
		return fmt.Errorf("output: %s is not an ordinary file", path)
	}
	temporary := fmt.Sprintf("%s.%d.tmp", path, os.Getpid())
	// Not os.CreateTemp: its files are for the owner alone, and the file is to
	// have the permissions of any other that the user makes.
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temporary))
		}
	}()
	if err := write(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}
