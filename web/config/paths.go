package config

import (
	"path/filepath"

	"github.com/adrg/xdg"
)

// DefaultPath returns the file that is read when none is named: realm/realm.toml in the
// user's folder of configurations, which is $XDG_CONFIG_HOME or ~/.config, ~/Library/
// Application Support on macOS and %LocalAppData% on Windows.
func DefaultPath() string { return filepath.Join(xdg.ConfigHome, "realm", "realm.toml") }

// DataDir returns the folder of what Realm keeps for the user, the database and the
// models: realm in $XDG_DATA_HOME or ~/.local/share
// (https://specifications.freedesktop.org/basedir-spec/latest/), in ~/Library/
// Application Support on macOS and in %LocalAppData% on Windows.
func DataDir() string { return filepath.Join(xdg.DataHome, "realm") }
