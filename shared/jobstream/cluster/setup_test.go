package cluster_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := cluster.Clean(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// patience bounds every wait of a test; nothing is measured against it.
const patience = 2 * time.Minute

// settings is what deploy/nats ships.
var settings = filepath.Join("..", "..", "..", "deploy", "nats", "settings.conf")

var asOf = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// bundle is a cluster with a connection of each role.
type bundle struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // the test's own, with its patience
	cluster *cluster.Cluster
	js      jetstream.JetStream
	nc      *nats.Conn
}

func setup(t *testing.T) *bundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	b := &bundle{t: t, ctx: ctx, cluster: cluster.Start(ctx, t, cluster.Config{Settings: settings})}
	b.nc = b.connect(cluster.Producer)
	b.js = must.Get(jetstream.New(b.nc))(t)
	return b
}

func (b *bundle) must(err error) { b.t.Helper(); must.Do(b.t, err) }

func (b *bundle) connect(user string) *nats.Conn {
	b.t.Helper()
	return b.connectTo(b.cluster.URL(user))
}

func (b *bundle) connectTo(url string) *nats.Conn {
	b.t.Helper()
	nc, _ := jobstreamtest.Connect(b.t, url, nil)
	return nc
}

func (b *bundle) open(nc *nats.Conn, replicas int) *jobstream.Bus {
	b.t.Helper()
	bus, err := jobstream.Open(b.ctx, nc, jobstream.Config{Replicas: replicas, Timeout: 2 * time.Second, Log: jobstreamtest.Quiet()})
	b.must(err)
	return bus
}

// as opens a bus as the user of a role has it.
func (b *bundle) as(role jobstream.Role) *jobstream.Bus {
	b.t.Helper()
	bus, _ := jobstreamtest.Open(b.t, b.cluster.URL(string(role)), jobstream.Config{Role: role, Timeout: 2 * time.Second})
	return bus
}

// until asks what anew, at a ticker's pace, until it holds.
func (b *bundle) until(what string, holds func() bool) {
	b.t.Helper()
	must.Until(b.ctx, b.t, what, holds)
}

// leader is the node that leads the stream of the jobs.
func (b *bundle) leader() int {
	b.t.Helper()
	leader := -1
	b.until("the jobs have a leader", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, time.Second) // a question may be lost with a leader
		defer cancel()
		s, err := b.js.Stream(ctx, job.StreamJobs)
		if err == nil && s.CachedInfo().Cluster != nil {
			leader = b.cluster.Node(s.CachedInfo().Cluster.Leader)
		}
		return leader >= 0
	})
	return leader
}
