package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/store"
)

// storeFlags say which folder of models is meant. The zero value is that of a server
// which has nothing configured.
type storeFlags struct{ config string }

func (f *storeFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.config, "config", "", "configuration `FILE` of the server, whose model-root it is (default: realm/realm.toml in the user's configurations, if it is there)")
}

func (f *storeFlags) open() (*store.Store, error) {
	c, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	return store.Open(c.ModelRoot), nil
}

// names offers the names of the store.
func (f *storeFlags) names(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	s, err := f.open()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp // the command itself says what is wrong
	}
	models, err := s.List()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
	}
	return words(names)(c, args, begun)
}
