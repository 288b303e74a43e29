package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// What is run here is the command as it ships: the race detector has the package's own
// tests.
func TestMain(m *testing.M) { fleettest.Main(m, fleettest.Build{}) }

// patience bounds every wait of a test; nothing is measured against it.
const patience = 3 * time.Minute

// process is a gateway under way.
type process struct {
	*exec.Cmd

	url    string
	stderr *telemetrytest.Log
	ended  chan error
}

// begin starts a gateway with a horizon shorter than in earnest: a bucket begins with a
// pause of one.
func begin(t *testing.T, redis string, args ...string) *process {
	t.Helper()
	args = append([]string{"--limit-horizon", "1s", "--addr", "127.0.0.1:0"}, args...)
	p := &process{
		Cmd: fleettest.Command(context.WithoutCancel(t.Context()), t, "mirrorgate", args...), stderr: &telemetrytest.Log{}, ended: make(chan error, 1),
	}
	p.Env, p.Stderr = append(p.Env, "MIRRORFLEET_REDIS="+redis), p.stderr
	stdout := must.Get(p.StdoutPipe())(t)
	must.Do(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	go func() { p.ended <- p.Wait() }()
	var ready struct {
		URL string `json:"url"`
	}
	if err != nil || json.Unmarshal([]byte(line), &ready) != nil {
		t.Fatalf("no gateway: %q, %v\n%s", line, err, p.stderr)
	}
	p.url = ready.URL
	return p
}

// drained ends a gateway as an operator does.
func (p *process) drained(t *testing.T) {
	t.Helper()
	must.Do(t, p.Process.Signal(syscall.SIGTERM))
	if err := must.Receive(t.Context(), t, p.ended, "the gateway's end"); err != nil {
		t.Errorf("at SIGTERM: %v, want exit code 0\n%s", err, p.stderr)
	}
}

// The process: ready, with its pages; requests of a client, with a permit each; drained
// at SIGTERM. Redis' password is in nothing that it says.
func TestTheGatewayRuns(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t, "--requirepass", "geheim")
	address := strings.Replace(redis.URL(), "redis://", "redis://:geheim@", 1)
	sim := fleettest.Simulate(t)
	pages := "http://127.0.0.1:" + strconv.Itoa(nettest.FreePort(t))
	p := begin(t, address, "--mirror", sim.URL, "--listen", strings.TrimPrefix(pages, "http://"), "--log-level", "debug")
	ctx, cancel := context.WithTimeout(t.Context(), patience) // from here on: the commands may have had to be built
	defer cancel()
	for range 5 {
		if status, body := nettest.Get(t, p.url+"/api/v1/health"); status != http.StatusOK {
			t.Fatalf("got %d %s\n%s", status, body, p.stderr)
		}
	}
	if status, body := nettest.Get(t, p.url+"/healthz"); status != http.StatusNotFound {
		t.Errorf("the process's pages at the mirror's address: got %d %s, want 404", status, body)
	}
	status, ready := nettest.Get(t, pages+"/readyz")
	if status != http.StatusOK || !strings.Contains(ready, `"redis":"ok"`) || strings.Contains(ready, "nats") {
		t.Errorf("/readyz: got %d %s, want it ready by Redis alone", status, ready)
	}
	_, metrics := nettest.Get(t, pages+"/metrics")
	for _, want := range []string{
		`mirrorfleet_gateway_wait_duration_seconds_count{gateway_outcome="permitted",url_template="/api/v1/health"} 5`,
		"mirrorfleet_gateway_waiting 0", `mirrorfleet_limit_permits_total{`, `mirrorfleet_server_answers{`,
		`service_name="mirrorgate",service_namespace="mirrorfleet",service_version="`, // docs/upgrade.md
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if seen := must.Get(fleettest.Stats(ctx, sim.URL))(t); seen.Requests != 5 || seen.OverLimit != 0 {
		t.Errorf("the mirror saw %+v, want the 5 requests", seen)
	}
	p.drained(t)
	said := p.stderr.String() + ready + metrics
	if strings.Contains(said, "geheim") {
		t.Errorf("Redis' password is shown:\n%s", said)
	}
	if !strings.Contains(said, "nobody has sent from this egress yet") {
		t.Errorf("an egress that nobody uses is not warned of:\n%s", p.stderr)
	}
}

// Wrong usage is told at once, with exit code 2.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t).URL()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no Redis":           {nil, "--redis is required"},
		"no address":         {[]string{"--redis", redis, "--addr", "127.0.0.1"}, "--addr"},
		"somebody's address": {[]string{"--redis", redis, "--addr", strings.TrimPrefix(redis, "redis://")}, "--addr"},
		"no mirror":          {[]string{"--redis", redis, "--mirror", "mirror"}, "--mirror"},
		"no wait":            {[]string{"--redis", redis, "--wait", "0s"}, "wait"},
		"a password":         {[]string{"--redis", "redis://:geheim@localhost"}, "password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := fleettest.Command(t.Context(), t, "mirrorgate", c.args...).CombinedOutput()
			exit, _ := errors.AsType[*exec.ExitError](err)
			if exit == nil || exit.ExitCode() != 2 || !strings.Contains(string(out), c.says) || strings.Contains(string(out), "geheim") {
				t.Errorf("got %v: %s, want exit code 2 and %q", err, out, c.says)
			}
		})
	}
}

