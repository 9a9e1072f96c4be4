package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// DefaultPath returns the file that is read when none is named:
// realm/realm.toml in the user's folder of configurations, $XDG_CONFIG_HOME or
// ~/.config where there are no others.
func DefaultPath() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "realm", "realm.toml"), nil
}

// DataDir returns the folder of what Realm keeps for the user: realm in $XDG_DATA_HOME
// or ~/.local/share (https://specifications.freedesktop.org/basedir-spec/latest/), in
// ~/Library/Application Support on macOS, and in %LocalAppData% on Windows.
func DataDir() (string, error) {
	if runtime.GOOS == "windows" {
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "realm"), nil
		}
		return "", errors.New("%LocalAppData% is not defined")
	}
	// The specification has relative paths ignored.
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "realm"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "realm"), nil
	}
	return filepath.Join(home, ".local", "share", "realm"), nil
}
