package cluster

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// serverModule is the main package of the server in go.mod.
const serverModule = "github.com/nats-io/nats-server/v2"

//nolint:gochecknoglobals // one build serves all tests of a process
var built struct {
	once sync.Once
	dir  string
	err  error
}

// Binary builds nats-server once for this process and returns its path. The
// go command's cache makes a second build a matter of linking.
func Binary(ctx context.Context) (string, error) {
	built.once.Do(func() { built.dir, built.err = build(context.WithoutCancel(ctx)) })
	return filepath.Join(built.dir, "nats-server"), built.err
}

func build(ctx context.Context) (string, error) {
	dir, err := os.MkdirTemp("", "mirrorfleet-nats-")
	if err != nil {
		return "", fmt.Errorf("building nats-server: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, "nats-server"), serverModule)
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("building nats-server: %w\n%s", err, out)
	}
	return dir, nil
}

// Clean removes what Binary built: a TestMain's last word.
func Clean() error {
	if built.dir == "" {
		return nil
	}
	if err := os.RemoveAll(built.dir); err != nil {
		return fmt.Errorf("removing nats-server: %w", err)
	}
	return nil
}
