package chaos_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/cluster"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// lease is the fleet's AckWait: short, so that a killed worker's jobs are soon
// another's.
const lease = 3 * time.Second

// server is one of the NATS servers: the cluster lives with any one gone.
type server struct {
	*cluster.Cluster

	node int
}

func (s server) name() string { return fmt.Sprintf("nats-%d", s.node+1) }

// killed has a server gone for a while.
func (s server) killed(gone time.Duration) act {
	return act{"SIGKILL", s.name(), gone, func() error { s.Kill(s.node); return nil }, func() error { return s.Restart(s.node) }}
}

// startNATS starts the cluster with a wire to each of its servers.
func (f *fleet) startNATS(ctx context.Context, t *testing.T) {
	t.Helper()
	f.cluster = cluster.Start(ctx, t, cluster.Config{Settings: filepath.Join("..", "..", "deploy", "nats", "settings.conf")})
	for i := range servers {
		s := server{f.cluster, i}
		f.nats = append(f.nats, s)
		f.wires = append(f.wires, newWire(t, "wire to "+s.name(), f.cluster.Address(i)))
	}
}

// disturbedURL is where a user finds the servers over the wires.
func (f *fleet) disturbedURL(user string) string {
	addresses := make([]string, servers)
	for i := range addresses {
		addresses[i] = f.wires[i].Address
	}
	return cluster.URL(user, addresses...)
}

// servers is how many NATS servers there are.
const servers = 3

// openBus declares the streams before anybody else does, with the lease.
func openBus(ctx context.Context, t *testing.T, url string) (*jobstream.Bus, *nats.Conn) {
	t.Helper()
	nc := must.Get(jobstream.Connect(ctx, url, "chaos", jobstream.ConnectConfig{}))(t)
	t.Cleanup(nc.Close)
	bus := must.Get(jobstream.Open(ctx, nc, jobstream.Config{Replicas: servers, AckWait: lease}))(t)
	return bus, nc
}

// startRedis starts a Redis that keeps nothing.
func startRedis(t *testing.T, dir string) (*process, string) {
	t.Helper()
	port := strconv.Itoa(nettest.FreePort(t))
	server := newProcess(t, dir, "redis", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	must.Do(t, server.start())
	return server, "127.0.0.1:" + port
}

// wire is a connection between the fleet and a server that can be disturbed.
type wire struct {
	*nettest.Relay

	name string
}

func newWire(t *testing.T, name, upstream string) *wire {
	t.Helper()
	return &wire{nettest.NewRelay(t, upstream), name}
}
