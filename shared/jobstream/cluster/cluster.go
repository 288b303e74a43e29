package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// Config is what a test may choose.
type Config struct {
	// Dir keeps the nodes' files, also those that it has. Default: one of the test's own.
	Dir string
	// Settings is the shipped settings.conf. Required.
	Settings string
	// Nodes is 1 or 3. Default: 3.
	Nodes int
	// Forming has Start return while the cluster still forms.
	Forming bool
	// Apart has the other nodes reach the last one through Route alone, and it
	// them.
	Apart bool
}

// Cluster is the running nodes.
type Cluster struct {
	// Route is the way to and from the last node, if that is Apart.
	Route *nettest.Relay

	nodes  []*node
	binary string
}

// The users of the settings, with the one password that tests need.
const (
	Producer = "producer"
	Worker   = "worker"
	Viewer   = "viewer"
	password = "test-only"
)

// Start starts all nodes and waits until each is healthy, unless the cluster is
// wanted as it forms. They end with the test; one that has failed shows what
// they said last.
func Start(ctx context.Context, tb testing.TB, cfg Config) *Cluster {
	tb.Helper()
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Nodes != 1 && cfg.Nodes != 3 || cfg.Apart && cfg.Nodes != 3 {
		tb.Fatalf("cluster: Nodes is %d and Apart %t, want 1 or 3, and 3 to have one apart", cfg.Nodes, cfg.Apart)
	}
	c := &Cluster{binary: must.Get(Binary(ctx))(tb)}
	c.configure(tb, cfg)
	tb.Cleanup(func() { c.close(tb) })
	for i := range c.nodes {
		must.Do(tb, c.Restart(i))
	}
	if !cfg.Forming {
		must.Do(tb, c.Healthy(ctx))
	}
	return c
}

// configure writes each node's files.
func (c *Cluster) configure(tb testing.TB, cfg Config) {
	tb.Helper()
	settings := must.Get(os.ReadFile(cfg.Settings))(tb)
	if cfg.Dir == "" {
		cfg.Dir = tb.TempDir()
	}
	for i := range cfg.Nodes {
		n := &node{name: fmt.Sprintf("n%d", i+1), dir: filepath.Join(cfg.Dir, fmt.Sprintf("n%d", i+1))}
		n.client = free(tb)
		n.route = free(tb)
		n.http = free(tb)
		c.nodes = append(c.nodes, n)
	}
	c.connect(tb, cfg.Apart)
	for _, n := range c.nodes {
		must.Do(tb, n.write(settings))
	}
}

// connect says how nodes find each other. A node that is told of another by a
// third looks for it where that one advertises to be: of those that keep one
// apart, nowhere. So it is they alone who reach out, through the relay.
func (c *Cluster) connect(tb testing.TB, apart bool) {
	tb.Helper()
	last := len(c.nodes) - 1
	if last == 0 {
		return
	}
	if !apart {
		for _, n := range c.nodes {
			for _, other := range c.nodes {
				n.routes = append(n.routes, other.route)
			}
		}
		return
	}
	c.Route = nettest.NewRelay(tb, c.nodes[last].route)
	for _, n := range c.nodes[:last] {
		n.routes, n.advertise = []string{c.nodes[0].route, c.nodes[1].route, c.Route.Address}, "127.0.0.1:1"
	}
	c.nodes[last].routes, c.nodes[last].advertise = []string{c.nodes[last].route}, c.Route.Address // itself: it must have some
}

// free is a loopback address for a server.
func free(tb testing.TB) string {
	tb.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(nettest.FreePort(tb)))
}

// Address is where a node's clients connect to.
func (c *Cluster) Address(i int) string { return c.nodes[i].client }

// URL lists all nodes' addresses for a user of the settings.
func (c *Cluster) URL(user string) string {
	addresses := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addresses[i] = n.client
	}
	return URL(user, addresses...)
}

// URL is for a user of the settings at other addresses, such as relays'.
func URL(user string, addresses ...string) string {
	urls := make([]string, len(addresses))
	for i, address := range addresses {
		urls[i] = fmt.Sprintf("nats://%s:%s@%s", user, password, address)
	}
	return strings.Join(urls, ",")
}

// Dir is a node's directory, with its settings.conf.
func (c *Cluster) Dir(i int) string { return c.nodes[i].dir }

// Streams is the directory in which a node keeps the fleet's streams, a
// directory of its name for each.
func (c *Cluster) Streams(i int) string {
	return filepath.Join(c.nodes[i].store(), "jetstream", account, "streams")
}

// account is the one of the settings that the fleet has.
const account = "FLEET"

// Node finds a node by the name that the server shows, such as a stream's
// leader; -1 if there is none.
func (c *Cluster) Node(name string) int {
	for i, n := range c.nodes {
		if n.name == name {
			return i
		}
	}
	return -1
}

// Kill ends a node by SIGKILL and waits for its end.
func (c *Cluster) Kill(i int) { c.nodes[i].kill() }

// Restart starts a node that does not run; Healthy waits for it.
func (c *Cluster) Restart(i int) error { return c.nodes[i].start(c.binary) }

// Frozen runs do while a node is stopped by SIGSTOP: what it has on its disk
// stays as it is.
func (c *Cluster) Frozen(i int, do func() error) error { return c.nodes[i].frozen(do) }

// Healthy waits until every running node says that all its streams and
// consumers are there and have caught up.
func (c *Cluster) Healthy(ctx context.Context) error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.healthy(ctx))
	}
	return errors.Join(errs...)
}

// LastWords are the last lines of a node's log.
func (c *Cluster) LastWords(i int) string { return c.nodes[i].lastWords() }

// close ends every node that runs.
func (c *Cluster) close(tb testing.TB) {
	tb.Helper()
	for _, n := range c.nodes {
		n.kill()
		if tb.Failed() {
			tb.Logf("%s: …%s", n.name, n.lastWords())
		}
	}
}
