package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// ErrInvalid marks a configuration that is not valid: no TOML, an unknown key, a value
// outside its limits.
var ErrInvalid = errors.New("configuration is not valid")

// maxFile bounds a configuration file, in bytes.
const maxFile = 1 << 20

// Load reads and validates a configuration file. With "" it is that of DefaultPath, or
// Default where there is none. Paths in it that are relative are so to its folder.
// Errors: ErrInvalid, and those of the file.
func Load(path string) (*Config, error) {
	named := path != ""
	if !named {
		path = DefaultPath()
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return Default(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(data, filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("config: %s: %w", path, err)
	}
	c.Path = path
	return c, nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("%s: over %d bytes: %w", path, maxFile, ErrInvalid)
	}
	return data, err
}

// Parse reads and validates the text of a configuration file. Relative paths become
// those under dir. Errors: ErrInvalid, each with its key, and with line and column
// where it is one of form.
func Parse(data []byte, dir string) (*Config, error) {
	c := Default()
	d := toml.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, located(err)
	}
	c.resolve(dir)
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

// located makes an error of the decoder one that says where.
func located(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) {
		var all []error
		for i := range unknown.Errors {
			line, column := unknown.Errors[i].Position()
			all = append(all, fmt.Errorf("line %d, column %d: unknown key %s: %w", line, column, strings.Join(unknown.Errors[i].Key(), "."), ErrInvalid))
		}
		return errors.Join(all...)
	}
	var form *toml.DecodeError
	if errors.As(err, &form) {
		line, column := form.Position()
		key := strings.Join(form.Key(), ".")
		if key != "" {
			key += ": "
		}
		return fmt.Errorf("line %d, column %d: %s%s: %w", line, column, key, strings.TrimPrefix(form.Error(), "toml: "), ErrInvalid)
	}
	return fmt.Errorf("%w: %w", ErrInvalid, err)
}

// resolve makes paths absolute, as seen from a folder.
func (c *Config) resolve(dir string) {
	under := func(path *string) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	under(&c.Database)
	under(&c.ModelRoot)
	under(&c.AdapterRoot)
	under(&c.GuestRoot)
	for i := range c.Models {
		m := &c.Models[i]
		under(&m.Path)
		if file, ok := strings.CutPrefix(m.Template, "@"); ok && file != "" {
			under(&file)
			m.Template = "@" + file
		}
		for j := range m.Adapters {
			under(&m.Adapters[j].Path)
		}
	}
}
