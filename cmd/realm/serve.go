package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/realm-webgpu/realm/web/config"
	"github.com/realm-webgpu/realm/web/server"
)

const serveHelp = `Serve answers over HTTP, as OpenAI's API does, and over a WebSocket, and has a page
to try it in: the playground.

With nothing configured it serves the models that are built in (atlas, with its
adapters and its draft model) on loopback, without keys. A configuration file (TOML)
makes it a server of many tenants; docs/realm.example.toml has all there is to
configure. Keys are made with realm key create, and wanted from then on. An address
that other machines can reach is refused without keys, unless --allow-open says so.

SIGHUP has the configuration read again, and drops nobody. SIGTERM or Ctrl-C has it
refuse new requests, finish those that run, and end; twice, end at once.`

const serveExample = `  realm serve
  realm serve -m llama-3.2-1b-q4_0.gguf --listen 127.0.0.1:9000
  realm serve --config realm.toml
  curl --json '{"messages": [{"role": "user", "content": "What is the capital of France?"}]}' \
    http://127.0.0.1:8080/v1/chat/completions`

// serveFlags are the flags of realm serve. What is given goes before the configuration.
type serveFlags struct {
	config    string
	listen    string
	admin     string
	models    []string
	device    string
	opening   deviceFlags
	allowOpen bool
	quiet     bool // only what is wrong is logged
}

func newServe() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:     "serve",
		Short:   "Answer over HTTP and a WebSocket, with a playground",
		Long:    serveHelp,
		Example: serveExample,
		Args:    arguments(0, 0, "none"),
		RunE:    func(c *cobra.Command, _ []string) error { return f.run(c, nil) },
	}
	f.add(c)
	return c
}

func (f *serveFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.config, "config", "", "configuration `FILE` (default: realm/realm.toml in the user's folder of configurations, if it is there)")
	flags.StringVar(&f.listen, "listen", "", "`ADDRESS` to listen on; port 0 is any that is free (default 127.0.0.1:8080)")
	flags.StringVar(&f.admin, "admin-listen", "", "`ADDRESS` of the routes for administrators: metrics, profiles, adapters (default: none)")
	flags.StringArrayVarP(&f.models, "model", "m", nil, "GGUF `FILE` of a model, or a name of realm list, in place of those that are configured; may be given several times")
	flags.StringVar(&f.device, "device", "", deviceHelp)
	f.opening.add(flags)
	flags.BoolVar(&f.allowOpen, "allow-open", false, "let everyone in who reaches the address, without keys")
}

// load reads the configuration, with what the flags say in its place.
func (f *serveFlags) load(c *cobra.Command) (*config.Config, error) {
	x, err := config.Load(f.config)
	if err != nil {
		return nil, err
	}
	set := func(target *string, value string) {
		if value != "" {
			*target = value
		}
	}
	set(&x.Listen, f.listen)
	set(&x.AdminListen, f.admin)
	set(&x.Device, f.device)
	if f.opening.memory > 0 {
		x.Memory.Total = config.Size(f.opening.memory)
	}
	if f.opening.kv > 0 {
		x.Memory.KV = config.Size(f.opening.kv)
	}
	if f.opening.threads > 0 {
		x.Threads = int(f.opening.threads)
	}
	x.AllowOpen = x.AllowOpen || f.allowOpen
	if f.quiet {
		x.Log.Level = "warn"
	}
	if len(f.models) > 0 {
		x.Models, x.DefaultModel = nil, ""
		for _, path := range f.models {
			x.Models = append(x.Models, modelOf(path))
		}
	}
	if err := x.Validate(); err != nil {
		return nil, &usageError{c.CommandPath(), err}
	}
	return x, nil
}

// modelOf returns the model of a flag: a file that is there, or a name of the store.
func modelOf(path string) config.Model {
	if _, err := os.Stat(path); err == nil {
		return config.Model{Name: strings.TrimSuffix(filepath.Base(path), ".gguf"), Path: path}
	}
	return config.Model{Name: path, Source: path}
}

// run serves until the command is interrupted. ready, unless nil, is told the address
// of the page.
func (f *serveFlags) run(c *cobra.Command, ready func(page string)) (err error) {
	x, err := f.load(c)
	if err != nil {
		return err
	}
	ctx, notes := c.Context(), c.ErrOrStderr()
	quietMesa()
	lose, err := loseDeviceAfter()
	if err != nil {
		return err
	}
	level := &slog.LevelVar{}
	s, err := server.New(ctx, x, server.Options{Version: version(), Log: newLog(notes, x, level), Level: level, LoseDeviceAfter: lose})
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	stop := f.reloadOnHangup(ctx, c, s, notes)
	defer stop()
	return s.Run(ctx, func(address, admin net.Addr) {
		page := "http://" + address.String() + "/"
		fmt.Fprintf(notes, "realm: the playground is at %s and the API at %sv1\n", page, page)
		if admin != nil {
			fmt.Fprintf(notes, "realm: the routes for administrators are at http://%s/\n", admin)
		}
		if ready != nil {
			ready(page)
		}
	})
}

// reloadOnHangup has SIGHUP read the configuration again, until stop is called.
func (f *serveFlags) reloadOnHangup(ctx context.Context, c *cobra.Command, s *server.Server, notes io.Writer) (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range hangups {
			x, err := f.load(c)
			if err == nil {
				err = s.Reload(ctx, x)
			}
			if err != nil {
				fmt.Fprintf(notes, "realm: the configuration stays as it was: %v\n", err)
			} else {
				fmt.Fprintln(notes, "realm: the configuration was read again")
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

// newLog returns the log of a server.
func newLog(w io.Writer, c *config.Config, level *slog.LevelVar) *slog.Logger {
	_ = level.UnmarshalText([]byte(c.Log.Level)) // it was validated
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
