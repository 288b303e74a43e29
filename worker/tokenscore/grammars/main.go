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
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("grammars", flag.ContinueOnError)
	flags.SetOutput(stderr)
	b := builder{log: stderr}
	flags.StringVar(&b.out, "out", "", "directory to build; replaced as a whole")
	flags.StringVar(&b.python, "python", "python3", "Python with pip, for the downloads")
	flags.StringVar(&b.cc, "cc", compiler(), "C compiler; $CC is its default")
	flags.IntVar(&b.jobs, "jobs", runtime.NumCPU(), "compilers at once")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if b.out == "" || b.jobs < 1 || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "grammars: want -out DIR, -jobs of at least 1, and nothing else")
		return 2
	}
	b.out = filepath.Clean(b.out)
	if err := b.build(ctx); err != nil {
		fmt.Fprintf(stderr, "grammars: %v\n", err)
		return 1
	}
	return 0
}

func compiler() string {
	if cc := os.Getenv("CC"); cc != "" {
		return cc
	}
	return "cc"
}
