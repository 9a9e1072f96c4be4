package config

import "reflect"

// Change is a key whose value differs between two configurations.
type Change struct {
	Key string // such as "requests.n"
	// Live says that a running server takes it over. Others are seen when it starts
	// again.
	Live bool
}

// Diff returns what is different in another configuration, in the order of the fields
// of Config. Models are one key.
func (c *Config) Diff(other *Config) []Change {
	return diff(nil, "", false, reflect.ValueOf(*c), reflect.ValueOf(*other))
}

func diff(changes []Change, prefix string, live bool, a, b reflect.Value) []Change {
	for i := range a.NumField() {
		field := a.Type().Field(i)
		key := field.Tag.Get("toml")
		if key == "-" {
			continue
		}
		key = prefix + key
		live := isLive(field, live)
		switch {
		case field.Type.Kind() == reflect.Struct:
			changes = diff(changes, key+".", live, a.Field(i), b.Field(i))
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			changes = append(changes, Change{key, live})
		}
	}
	return changes
}

// isLive reports whether a field may change while a server runs. One that does not say
// is as the struct that it is in.
func isLive(field reflect.StructField, outer bool) bool {
	if said, ok := field.Tag.Lookup("live"); ok {
		return said == "true"
	}
	return outer
}

// Adopt returns what a server with this configuration goes by once it was given
// another: what is live is the other's, and the rest stays as it is.
func (c *Config) Adopt(other *Config) *Config {
	out := *c
	adopt(false, reflect.ValueOf(&out).Elem(), reflect.ValueOf(*other))
	return &out
}

func adopt(live bool, to, from reflect.Value) {
	for i := range to.NumField() {
		field := to.Type().Field(i)
		switch live := isLive(field, live); {
		case field.Type.Kind() == reflect.Struct:
			adopt(live, to.Field(i), from.Field(i))
		case live:
			to.Field(i).Set(from.Field(i))
		}
	}
}
