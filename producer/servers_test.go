package main_test

import (
	"log/slog"
	"testing"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
)

// startLocal is NATS and Redis in this process, on a state directory, until the
// test ends.
func startLocal(t *testing.T, dir string) *local.Servers {
	t.Helper()
	servers := must.Get(local.Start(t.Context(), local.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)}))(t)
	t.Cleanup(func() { _ = servers.Close() })
	return servers
}

// openBus opens the streams with these settings until the test ends, or until
// the connection is closed.
func openBus(t *testing.T, address string, cfg jobstream.Config) (*jobstream.Bus, *nats.Conn) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	nc := must.Get(jobstream.Connect(t.Context(), address, "test", jobstream.ConnectConfig{Log: cfg.Log}))(t)
	t.Cleanup(nc.Close)
	bus := must.Get(jobstream.Open(t.Context(), nc, cfg))(t)
	return bus, nc
}
