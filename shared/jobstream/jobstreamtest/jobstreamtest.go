// Package jobstreamtest starts NATS, and Redis beside it, for tests of jobs. Both are
// real and run in the test's process ([Start]). NATS can also be started alone, by
// options or a configuration ([Run], [Configured]), and a bus on it ([Open]).
//
// Everything ends with its test. What cannot be had ends the test.
package jobstreamtest

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/must"
)

// Quiet is a log that nobody reads.
func Quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Servers are NATS and Redis on a directory; NATS comes back on its own files
// and port, and both with their password.
type Servers struct {
	*local.Servers

	tb  testing.TB
	cfg local.Config
}

// Start starts both on a directory of their own.
func Start(tb testing.TB) *Servers {
	tb.Helper()
	return StartIn(tb, tb.TempDir())
}

// StartIn starts both on a directory that there is.
func StartIn(tb testing.TB, dir string) *Servers {
	tb.Helper()
	s := &Servers{tb: tb, cfg: local.Config{Dir: dir, Log: Quiet()}}
	s.Again()
	return s
}

// Stop ends both.
func (s *Servers) Stop() {
	s.tb.Helper()
	must.Do(s.tb, s.Close())
}

// Again starts what was stopped, where its clients find it.
func (s *Servers) Again() {
	s.tb.Helper()
	started := must.Get(local.Start(s.tb.Context(), s.cfg))(s.tb)
	at := must.Get(url.Parse(started.NATSURL()))(s.tb)
	s.Servers, s.cfg.NATS = started, at.Host
	s.cfg.Password, _ = at.User.Password()
	s.tb.Cleanup(func() { must.Check(s.tb, started.Close()) })
}

// patience bounds each wait for a server: it is what a hanging test costs.
const patience = 2 * time.Minute

// Connect connects to a server until the test ends. It says nothing if log is nil.
func Connect(tb testing.TB, address string, log *slog.Logger) (*nats.Conn, jetstream.JetStream) {
	tb.Helper()
	if log == nil {
		log = Quiet()
	}
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	nc := must.Get(jobstream.Connect(ctx, address, "test", jobstream.ConnectConfig{Log: log}))(tb)
	tb.Cleanup(nc.Close)
	return nc, must.Get(jetstream.New(nc))(tb)
}

// Open opens a bus over a connection of its own, as a process has it.
func Open(tb testing.TB, address string, cfg jobstream.Config) (*jobstream.Bus, *nats.Conn) {
	tb.Helper()
	if cfg.Log == nil {
		cfg.Log = Quiet()
	}
	nc, _ := Connect(tb, address, cfg.Log)

	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	return must.Get(jobstream.Open(ctx, nc, cfg))(tb), nc
}

// Remove takes a key out of a bucket and leaves no mark, as what the server loses.
func Remove(tb testing.TB, js jetstream.JetStream, bucket, key string) {
	tb.Helper()
	stream := must.Get(js.Stream(tb.Context(), "KV_"+bucket))(tb)
	must.Do(tb, stream.Purge(tb.Context(), jetstream.WithPurgeSubject("$KV."+bucket+"."+key)))
}
