// Matrix writes the support matrix of README.md: every architecture, weight format
// and device that there is in the code. Run it in the root of the module, after
// one was added:
//
//	go run ./e2e/matrix
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := update("."); err != nil {
		fmt.Fprintln(os.Stderr, "matrix: "+err.Error())
		os.Exit(1)
	}
}

// update writes the README.md of a module anew where it is out of date.
func update(root string) error {
	path := filepath.Join(root, "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	table, err := matrix(root)
	if err != nil {
		return err
	}
	text, err := replace(old, table)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if bytes.Equal(text, old) {
		return nil
	}
	return os.WriteFile(path, text, 0o644)
}

// The lines that the matrix stands between.
const (
	begin = "<!-- support matrix -->\n"
	end   = "<!-- end of support matrix -->\n"
)

// replace puts a table between the two lines of a text.
func replace(text []byte, table string) ([]byte, error) {
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return nil, fmt.Errorf("no lines %q and %q", begin, end)
	}
	return fmt.Appendf(nil, "%s%s%s%s%s", before, begin, table, end, after), nil
}