// came is what testdata/clients.py says.
type came struct {
	Counts map[string]int `json:"counts"`
	Errors []string       `json:"errors"`
}

// Sixty-four sessions of Python's requests, which know of no limit and no gateway: 0 over
// the limit, no more connections than the pool's, each answer byte for byte. With
// VALIDATOR it is a checkout of the validator that asks, by its own client, after the
// command of docs/validator.md.
func TestClientsInPython(t *testing.T) {
	t.Parallel()
	python := "python3"
	if own := os.Getenv("VALIDATOR_PYTHON"); own != "" {
		python = own
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import requests").CombinedOutput(); err != nil {
		t.Skipf("%s has no requests (pip install requests): %s", python, out)
	}
	const clients, pool = 64, 8
	direct := fleettest.Simulate(t, "--limit", "0", "--case-fault", "400")
	sim := fleettest.Simulate(t, "--limit", "200", "--window", "1s", "--mitigation", "1s", "--case-fault", "400")
	p := begin(t, redistest.Start(t).URL(), "--mirror", sim.URL, "--limit-requests", "200", "--limit-window", "1s", "--waiting", "64")
	args := []string{filepath.Join("testdata", "clients.py"), p.url, direct.URL, "64", sim.Miners}
	if checkout := os.Getenv("VALIDATOR"); checkout != "" {
		args = append(args, movedOver(t, checkout, p.url))
	}
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var got came
	if err := json.Unmarshal(must.Get(cmd.Output())(t), &got); err != nil || len(got.Errors) > 0 || got.Counts["different"] > 0 ||
		got.Counts["equal"] < 4*clients || got.Counts["429"] > 0 {
		t.Errorf("%v: %+v\n%s%s", err, got, stderr.String(), p.stderr)
	}
	seen := must.Get(fleettest.Stats(t.Context(), sim.URL))(t)
	if seen.OverLimit != 0 || seen.Connections.MaxOpen > pool {
		t.Errorf("the mirror saw %+v, want none over its limit, over at most %d connections", seen, pool)
	}
	t.Logf("%v; the mirror saw %d requests, %d over the limit, over at most %d connections", got.Counts, seen.Requests, seen.OverLimit, seen.Connections.MaxOpen)
	p.drained(t)
}

// movedOver is a copy of a checkout after the command of the page, with another address
// of the gateway.
func movedOver(t *testing.T, checkout, url string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "validator")
	must.Do(t, os.CopyFS(copied, os.DirFS(checkout)))
	page := string(must.Get(os.ReadFile("../../docs/validator.md"))(t))
	command := regexp.MustCompile(`(?m)^    (sed -i .*gittensor/constants\.py)$`).FindStringSubmatch(page)
	if command == nil || !strings.Contains(command[1], "http://"+defaultAddr) {
		t.Fatalf("docs/validator.md has no command that names http://%s in gittensor/constants.py", defaultAddr)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command[1], "http://"+defaultAddr, url))
	cmd.Dir = copied
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return copied
}
