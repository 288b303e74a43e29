package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrRemoved says that the directory was removed while NATS ran on it.
var ErrRemoved = errors.New("local: the state directory was removed while NATS ran on it, and every round in it is gone")

// natsServer keeps a NATS server running on a directory. After a failed write a server
// confirms nothing more and reports no error: clients wait until it is restarted.
type natsServer struct {
	cfg Config // with the address that the first server got
	dir string
	// made is the directory as the first server found it.
	made fs.FileInfo
	// server is the keeper's until it has ended; nil while none runs.
	server *server.Server

	stop   context.CancelFunc
	keeper sync.WaitGroup
	lost   chan error
}

// startNATS runs NATS on dir until close.
func startNATS(ctx context.Context, cfg Config, dir string) (*natsServer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("NATS: making its directory: %w", err)
	}
	n := &natsServer{cfg: cfg, dir: dir, lost: make(chan error, 1)}
	var err error
	if n.made, err = os.Stat(dir); err != nil {
		return nil, fmt.Errorf("NATS: looking at its directory: %w", err)
	}
	if n.server, err = runNATS(ctx, cfg, dir); err != nil {
		return nil, err
	}
	n.cfg.NATS = n.server.Addr().String()
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.stop = stop
	n.keeper.Go(func() { n.keep(keeping) })
	return n, nil
}

// close stops the server, also one that is being restarted, and waits for it.
func (n *natsServer) close() {
	n.stop()
	n.keeper.Wait()
	if n.server != nil {
		stopNATS(n.server)
	}
}

// look is how often the keeper looks at the server, and at the disk.
const look = time.Second

// keep looks after the server until ctx ends, or until the server is lost.
func (n *natsServer) keep(ctx context.Context) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := n.fault()
		if err != nil {
			err = n.mend(ctx, ticker, err)
		}
		if err != nil {
			if ctx.Err() == nil { // else it is being closed
				n.lost <- fmt.Errorf("local: NATS on %s: %w", n.dir, err)
			}
			return
		}
	}
}

// fault is why the server confirms no more, nil as long as it does.
func (n *natsServer) fault() error {
	if err := n.there(); err != nil {
		return err
	}
	for _, f := range n.server.Healthz(&server.HealthzOptions{Details: true}).Errors {
		// A stream that is just being made or deleted is reported too, as one that
		// could not be recovered.
		if f.Type == server.HealthzErrorJetStream || strings.Contains(f.Error, "write error") {
			return errors.New(f.Error)
		}
	}
	return nil
}

// there returns an error if the directory is no longer the one that the server
// has its files in.
func (n *natsServer) there() error {
	now, err := os.Stat(n.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, n.made) {
		return ErrRemoved
	}
	if err != nil {
		return fmt.Errorf("looking at the directory: %w", err)
	}
	return nil
}

// mend stops the server, so that clients see at once that none answers, and restarts it as
// soon as there is room. It returns an error if the cause is not a full disk.
func (n *natsServer) mend(ctx context.Context, ticker *time.Ticker, fault error) error {
	full := checkRoom(n.dir)
	// Room may have come back since the write failed.
	hopeless := errors.Is(fault, ErrRemoved) || full == nil && !strings.Contains(fault.Error(), "no space left")
	if !hopeless {
		n.cfg.Log.Error("NATS cannot write and is stopped: it resumes when there is room", "error", fault, "room", full)
	}
	stopNATS(n.server)
	n.server = nil
	if hopeless {
		return fault
	}
	return n.restart(ctx, ticker)
}

// restarts is how often a server is started anew before it is given up. Its port
// may be taken for a moment, even by a client that looks for it there.
const restarts = 10

// restart starts a server on the same files and address, once there is room.
func (n *natsServer) restart(ctx context.Context, ticker *time.Ticker) error {
	for try := 1; ; try++ {
		if err := n.awaitRoom(ctx, ticker); err != nil {
			return err
		}
		s, err := runNATS(ctx, n.cfg, n.dir)
		if err == nil {
			n.server = s
			n.cfg.Log.Info("there is room again: NATS was restarted", "directory", n.dir)
			return nil
		}
		if try == restarts {
			return fmt.Errorf("restarting it: %w", err)
		}
		n.cfg.Log.Warn("NATS could not be restarted, trying again", "error", err)
	}
}

// awaitRoom waits until the directory has enough room.
func (n *natsServer) awaitRoom(ctx context.Context, ticker *time.Ticker) error {
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx) //nolint:wrapcheck // nobody reads it
		case <-ticker.C:
		}
		if err := n.there(); err != nil {
			return err
		}
		var full *FullError
		if err := checkRoom(n.dir); !errors.As(err, &full) {
			return err
		}
	}
}
