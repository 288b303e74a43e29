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

	"mirrorfleet/worker/tokenscore/grammars/manifest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("notices", flag.ContinueOnError)
	flags.SetOutput(stderr)
	out := flags.String("out", "", "directory to write licences/ and sbom/ into")
	grammars := flags.String("grammars", "", "directory that `make grammars` built")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *out == "" || *grammars == "" || flags.NArg() == 0 {
		fmt.Fprintln(stderr, "notices: want -out DIR, -grammars DIR and the packages of the commands")
		return 2
	}
	if err := write(ctx, *out, *grammars, flags.Args()); err != nil {
		fmt.Fprintf(stderr, "notices: %v\n", err)
		return 1
	}
	return 0
}

// write writes everything for some commands and the grammars beside them.
func write(ctx context.Context, out, grammars string, commands []string) error {
	m, err := manifest.Read(grammars)
	if err != nil {
		return err
	}
	notices, err := readNotices()
	if err != nil {
		return err
	}
	licences := filepath.Join(out, "licences")
	if err := writeModules(ctx, filepath.Join(licences, "modules"), commands); err != nil {
		return err
	}
	if err := writeGrammars(filepath.Join(licences, "grammars"), m, notices); err != nil {
		return err
	}
	list, err := listGrammars(m, notices)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(out, "sbom", "grammars.cdx.json"), list)
}

// writeFile writes what everybody may read.
func writeFile(path string, data []byte) error {
	//nolint:gosec // licences and lists are for everybody
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	//nolint:gosec // as above
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	return nil
}
