package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// settings are what may be chosen.
type settings struct {
	// dir is the fleet's folder, keep whether it stays.
	dir  string
	keep bool
	// bin has the commands, grammars the parser, deploy the files that are shipped.
	bin, grammars, natsServer, deploy string
	// every is the time from one round to the next.
	every time.Duration
	// patience is how long everything may take to be ready.
	patience time.Duration
	// restore is a backup to begin with.
	restore string
	// anyPorts leaves the usual ports to others, such as a fleet that somebody uses.
	anyPorts bool
}

// run is the command, and returns its exit code. It uses package flag and not the product's
// own command line: this is a tool of the checkout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "up: %v\n", err)
		return refused
	}
	if err := s.up(ctx, stdout); err != nil {
		fmt.Fprintf(stderr, "up: %v\n", err)
		return 1
	}
	return 0
}

// parse reads the arguments, and makes paths absolute: the processes work in the folder.
func parse(args []string, stderr io.Writer) (s settings, err error) {
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.dir, "dir", "", "folder of the fleet, which must be empty; a new one without it")
	flags.BoolVar(&s.keep, "keep", false, "leave the folder, with logs and streams, when the fleet ends")
	flags.StringVar(&s.bin, "bin", "bin", "folder of the commands")
	flags.StringVar(&s.grammars, "grammars", "bin/grammars", "folder of the grammars")
	flags.StringVar(&s.natsServer, "nats-server", "bin/nats-server", "nats-server")
	flags.StringVar(&s.deploy, "deploy", "deploy", "folder of the files that are shipped")
	flags.DurationVar(&s.every, "every", 10*time.Minute, "time from one round to the next")
	flags.DurationVar(&s.patience, "patience", time.Minute, "how long everything may take to be ready")
	flags.StringVar(&s.restore, "restore", "", "backup to start from")
	flags.BoolVar(&s.anyPorts, "any-ports", false, "leave the usual ports, such as 8440 of the API, to another fleet")
	if err := flags.Parse(args); err != nil {
		return s, err //nolint:wrapcheck // package flag has said it
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("%q: want flags alone", flags.Arg(0))
	}
	for _, path := range []*string{&s.dir, &s.bin, &s.grammars, &s.natsServer, &s.deploy, &s.restore} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return s, fmt.Errorf("the current folder: %w", err)
		}
	}
	for flag, path := range map[string]string{
		"bin": filepath.Join(s.bin, "producer"), "grammars": filepath.Join(s.grammars, "manifest.json"), "nats-server": s.natsServer,
		"deploy": filepath.Join(s.deploy, "nats", "start.sh"),
	} {
		if _, err := os.Stat(path); err != nil {
			return s, fmt.Errorf("-%s: %w: make up builds everything", flag, err)
		}
	}
	return s, s.empty()
}

// empty refuses a folder with anything in it: another fleet's, or somebody's files, which
// would go with the fleet.
func (s settings) empty() error {
	if s.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(s.dir)
	if err == nil && len(entries) > 0 {
		return fmt.Errorf("-dir %s is not empty: name a new folder", s.dir)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("-dir: %w", err)
	}
	return nil
}

// up runs the fleet in its folder.
func (s settings) up(ctx context.Context, stdout io.Writer) (err error) {
	if s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "mirrorfleet-up-"); err != nil {
			return fmt.Errorf("the fleet's folder: %w", err)
		}
	}
	if !s.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }() //nolint:gosec // it was empty or new at the start
	}
	f, err := newFleet(s)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, "up: starting the fleet in "+s.dir)
	return f.run(ctx, func(f *fleet, took time.Duration) error { return f.show(stdout, took) })
}
