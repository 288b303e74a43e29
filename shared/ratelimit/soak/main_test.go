package soak_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

// binaries is where TestMain built the commands; grammars is where make grammars
// built the parser.
var binaries, grammars string

func TestMain(m *testing.M) {
	code, err := withBinaries(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withBinaries(m *testing.M) (int, error) {
	grammars = os.Getenv("MIRRORFLEET_GRAMMARS")
	if grammars == "" {
		grammars = filepath.Join("..", "..", "..", "bin", "grammars")
	}
	var err error
	if grammars, err = filepath.Abs(grammars); err != nil {
		return 1, err
	}
	if _, err := os.Stat(filepath.Join(grammars, "manifest.json")); err != nil {
		return 1, fmt.Errorf("no grammars: %w (make grammars builds them)", err)
	}
	if binaries, err = os.MkdirTemp("", "mirrorfleet-soak-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(binaries)
	build := exec.Command("go", "build", "-o", binaries, "mirrorfleet/producer", "mirrorfleet/worker",
		"mirrorfleet/shared/mirrorsim/cmd/mirrorsim")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building the commands: %w\n%s", err, out)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		return 1, err
	}

	return code, nil
}
