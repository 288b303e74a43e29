package main_test

import (
	"compress/gzip"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"mirrorfleet/shared/local"
)

// spans is an OTLP collector: a real receiver of the real protocol.
type spans struct {
	mu sync.Mutex
	// traces holds the names of each trace's spans; miners says which miner a
	// trace is about.
	traces map[string][]string
	miners map[string]string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(data, &request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				id := string(span.GetTraceId())
				s.traces[id] = append(s.traces[id], span.GetName())
				for _, a := range span.GetAttributes() {
					if a.GetKey() == "miner.uid" {
						s.miners[id] = a.GetValue().String()
					}
				}
			}
		}
	}
}

// servers are NATS, Redis, a collector and a simulated mirror, each on its own
// address, as an operator has them.
func servers(t *testing.T) (nats, redis string, world simulated, seen *spans, env []string) {
	t.Helper()
	started, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = started.Close() })
	seen = &spans{traces: map[string][]string{}, miners: map[string]string{}}
	otlp := httptest.NewServer(seen)
	t.Cleanup(otlp.Close)
	world = simulate(t, "case:"+filepath.Join("..", "shared", "mirrorsim", "testdata", "case.json.gz"))
	return started.NATSURL(), started.RedisURL(), world, seen, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.URL}
}

// simulated is the simulator's first line.
type simulated struct{ url, miners, registry, asOf string }

// simulate serves a world until the test ends.
func simulate(t *testing.T, world string) simulated {
	t.Helper()
	cmd := command(t, "mirrorsim", "--world", world, "--write", t.TempDir(), "--exit-with-stdin")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	fields := firstLine(t, cmd)
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	return simulated{fields["url"], fields["miners"], fields["registry"], fields["as_of"]}
}

// work is a worker started by hand; it takes jobs when this returns. The
// returned function drains it.
func work(t *testing.T, name string, env []string, args ...string) (stop func()) {
	t.Helper()
	cmd := command(t, "worker", append([]string{"--name", name}, args...)...)
	cmd.Env = append(cmd.Env, env...)
	firstLine(t, cmd)
	return sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
}

// The same code, started by hand on the same addresses; and every job is one
// trace that leads from its publication to its settlement.
func TestStartedByHand(t *testing.T) {
	t.Parallel()
	nats, redis, world, seen, env := servers(t)
	common := []string{"--nats", nats, "--redis", redis, "--mirror", world.url, "--egress", "by-hand", "--limit-horizon", "1s"}
	stops := []func(){work(t, "first", env, common...), work(t, "second", env, common...)}

	args := append([]string{"run", "--json", "--miners", world.miners, "--registry", world.registry, "--as-of", world.asOf}, common...)
	cmd := command(t, "producer", args...)
	cmd.Env = append(cmd.Env, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	for _, stop := range stops {
		stop()
	}
	if _, exited := err.(*exec.ExitError); err != nil && !exited { //nolint:errorlint // Output returns it as it is
		t.Fatal(err)
	}
	got := decode(t, ended{cmd.ProcessState.ExitCode(), string(stdout), stderr.String()})
	if got.Planned == 0 || got.Planned != got.Done {
		t.Errorf("planned %d, done %d\n%s", got.Planned, got.Done, stderr.String())
	}
	seen.check(t, got.Planned)
}

// check wants a trace for each job, with the steps of its way.
func (s *spans) check(t *testing.T, jobs int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.miners) != jobs {
		t.Errorf("%d traces name a miner, want one for each of %d jobs", len(s.miners), jobs)
	}
	for _, id := range slices.Collect(maps.Keys(s.miners)) {
		for _, want := range []string{"publish miner.job", "process miner.job", "evaluate", "permit", "mirror POST", "commit", "settle"} {
			if !slices.ContainsFunc(s.traces[id], func(name string) bool { return strings.HasPrefix(name, want) }) {
				t.Errorf("the trace of miner %s has no %q: %v", s.miners[id], want, s.traces[id])
			}
		}
	}
}
