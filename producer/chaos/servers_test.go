package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// servers is how many NATS servers a cluster has: it lives with any one gone.
const servers = 3

// lease is the fleet's AckWait: short, so that a killed worker's jobs are soon
// another's.
const lease = 3 * time.Second

// startNATS starts the cluster and returns its processes and their URLs.
func startNATS(t *testing.T, dir string) (nodes []*process, urls []string) {
	t.Helper()
	ports, routes := make([]string, 2*servers), make([]string, servers)
	for i := range ports {
		ports[i] = strconv.Itoa(nettest.FreePort(t))
	}
	for i := range servers {
		routes[i] = "nats://127.0.0.1:" + ports[servers+i]
	}
	for i := range servers {
		name := fmt.Sprintf("nats-%d", i+1)
		config := fmt.Sprintf(`server_name: %s
listen: "127.0.0.1:%s"
jetstream { store_dir: %q, sync_interval: always }
cluster { name: chaos, listen: "127.0.0.1:%s", no_advertise: true, routes: [%s] }
`, name, ports[i], filepath.Join(dir, name), ports[servers+i], strings.Join(routes, ", "))
		file := filepath.Join(dir, name+".conf")
		must.Do(t, os.WriteFile(file, []byte(config), 0o600))
		node := newProcess(t, dir, name, fleettest.Path(t, "nats-server"), "-c", file)
		must.Do(t, node.start())
		nodes, urls = append(nodes, node), append(urls, "nats://127.0.0.1:"+ports[i])
	}
	return nodes, urls
}

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
