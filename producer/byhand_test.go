package main_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// servers are NATS, Redis, a collector and a simulated mirror, each at its own address,
// as in an operator's installation.
func servers(t *testing.T) (nats, redis string, world fleettest.Mirror, seen *collector, env []string) {
	t.Helper()
	started := jobstreamtest.Start(t)
	declare(t, started.NATSURL())
	seen = &collector{}
	otlp := httptest.NewServer(seen)
	t.Cleanup(otlp.Close)
	world = fleettest.Simulate(t, "--world", "case:"+settledCase)
	return started.NATSURL(), started.RedisURL(), world, seen, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.URL}
}

// declare declares the streams in a producer's place. Workers wait until a producer has
// done that, and a test starts them first.
func declare(t *testing.T, nats string) {
	t.Helper()
	jobstreamtest.Open(t, nats, jobstream.Config{})
}

// worker is a worker that was started by hand.
type worker struct {
	// pages is where it listens; "" if it does not.
	pages  string
	stderr *watched
	stop   func()
}

// work starts a worker, and returns when it takes jobs. stop drains it.
func work(t *testing.T, name string, env []string, args ...string) *worker {
	t.Helper()
	cmd := command(t, "worker", append([]string{"--name", name}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	w := &worker{stderr: &watched{want: "taking jobs", seen: make(chan struct{})}}
	cmd.Stderr = w.stderr
	must.Do(t, cmd.Start())
	w.stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, w.stderr)
		}
	})
	t.Cleanup(w.stop)
	select {
	case <-w.stderr.seen:
	case <-time.After(time.Minute):
		t.Fatalf("%s takes no jobs:\n%s", name, w.stderr)
	}
	if _, after, found := strings.Cut(w.stderr.String(), `"address":"`); found {
		w.pages, _, _ = strings.Cut(after, `"`)
	}
	return w
}

// page reads one of a process's pages.
func page(t *testing.T, address, path, accept string) (status int, body string) {
	t.Helper()
	return nettest.Get(t, "http://"+address+path, "Accept", accept)
}

// The same code runs a round when each process is started by hand. Every job is one
// trace, from its publication to its settlement.
func TestStartedByHand(t *testing.T) {
	t.Parallel()
	nats, redis, world, seen, env := servers(t)
	common := []string{"--nats", nats, "--redis", redis, "--mirror", world.URL, "--egress", "by-hand", "--limit-horizon", "1s"}
	first := work(t, "first", env, append(common, "--listen", "127.0.0.1:0")...)
	second := work(t, "second", env, common...)

	args := append([]string{"run", "--json", "--miners", world.Miners, "--registry", world.Registry, "--as-of", world.AsOf}, common...)
	cmd := command(t, "producer", args...)
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if status, body := page(t, first.pages, "/readyz", ""); status != http.StatusOK {
		t.Errorf("/readyz of a worker that works: %d %s", status, body)
	}
	var metrics string
	until(t, "the worker has counted a job", func() bool { // a job is counted after the record is written that ends the round
		_, metrics = page(t, first.pages, "/metrics", "application/openmetrics-text")
		return regexp.MustCompile(`mirrorfleet_job_outcomes_total\{job_outcome="done"\} [1-9]`).MatchString(metrics) &&
			strings.Contains(metrics, "messaging_process_duration_seconds_bucket{")
	})
	first.stop()
	second.stop()
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // Output returns it as it is
		t.Fatal(err)
	}
	got := decode(t, ended{cmd.ProcessState.ExitCode(), string(stdout), stderr.String()})
	if got.Planned == 0 || got.Planned != got.Done {
		t.Errorf("planned %d, done %d\n%s", got.Planned, got.Done, stderr.String())
	}
	seen.check(t, got.Planned)
	checkMetrics(t, metrics, seen)
}

// check wants a trace for each job, with the steps of its way.
func (c *collector) check(t *testing.T, jobs int) {
	t.Helper()
	roots := c.find("job")
	if len(roots) != jobs {
		t.Errorf("%d traces of jobs, want one for each of %d jobs", len(roots), jobs)
	}
	for _, root := range roots {
		for _, want := range []string{"publish miner.job", "process miner.job", "evaluate", "permit", "POST ", "commit", "settle miner.job"} {
			if !slices.ContainsFunc(c.find(""), func(s *seenSpan) bool { return s.trace == root.trace && strings.HasPrefix(s.GetName(), want) }) {
				t.Errorf("the trace of miner %s has no %q", root.attrs["miner.uid"], want)
			}
		}
	}
}

// checkMetrics wants the counts of a worker and a producer, on the page and by OTLP, with
// exemplars that lead to traces.
func checkMetrics(t *testing.T, pageOfWorker string, seen *collector) {
	t.Helper()
	for _, want := range []string{
		`http_client_request_duration_seconds_count{http_request_method="POST",http_response_status_code="200",server_address="127.0.0.1",url_template="/api/v1/miners/{github_id}/pulls"}`,
		"http_client_response_body_size_bytes_sum{",
		`mirrorfleet_mirror_breaker_state{mirror_breaker_state="closed"} 1`,
		`mirrorfleet_job_outcomes_total{job_outcome="done"}`,
		`mirrorfleet_job_lease_losses_total 0`,
		"messaging_client_consumed_messages_total{", "messaging_process_duration_seconds_bucket{", "mirrorfleet_job_queue_wait_seconds_sum{",
		`mirrorfleet_score_files_total{score_language=`, "mirrorfleet_score_bytes_total{", "mirrorfleet_score_cpu_time_seconds_total ",
		"mirrorfleet_score_child_starts_total ", "mirrorfleet_score_duration_seconds_count ",
		"go_goroutines ", "process_cpu_seconds_total ",
	} {
		if !strings.Contains(pageOfWorker, want) {
			t.Errorf("the worker's metrics have no %s", want)
		}
	}
	if !strings.Contains(pageOfWorker, `trace_id="`) {
		t.Error("the worker's metrics have no exemplar")
	}
	if t.Failed() {
		t.Log(pageOfWorker)
	}
	for _, want := range []string{
		"messaging.client.sent.messages", "mirrorfleet.round.phase", "mirrorfleet.round.jobs", "mirrorfleet.round.degraded",
		"mirrorfleet.round.duration", "mirrorfleet.mirror.breaker.state", "mirrorfleet.job.outcomes",
	} {
		if seen.metric(want) == "" {
			t.Errorf("the collector got no metric %s", want)
		}
	}
}

// A command that only reads, or gives one order, warns of a loose file as a service does.
func TestEveryCommandWarnsOfLooseFiles(t *testing.T) {
	t.Parallel()
	loose := filepath.Join(t.TempDir(), "seed")
	write(t, loose, "SECRET")
	must.Do(t, os.Chmod(loose, 0o640))
	for _, args := range [][]string{{"rounds"}, {"pause"}, {"egresses", "--redis", "redis://127.0.0.1:1"}, {"backup", filepath.Join(t.TempDir(), "to")}} {
		args = append(args, "--nats", "nats://127.0.0.1:1", "--connect-timeout", "100ms", "--nats-nkey", loose)
		e := run(t, "producer", args...)
		if e.code == 0 || strings.Count(e.stderr, "chmod 600 "+loose) != 1 || strings.Contains(e.stderr, "SECRET") {
			t.Errorf("%v: exit %d, want one warning that says chmod 600, and no secret\n%s", args, e.code, e.stderr)
		}
	}
}
