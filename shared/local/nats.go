package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// unlimited is more than any disk has. By default the server promises streams
// three quarters of what is free when it starts, and refuses a stream whose
// bound on its size goes beyond: on a small disk, that of a cache. Here the
// disk itself is the limit, and a full one is waited for.
const unlimited = 1 << 50

// runNATS runs a JetStream server on dir.
func runNATS(ctx context.Context, cfg Config, dir string) (*server.Server, error) {
	host, port, err := splitPort(cfg.NATS)
	if err != nil {
		return nil, fmt.Errorf("NATS is %q: %w", cfg.NATS, err)
	}
	if err := canListen(ctx, cfg.NATS); err != nil {
		return nil, fmt.Errorf("NATS cannot listen on %s: %w", cfg.NATS, err)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s, err := server.NewServer(&server.Options{
		ServerName:        "local",
		Host:              host,
		Port:              port,
		Username:          user,
		Password:          cfg.Password,
		NoSigs:            true, // signals are the command's
		JetStream:         true,
		StoreDir:          dir,
		JetStreamMaxStore: unlimited,
		SyncAlways:        true, // a confirmed write outlives a failure of the machine too
	})
	if err != nil {
		return nil, fmt.Errorf("NATS: %w", err)
	}
	log := &serverLog{log: cfg.Log}
	s.SetLogger(log, false, false)
	s.Start()
	if err := ready(ctx, s, cfg.StartTimeout, log); err != nil {
		stopNATS(s)
		return nil, fmt.Errorf("NATS on %s with %s: %w", cfg.NATS, dir, err)
	}
	return s, nil
}

// stopNATS stops a server and waits until it has ended.
func stopNATS(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

// ready waits until the server takes connections with JetStream on.
func ready(ctx context.Context, s *server.Server, timeout time.Duration, log *serverLog) error {
	deadline := time.Now().Add(timeout)
	for !s.ReadyForConnections(100 * time.Millisecond) {
		if err := log.fatal(); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx) //nolint:wrapcheck // the caller's own
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %s (StartTimeout)", timeout)
		}
	}
	if err := log.fatal(); err != nil {
		return err
	}
	if !s.JetStreamEnabled() {
		return errors.New("JetStream did not start")
	}
	return nil
}

// splitPort reads an address as the server's options want it.
func splitPort(address string) (string, int, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("want host:port: %w", err)
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port %q, want 0 to 65535", text)
	}
	return host, port, nil
}

// canListen finds an address in use before the server does, which would only
// log it.
func canListen(ctx context.Context, address string) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return err //nolint:wrapcheck // the caller names what it is for
	}
	return l.Close() //nolint:wrapcheck // as above
}

// serverLog passes the server's warnings and errors to slog and drops its
// chatter. A fatal one is kept: as a library the server continues without the
// part that failed, and Start must not.
type serverLog struct {
	log *slog.Logger

	mu   sync.Mutex
	fatl error
}

// fatal is what stopped the server, nil while nothing has.
func (l *serverLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatl
}

// Noticef is chatter.
func (l *serverLog) Noticef(string, ...any) {}

// Debugf is chatter.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef is chatter.
func (l *serverLog) Tracef(string, ...any) {}

// Warnf passes a warning on, but for one about passwords in configuration files: that of
// these servers is in no such file.
func (l *serverLog) Warnf(format string, args ...any) {
	if strings.HasPrefix(format, "Plaintext passwords detected") {
		return
	}
	l.log.Warn("NATS server", "message", text(format, args))
}

// Errorf passes an error on.
func (l *serverLog) Errorf(format string, args ...any) {
	l.log.Error("NATS server", "message", text(format, args))
}

// Fatalf keeps what stopped the server.
func (l *serverLog) Fatalf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fatl == nil {
		l.fatl = errors.New(text(format, args))
	}
}

// text is one of the server's messages.
func text(format string, args []any) string {
	return strings.TrimSpace(fmt.Sprintf(format, args...))
}
