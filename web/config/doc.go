// Package config reads the configuration of a server: a TOML file, in which whatever is
// left out has a default, and what is not known is an error. docs/realm.example.toml
// has all of it, with the defaults.
package config
