package main_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/local"
)

// rounds is how many each fleet runs at least: what one takes varies by some
// per cent on a machine that does other things too.
const rounds = 12

// BenchmarkTracing is what traces cost a worker: its processor time and its
// children's over whole rounds of the demo world, without and with tracing at
// the default sampling, in turns. Nothing holds the requests back, so that the
// jobs' own work is all there is.
func BenchmarkTracing(b *testing.B) {
	dir := b.TempDir()
	build := exec.Command("go", "build", "-o", dir, "mirrorfleet/producer", "mirrorfleet/worker", "mirrorfleet/shared/mirrorsim/cmd/mirrorsim")
	if out, err := build.CombinedOutput(); err != nil { // those of TestMain have the race detector in them
		b.Fatalf("%v\n%s", err, out)
	}
	spans := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer spans.Close()
	world := benchWorld(b, dir)
	untraced, traced := []string{"OTEL_TRACES_EXPORTER=none"}, []string{"OTEL_METRICS_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.URL}
	// Two fleets each, and each in every place of the order: a process differs
	// from its like, and who comes first from who comes second, by more than
	// what is looked for.
	fleets := []*benchFleet{startFleet(b, dir, world, untraced...), startFleet(b, dir, world, traced...), startFleet(b, dir, world, traced...), startFleet(b, dir, world, untraced...)}
	for _, f := range fleets {
		f.round(b) // grammars are loaded, connections opened
	}
	var took [4][]float64
	b.ResetTimer()
	for n := range max(b.N, rounds) {
		for i := range fleets {
			at := (i + n) % len(fleets)
			took[at] = append(took[at], fleets[at].round(b))
		}
	}
	b.StopTimer()
	off, on := (median(took[0])+median(took[3]))/2, (median(took[1])+median(took[2]))/2
	b.ReportMetric(off, "off-ms/job")
	b.ReportMetric(on, "on-ms/job")
	b.ReportMetric(100*(on/off-1), "overhead-%")
	b.ReportMetric(100*(median(took[3])/median(took[0])-1), "two-off-differ-%")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

func benchWorld(b *testing.B, dir string) simulated {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), filepath.Join(dir, "mirrorsim"), "--world", "demo", "--limit", "0", "--write", b.TempDir(), "--exit-with-stdin")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	fields := firstLine(b, cmd)
	b.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	return simulated{fields["url"], fields["miners"], fields["registry"], fields["as_of"]}
}

// benchFleet is one fleet of one worker.
type benchFleet struct {
	producer []string
	env      []string
	worker   int
}

func startFleet(b *testing.B, dir string, world simulated, env ...string) *benchFleet {
	b.Helper()
	servers, err := local.Start(b.Context(), local.Config{Dir: b.TempDir(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = servers.Close() })
	common := []string{
		"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", world.url, "--limit-horizon", "100ms", "--limit-requests", "1000000",
	}
	f := &benchFleet{env: append(os.Environ(), append(env, "MIRRORFLEET_GRAMMARS="+grammars)...)}
	f.producer = append([]string{
		filepath.Join(dir, "producer"), "run", "--json", "--miners", world.miners, "--registry", world.registry, "--as-of", world.asOf,
	}, common...)
	cmd := exec.CommandContext(b.Context(), filepath.Join(dir, "worker"), append([]string{"--slots", "8"}, common...)...)
	cmd.Env = f.env
	firstLine(b, cmd)
	b.Cleanup(func() { _ = cmd.Process.Signal(os.Interrupt); _ = cmd.Wait() })
	f.worker = cmd.Process.Pid
	return f
}

// round runs a round and returns the worker's milliseconds for each job.
func (f *benchFleet) round(b *testing.B) float64 {
	b.Helper()
	before := processorTime(b, f.worker)
	cmd := exec.CommandContext(b.Context(), f.producer[0], f.producer[1:]...)
	cmd.Env = f.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, stderr.String())
	}
	// The last spans leave up to five seconds later; in the next round's time
	// they are counted too.
	took := processorTime(b, f.worker) - before
	return float64(took.Microseconds()) / 1000 / float64(decode(b, ended{0, string(out), stderr.String()}).Planned)
}

// processorTime is that of a process and of its children, as the
// scheduler counts it for each thread: to the nanosecond, where the process's
// own figure has ticks of ten milliseconds.
func processorTime(b *testing.B, pid int) (total time.Duration) {
	b.Helper()
	for _, id := range append(descendants(b, pid), pid) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
		if err != nil {
			b.Fatal(err)
		}
		for _, path := range threads {
			data, err := os.ReadFile(path)
			if err != nil {
				continue // a thread that ended: few do
			}
			on, _, _ := strings.Cut(string(data), " ")
			n, err := strconv.ParseInt(on, 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			total += time.Duration(n)
		}
	}
	if total == 0 {
		b.Skip("this system does not tell the processor time of threads")
	}
	return total
}
