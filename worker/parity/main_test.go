package parity_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/worker/tokenscore"
)

// childArgument makes the test binary a token-scoring child.
const childArgument = "token-scoring-child"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == childArgument {
		err := tokenscore.Serve(context.Background(), os.Stdin, os.Stdout, tokenscore.ChildConfig{Grammars: fleettest.Grammars()})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	fleettest.Main(m, fleettest.Build{})
}
