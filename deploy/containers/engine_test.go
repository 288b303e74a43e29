package containers_test

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// engine is podman's API, as Docker's command and Compose speak it.
var engine = "unix://" + filepath.Join(os.TempDir(), "engine.sock")

// form is short, full, or empty outside the script that makes the images.
var form = os.Getenv("MIRRORFLEET_CONTAINERS")

func TestMain(m *testing.M) {
	if form == "" {
		os.Exit(m.Run()) // each test says why it is skipped
	}
	ctx, stop := context.WithCancel(context.Background())
	service := exec.CommandContext(ctx, "podman", "system", "service", "--time=0", engine)
	service.Stderr = os.Stderr
	if err := service.Start(); err != nil {
		panic(err)
	}
	if err := listens(ctx); err != nil {
		panic(err)
	}
	var checks sync.WaitGroup
	checks.Go(func() { checkHealth(ctx) })
	code := m.Run()
	stop()
	checks.Wait()
	_ = service.Wait() // it was killed
	os.Exit(code)
}

// listens waits until the engine does.
func listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "unix", strings.TrimPrefix(engine, "unix://"))
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return err
		}
	}
}

// checkHealth does what systemd does for podman and Docker's daemon does by itself: it
// runs the health checks of the containers that are not healthy yet.
func checkHealth(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		reviveNames(ctx)
		list, err := exec.CommandContext(ctx, "podman", "ps", "--format", "{{.ID}} {{.Status}}").Output()
		if err != nil {
			continue // a container has gone while they were listed
		}
		for line := range strings.Lines(string(list)) {
			id, status, _ := strings.Cut(line, " ")
			if strings.Contains(status, "(starting)") || strings.Contains(status, "(unhealthy)") {
				_ = exec.CommandContext(ctx, "podman", "healthcheck", "run", id).Run() // the container's state has the result
			}
		}
	}
}

// podman runs a command of it, which must succeed.
func podman(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "podman", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("podman %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// container is what the tests read of podman's inspect, which names fields as Go does.
type container struct {
	ID    string
	State struct {
		Status    string
		ExitCode  int
		StartedAt time.Time
		OOMKilled bool
	}
	Config        struct{ User string }
	EffectiveCaps []string
	BoundingCaps  []string
	HostConfig    struct {
		ReadonlyRootfs bool
		SecurityOpt    []string
		Memory         int64
	}
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress string }
	}
}

func inspect(t *testing.T, name string) (c container) {
	t.Helper()
	var all []container
	said := podman(t, "inspect", "--type", "container", name)
	must.Do(t, json.Unmarshal([]byte(said), &all)) //nolint:musttag // podman's names are the fields'
	return all[0]
}

// shown is all that podman shows of a container but its environment.
func shown(t *testing.T, name string) string {
	t.Helper()
	var all []map[string]any
	must.Do(t, json.Unmarshal([]byte(podman(t, "inspect", "--type", "container", name)), &all))
	config, _ := all[0]["Config"].(map[string]any)
	if len(config) == 0 {
		t.Fatalf("%s has no configuration", name)
	}
	delete(config, "Env")
	return string(must.Get(json.Marshal(all))(t))
}

// address is where the container listens in the network that it shares with its servers.
func (c container) address(t *testing.T, port string) string {
	t.Helper()
	for name, network := range c.NetworkSettings.Networks {
		if !strings.HasSuffix(name, "front") {
			return net.JoinHostPort(network.IPAddress, port)
		}
	}
	t.Fatalf("container %s has no address", c.ID)
	return ""
}
