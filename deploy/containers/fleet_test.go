package containers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// goOn is the rest of the long form: the fleet is watched, restarted, stopped, and runs
// what the other profiles have.
func goOn(t *testing.T, s *stack, first string) {
	t.Helper()
	t.Run("watched", watched)
	t.Run("ready", ready)
	t.Run("restarts", func(t *testing.T) { restarts(t, s.in(t), first) })
	t.Run("round", func(t *testing.T) { ownRound(t, s.in(t), first) })
	t.Run("gateway", func(t *testing.T) { gateway(t, s.in(t)) })
	t.Run("serve", func(t *testing.T) { serve(t, s.in(t)) })
}

// watched: Prometheus reads every worker, and Jaeger has the round's traces.
func watched(t *testing.T) {
	t.Helper()
	up := func() bool {
		_, body := nettest.Get(t, "http://127.0.0.1:9090/api/v1/query?query="+url.QueryEscape(`count(up{job="mirrorfleet"} == 1)`))
		return strings.Contains(body, `,"2"]`)
	}
	must.Until(t.Context(), t, "Prometheus reads both workers", up)
	_, services := nettest.Get(t, "http://127.0.0.1:16686/api/services")
	for _, want := range []string{"producer", "worker"} {
		if !strings.Contains(services, want) {
			t.Errorf("Jaeger has the services %s, want %s among them", services, want)
		}
	}
}

// ready stops an idle worker, and starts it again.
func ready(t *testing.T) {
	t.Helper()
	podman(t, "stop", "--time", "30", named("worker"))
	if c := inspect(t, named("worker")); c.State.ExitCode != 0 {
		t.Errorf("an idle worker that was told to stop ended with %d", c.State.ExitCode)
	}
	podman(t, "start", named("worker"))
	untilReady(t, "worker")
}

// untilReady waits until a service that was just started says that it is ready, and measures
// the time since its container's start.
func untilReady(t *testing.T, service string) {
	t.Helper()
	c := inspect(t, named(service))
	address := "http://" + c.address(t, "9464") + "/readyz"
	must.Until(t.Context(), t, service+" is ready", func() bool { return status(address) == http.StatusOK })
	t.Logf("%s was ready %v after its container's start", service, time.Since(c.State.StartedAt).Round(10*time.Millisecond))
}

// status asks an address that may not listen yet.
func status(address string) int {
	client := http.Client{Timeout: time.Second}
	response, err := client.Get(address)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// restarts: every part is restarted in the middle of a round, which gives the same rewards.
// The workers hand their jobs back in the time that the compose file leaves them.
func restarts(t *testing.T, s *stack, first string) {
	t.Helper()
	var said telemetrytest.Log
	cmd := s.command(t.Context(), "run", "--rm", "-T", "--no-deps", "producer")
	cmd.Stdout, cmd.Stderr = &said, &said
	must.Do(t, cmd.Start())
	said.Await(t.Context(), t, " running,")
	begun := time.Now()
	s.compose("stop", "worker")
	t.Logf("both workers stopped in %v", time.Since(begun).Round(100*time.Millisecond))
	for _, name := range []string{named("worker"), "mirrorfleet-worker-2"} {
		if c := inspect(t, name); c.State.ExitCode != 0 {
			t.Errorf("%s, told to stop while it worked, ended with %d", name, c.State.ExitCode)
		}
	}
	for _, service := range []string{"redis", "nats", "mirror"} {
		begun = time.Now()
		s.compose("restart", service)
		t.Logf("%s restarted in %v", service, time.Since(begun).Round(100*time.Millisecond))
	}
	s.compose("start", "worker")
	must.Check(t, cmd.Wait())
	if got := rewards(t, said.String()); got != first {
		t.Errorf("the round with restarts:\n%s\nwant the rewards of the round without:\n%s", got, first)
	}
}

// ownRound: the profile "round" runs what stands in a folder of the operator's.
func ownRound(t *testing.T, s *stack, first string) {
	t.Helper()
	folder := t.TempDir()
	must.Do(t, os.Chmod(folder, 0o755))
	must.Do(t, os.Chmod(filepath.Dir(folder), 0o755))
	world := podman(t, "volume", "inspect", "--format", "{{.Mountpoint}}", "mirrorfleet_world")
	for _, name := range []string{"miners.json", "master_repositories.json"} {
		must.Do(t, os.WriteFile(filepath.Join(folder, name), must.Get(os.ReadFile(filepath.Join(world, name)))(t), 0o644))
	}
	s.env["ROUND"] = folder
	s.up("round")
	if code := podman(t, "wait", named("round")); code != "0" {
		t.Errorf("the round ended with %s", code)
	}
	if got := rewards(t, podman(t, "logs", named("round"))); got != first {
		t.Errorf("the round of a folder:\n%s\nwant\n%s", got, first)
	}
	checkGuards(t, "round")
}

// gateway: this machine and other containers reach the mirror through it.
func gateway(t *testing.T, s *stack) {
	t.Helper()
	s.up("gateway")
	untilReady(t, "gateway")
	code, body := nettest.Get(t, "http://127.0.0.1:8460/api/v1/health")
	if code != http.StatusOK || !json.Valid([]byte(body)) {
		t.Errorf("through the gateway: %d %s, want the mirror's answer", code, body)
	}
	checkGuards(t, "gateway")
	s.compose("stop", "gateway")
	if c := inspect(t, named("gateway")); c.State.ExitCode != 0 {
		t.Errorf("the gateway, told to stop, ended with %d", c.State.ExitCode)
	}
}
