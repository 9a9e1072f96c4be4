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
		live := live || field.Tag.Get("live") == "true"
		switch {
		case field.Type.Kind() == reflect.Struct:
			changes = diff(changes, key+".", live, a.Field(i), b.Field(i))
		case !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()):
			changes = append(changes, Change{key, live})
		}
	}
	return changes
}
