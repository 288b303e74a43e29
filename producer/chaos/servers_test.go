package chaos_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"mirrorfleet/shared/jobstream"
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
		ports[i] = freePort(t)
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
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		node := newProcess(t, dir, name, binary("nats-server"), "-c", file)
		if err := node.start(); err != nil {
			t.Fatal(err)
		}
		nodes, urls = append(nodes, node), append(urls, "nats://127.0.0.1:"+ports[i])
	}
	return nodes, urls
}

// openBus declares the streams before anybody else does, with the lease.
func openBus(ctx context.Context, t *testing.T, url string) (*jobstream.Bus, *nats.Conn) {
	t.Helper()
	nc, err := jobstream.Connect(ctx, url, "chaos", jobstream.ConnectConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	bus, err := jobstream.Open(ctx, nc, jobstream.Config{Replicas: servers, AckWait: lease})
	if err != nil {
		t.Fatal(err)
	}
	return bus, nc
}

// startRedis starts a Redis that keeps nothing.
func startRedis(t *testing.T, dir string) (*process, string) {
	t.Helper()
	port := freePort(t)
	server := newProcess(t, dir, "redis", "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir)
	if err := server.start(); err != nil {
		t.Fatal(err)
	}
	return server, "127.0.0.1:" + port
}

// wire is a connection between the fleet and a server that can be disturbed.
type wire struct {
	*toxiproxy.Proxy

	name string
}

func newWire(t *testing.T, name, upstream string) *wire {
	t.Helper()
	proxy := toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), name, "127.0.0.1:0", upstream)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return &wire{proxy, name}
}

// spoil disturbs the wire in both directions; heal ends that.
func (w *wire) spoil(kind, attributes string) error {
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := fmt.Sprintf(`{"type":%q,"stream":%q,"attributes":%s}`, kind, stream, attributes)
		if _, err := w.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			return fmt.Errorf("%s on %s: %w", kind, w.name, err)
		}
	}
	return nil
}

func (w *wire) heal() { w.Toxics.ResetToxics(context.Background()) }

// drawn are the ports that are some server's, also while it is down.
var drawn = map[int]bool{}

// freePort draws a port for a server that will be killed and started again: one
// below those that the system gives to connections, and nobody else's here.
func freePort(t *testing.T) string {
	t.Helper()
	const lowest, highest = 10_000, 32_000
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		if drawn[port] {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		drawn[port] = true
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return strconv.Itoa(port)
	}
	t.Fatalf("no port between %d and %d is free", lowest, highest)
	return ""
}
