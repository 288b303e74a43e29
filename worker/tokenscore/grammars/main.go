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
	"runtime"
	"syscall"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

// run is the command, and returns its exit code (see the package's documentation). It uses
// package flag and not the product's own command line: this is a tool of the build.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("grammars", flag.ContinueOnError)
	flags.SetOutput(stderr)
	b := builder{log: stderr, progress: &progress{out: stderr, terminal: atTerminal(stderr)}}
	flags.StringVar(&b.out, "out", "", "directory to build; replaced as a whole")
	flags.StringVar(&b.cache, "sources", cacheDir(), "directory that keeps the downloads; $MIRRORFLEET_SOURCES is its default")
	// PIP_INDEX_URL may hold a password. As the flag's default, --help would print it.
	flags.StringVar(&b.index, "index", "", "package index; $PIP_INDEX_URL is its default, or PyPI")
	flags.StringVar(&b.cc, "cc", compiler(), "C compiler; $CC is its default")
	flags.StringVar(&b.arch, "arch", runtime.GOARCH, "processor to build for, by Go's name; the C compiler must be for it")
	flags.IntVar(&b.jobs, "jobs", runtime.NumCPU(), "compilers at once")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if b.out == "" || b.cache == "" || b.jobs < 1 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "grammars: want --out DIR, --sources DIR where there is no home directory, --jobs of at least 1, and nothing else")
		return 2
	}
	b.out = filepath.Clean(b.out) // filepath.Dir("DIR/") would be DIR itself, which is replaced
	if b.index == "" {
		b.index = indexURL()
	}
	if err := b.build(ctx); err != nil {
		fmt.Fprintf(stderr, "grammars: %v\n", err)
		return 1
	}
	return 0
}

// atTerminal says whether a line that is written can be redrawn.
func atTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "cc"
}
