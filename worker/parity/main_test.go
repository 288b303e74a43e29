package parity_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"mirrorfleet/worker/tokenscore"
)

// childArgument makes the test binary a token-scoring child.
const childArgument = "token-scoring-child"

func grammars() string {
	if dir := os.Getenv("MIRRORFLEET_GRAMMARS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "bin", "grammars")
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		err := tokenscore.Serve(context.Background(), os.Stdin, os.Stdout, tokenscore.ChildConfig{Grammars: grammars()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		// Nothing is built here: it was when a test wanted it, or is not now.
		if built.Load() {
			dir, _ := binaries()
			_ = os.RemoveAll(dir)
		}
		os.Exit(code)
	}))
}
