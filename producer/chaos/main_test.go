package chaos_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binaries is where TestMain built the commands; grammars is where make
// grammars built the parser.
var binaries, grammars string

func TestMain(m *testing.M) {
	code, err := withBinaries(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withBinaries(run func() int) (int, error) {
	if grammars = os.Getenv("MIRRORFLEET_GRAMMARS"); grammars == "" {
		grammars = filepath.Join("..", "..", "bin", "grammars")
	}
	var err error
	if grammars, err = filepath.Abs(grammars); err != nil {
		return 1, err
	}
	if _, err := os.Stat(filepath.Join(grammars, "manifest.json")); err != nil {
		return 1, fmt.Errorf("no grammars: %w (make grammars builds them)", err)
	}
	if binaries, err = os.MkdirTemp("", "mirrorfleet-chaos-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(binaries)
	for _, args := range [][]string{
		{"-race", "mirrorfleet/producer", "mirrorfleet/worker", "mirrorfleet/shared/mirrorsim/cmd/mirrorsim"},
		{"github.com/nats-io/nats-server/v2"},
	} {
		build := exec.Command("go", append([]string{"build", "-o", binaries + "/"}, args...)...)
		if out, err := build.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("building the commands: %w\n%s", err, out)
		}
	}
	return run(), nil
}

func binary(name string) string { return filepath.Join(binaries, name) }
