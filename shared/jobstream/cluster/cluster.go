package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Config is what a test may choose.
type Config struct {
	// Dir keeps the nodes' files. Required.
	Dir string
	// Settings is the shipped settings.conf. Required.
	Settings string
	// Nodes is 1 or 3. Default: 3.
	Nodes int
	// Forming has Start return while the cluster still forms.
	Forming bool
}

// Cluster is the running nodes.
type Cluster struct {
	nodes  []*node
	binary string
}

// The users of the settings, with the one password that tests need.
const (
	Producer = "producer"
	Worker   = "worker"
	password = "test-only"
)

// Start starts all nodes and waits until each is healthy, unless the cluster is
// wanted as it forms.
func Start(ctx context.Context, cfg Config) (_ *Cluster, err error) {
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	if cfg.Nodes != 1 && cfg.Nodes != 3 {
		return nil, fmt.Errorf("cluster: Nodes is %d, want 1 or 3", cfg.Nodes)
	}
	c := &Cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cluster: %w", err), c.Close())
		}
	}()
	if c.binary, err = Binary(ctx); err != nil {
		return nil, err
	}
	if err := c.configure(ctx, cfg); err != nil {
		return nil, err
	}
	for i := range c.nodes {
		if err := c.Restart(i); err != nil {
			return nil, err
		}
	}
	if cfg.Forming {
		return c, nil
	}
	return c, c.Healthy(ctx)
}

// configure writes each node's files.
func (c *Cluster) configure(ctx context.Context, cfg Config) error {
	settings, err := os.ReadFile(cfg.Settings)
	if err != nil {
		return fmt.Errorf("the shipped settings: %w", err)
	}
	var routes []string
	for i := range cfg.Nodes {
		n := &node{name: fmt.Sprintf("n%d", i+1), dir: filepath.Join(cfg.Dir, fmt.Sprintf("n%d", i+1))}
		for _, address := range []*string{&n.client, &n.route, &n.http} {
			if *address, err = free(ctx); err != nil {
				return err
			}
		}
		c.nodes, routes = append(c.nodes, n), append(routes, "nats://"+n.route)
	}
	for _, n := range c.nodes {
		if err := n.write(settings, routes); err != nil {
			return err
		}
	}
	return nil
}

// free is a loopback address that nobody listens on. Somebody may take it
// before the node does; then the node does not become healthy.
func free(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	return address, nil
}

// URL lists all nodes' addresses for a user of the settings.
func (c *Cluster) URL(user string) string {
	urls := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		urls[i] = fmt.Sprintf("nats://%s:%s@%s", user, password, n.client)
	}
	return strings.Join(urls, ",")
}

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
func (c *Cluster) Kill(i int) error { return c.nodes[i].kill() }

// Restart starts a node that does not run; Healthy waits for it.
func (c *Cluster) Restart(i int) error { return c.nodes[i].start(c.binary) }

// Healthy waits until every running node says that all its streams and
// consumers are there and have caught up.
func (c *Cluster) Healthy(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.healthy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close ends every node that runs.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, n.kill())
	}
	return errors.Join(errs...)
}
