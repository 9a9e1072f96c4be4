package config

import (
	"fmt"
	"math"
	"time"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes: 1048576, "512MiB", "4GB".
type Size int64

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n > math.MaxInt64 {
		return fmt.Errorf(`%q is no size: want one such as "512MiB" or "4GB"`, text)
	}
	*s = Size(n)
	return nil
}

// String returns the size as UnmarshalText reads it, rounded.
func (s Size) String() string { return humanize.IBytes(uint64(max(0, s))) }

// Duration is a time: "30s", "5m", "1h30m".
type Duration time.Duration

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	t, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf(`%q is no time: want one such as "30s" or "1h30m"`, text)
	}
	*d = Duration(t)
	return nil
}

// String returns the duration as UnmarshalText reads it.
func (d Duration) String() string { return time.Duration(d).String() }
