package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/realm-webgpu/realm/web/tenant"
)

// limit is one of what bounds a tenant.
type limit struct {
	name, what string // of the flag
	unit       unit
	get        func(*tenant.Limits) int64
	set        func(*tenant.Limits, int64)
}

// unit says how a limit is written.
type unit int

const (
	unitCount unit = iota
	unitBytes
	unitTime // nanoseconds
)

// tenantLimits is the table of all limits.
func tenantLimits() []limit {
	type l = tenant.Limits
	return []limit{
		limitOf("requests-per-minute", "requests a minute", unitCount, func(l *l) *int { return &l.RequestsPerMinute }),
		limitOf("tokens-per-minute", "tokens a minute, read and written", unitCount, func(l *l) *int { return &l.TokensPerMinute }),
		limitOf("sequences", "texts that are written at the same time", unitCount, func(l *l) *int { return &l.Sequences }),
		limitOf("queue", "texts that wait for that", unitCount, func(l *l) *int { return &l.Queue }),
		limitOf("pages", "pages of 32 tokens in the cache", unitCount, func(l *l) *int { return &l.Pages }),
		limitOf("guest-memory", "linear memory of an instance of a guest", unitBytes, func(l *l) *int64 { return &l.Guest.Memory }),
		limitOf("guest-fuel", "fuel of an instance, about an instruction each", unitCount, func(l *l) *int64 { return &l.Guest.Fuel }),
		limitOf("guest-time", "time that an instance lives", unitTime, func(l *l) *time.Duration { return &l.Guest.WallTime }),
		limitOf("guest-handles", "handles that an instance has open", unitCount, func(l *l) *int { return &l.Guest.Handles }),
		limitOf("guest-tickets", "tickets that an instance has not waited for", unitCount, func(l *l) *int { return &l.Guest.Tickets }),
		limitOf("guest-rows", "rows of a step of an instance", unitCount, func(l *l) *int { return &l.Guest.Rows }),
		limitOf("guest-pages", "pages of an instance in the cache", unitCount, func(l *l) *int { return &l.Guest.Pages }),
		limitOf("guest-tokens", "tokens that an instance reads and writes", unitCount, func(l *l) *int64 { return &l.Guest.Tokens }),
		limitOf("guest-emit", "bytes that an instance answers with", unitBytes, func(l *l) *int64 { return &l.Guest.EmitBytes }),
		limitOf("guest-calls", "calls of the host a second", unitCount, func(l *l) *int { return &l.Guest.CallsPerSecond }),
		limitOf("guest-buffers", "device memory of an instance's buffers", unitBytes, func(l *l) *int64 { return &l.Guest.BufferBytes }),
	}
}

func limitOf[T ~int | ~int64](name, what string, u unit, at func(*tenant.Limits) *T) limit {
	what += ": " + map[unit]string{unitCount: "a number", unitBytes: "a size", unitTime: "a time such as 30s"}[u] + ", none or default (the server's)"
	return limit{name, what, u,
		func(l *tenant.Limits) int64 { return int64(*at(l)) },
		func(l *tenant.Limits, n int64) { *at(l) = T(n) },
	}
}

// The words for limits that are no number.
const (
	limitDefault = "default"
	limitNone    = "none"
)

// limitText is a limit as the flag takes it.
func limitText(u unit, n int64) string {
	switch {
	case n == 0:
		return limitDefault
	case n == tenant.Unlimited:
		return limitNone
	case u == unitBytes:
		return humanize.IBytes(uint64(n))
	case u == unitTime:
		return time.Duration(n).String()
	}
	return strconv.FormatInt(n, 10)
}

// limitValue is a limit: a number of its unit from 1, none or default.
type limitValue struct {
	limit limit
	n     int64
}

func (v *limitValue) Set(s string) error {
	switch s {
	case limitDefault:
		v.n = 0
		return nil
	case limitNone:
		v.n = tenant.Unlimited
		return nil
	}
	var err error
	switch v.limit.unit {
	case unitBytes:
		var size sizeValue
		err = size.Set(s)
		v.n = int64(size)
	case unitTime:
		var d time.Duration
		d, err = time.ParseDuration(s)
		v.n = int64(d)
	default:
		v.n, err = strconv.ParseInt(s, 10, 64)
	}
	if err != nil || v.n < 1 {
		return errors.New("want " + v.limit.wanted() + " from 1, none or default")
	}
	return nil
}

// wanted is what a value of the unit looks like.
func (l *limit) wanted() string {
	switch l.unit {
	case unitBytes:
		return "a size such as 64MiB,"
	case unitTime:
		return "a time such as 30s,"
	}
	return "a number"
}

// String is "" so that no default is shown: what flags do not name is left alone.
func (v *limitValue) String() string { return "" }
func (v *limitValue) Type() string   { return "LIMIT" }
