package main_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
)

// settledCase is a recorded world in which every files answer settles at once:
// the parity case 0001, with the one file marked as binary whose base it lacks, a
// file for each pull request that has none, and no issue that one of them solved
// (only the list of its author has counts to compare).
var settledCase = filepath.Join("testdata", "settled.json.zst")

// startLocal is NATS and Redis in this process, on a state directory, until the
// test ends.
func startLocal(t *testing.T, dir string) *local.Servers {
	t.Helper()
	servers, err := local.Start(t.Context(), local.Config{Dir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = servers.Close() })
	return servers
}

// openBus opens the streams with these settings until the test ends, or until
// the connection is closed.
func openBus(t *testing.T, address string, cfg jobstream.Config) (*jobstream.Bus, *nats.Conn) {
	t.Helper()
	cfg.Log = slog.New(slog.DiscardHandler)
	nc, err := jobstream.Connect(t.Context(), address, "test", jobstream.ConnectConfig{Log: cfg.Log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	bus, err := jobstream.Open(t.Context(), nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return bus, nc
}
