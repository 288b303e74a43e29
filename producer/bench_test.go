package main_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
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

	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/local"
	"mirrorfleet/shared/mirrorsim"
)

// turns is how many rounds each fleet runs at least: what one takes varies by
// some per cent on a machine that does other things too.
const turns = 12

// BenchmarkTracing is what traces cost a worker at the default sampling: its
// processor time and its children's over whole rounds, without and with tracing,
// side by side, so that whatever else the machine does disturbs both alike. Nothing
// holds the requests back, so that the jobs' own work is all there is. A public
// job has the pull requests, files and sizes of three public repositories, in the
// mean; a small one has many requests for little to score, and one that is cached
// finds all of them in the score cache: the least that a job does.
func BenchmarkTracing(b *testing.B) {
	dir := b.TempDir()
	build := exec.Command("go", "build", "-o", dir, "mirrorfleet/producer", "mirrorfleet/worker")
	if out, err := build.CombinedOutput(); err != nil { // those of TestMain have the race detector in them
		b.Fatalf("%v\n%s", err, out)
	}
	spans := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer spans.Close()
	for name, shape := range map[string]benchShape{
		"public": {miners: 32, pulls: 3, files: 2, functions: 470, changed: true},
		"small":  {miners: 128, pulls: 8, files: 3, functions: 100},
		"cached": {miners: 128, pulls: 8, files: 3, functions: 100, cached: true},
	} {
		b.Run(name, func(b *testing.B) {
			world := benchWorld(b, shape)
			off, on := []string{"OTEL_TRACES_EXPORTER=none"}, []string{"OTEL_METRICS_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=" + spans.URL}
			// Two fleets each: a process differs from its like by more than what is
			// looked for, and that of two alike says by how much.
			inTurns(b, []*benchFleet{startFleet(b, dir, world, off...), startFleet(b, dir, world, on...), startFleet(b, dir, world, on...), startFleet(b, dir, world, off...)})
		})
	}
}

// inTurns lets the fleets run a round each at once, the first and the last of
// them without tracing, and compares what each turn took.
func inTurns(b *testing.B, fleets []*benchFleet) {
	b.Helper()
	turn(b, fleets) // grammars are loaded, connections opened
	var off, on, overhead, control []float64
	b.ResetTimer()
	for n := range max(b.N, turns) {
		work, all := turn(b, fleets)
		if n == 0 { // all is that of the opening
			continue
		}
		least := (work[0] + work[3]) / 2
		off, on = append(off, least), append(on, (work[1]+work[2])/2)
		overhead = append(overhead, 100*(all[1]+all[2]-all[0]-all[3])/2/least)
		control = append(control, 100*(all[3]-all[0])/least)
	}
	b.StopTimer()
	b.ReportMetric(median(off), "off-ms/job")
	b.ReportMetric(median(on), "on-ms/job")
	b.ReportMetric(median(overhead), "overhead-%")
	b.ReportMetric(uncertain(overhead), "overhead-±%")
	b.ReportMetric(median(control), "two-off-differ-%")
	b.ReportMetric(0, "ns/op")
}

// turn is a round of each fleet.
func turn(b *testing.B, fleets []*benchFleet) (work, all [4]float64) {
	b.Helper()
	var group errgroup.Group
	for i, f := range fleets {
		group.Go(func() (err error) {
			work[i], all[i], err = f.round(b)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	return work, all
}

func median(list []float64) float64 { return slices.Sorted(slices.Values(list))[len(list)/2] }

// uncertain is the standard error of a median, by the middle half of the list.
func uncertain(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return 1.25 * (sorted[len(list)*3/4] - sorted[len(list)/4]) / 1.35 / math.Sqrt(float64(len(list)))
}

// benchShape is what each miner of benchWorld has: merged pull requests of so many
// files, each of so many functions, 40 bytes a function, and changed from a base
// rather than added. Those whose commits the lists do not name cannot be cached.
type benchShape struct {
	miners, pulls, files, functions int
	changed, cached                 bool
}

// text is a file of the shape; another number makes it another one.
func (s benchShape) text(number int) string {
	var text strings.Builder
	text.WriteString("package p\n")
	for line := range s.functions {
		fmt.Fprintf(&text, "\nfunc f%d(x int) int { return x + %d }\n", line, number*1000+line)
	}
	return text.String()
}

// benchWorld is a world of miners that are alike.
func benchWorld(b *testing.B, shape benchShape) simulated {
	b.Helper()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	w := mirrorsim.NewWorld("bench", at)
	w.Registry = []byte(`{"a/b": {"emission_share": 0.5}}`)
	var miners []string
	for n := range shape.miners * shape.pulls {
		uid := n / shape.pulls
		github := strconv.Itoa(1000 + uid)
		if n%shape.pulls == 0 {
			miners = append(miners, fmt.Sprintf(`{"uid": %d, "hotkey": "h%d", "github_id": "%s"}`, 1+uid, uid, github))
		}
		created := at.Add(-time.Duration(n+1) * time.Hour / 2)
		merged, main, sha := created.Add(time.Minute), "main", fmt.Sprintf("%040d", n)
		pull := mirrorsim.Pull{
			RepoFullName: "a/b", Number: n + 1, Title: "one", State: "MERGED", AuthorGitHubID: github, AuthorLogin: "m" + github,
			CreatedAt: created, MergedAt: &merged, BaseRef: &main, DefaultBranch: &main, ScoringDataStored: true,
		}
		files := mirrorsim.Files{RepoFullName: "a/b", Number: n + 1, ScoringDataStored: true}
		if shape.cached {
			pull.HeadSHA, pull.BaseSHA, files.HeadSHA, files.BaseSHA = &sha, &sha, &sha, &sha
		}
		for f := range shape.files {
			head := shape.text(2 * (n*shape.files + f))
			file := mirrorsim.File{Filename: fmt.Sprintf("p%d.go", f), Status: "added", Additions: 200, Changes: 200, HeadContent: &head}
			if shape.changed {
				base := shape.text(2*(n*shape.files+f) + 1)
				file.Status, file.BaseContent = "modified", &base
			}
			files.Files = append(files.Files, file)
		}
		w.AddPull(github, pull)
		w.AddFiles(files)
	}
	server, err := mirrorsim.Start(b.Context(), mirrorsim.Config{World: w})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close() })
	dir := b.TempDir()
	world := simulated{server.URL, filepath.Join(dir, "miners.json"), filepath.Join(dir, "registry.json"), at.Format(time.RFC3339)}
	for path, content := range map[string]string{world.miners: "[" + strings.Join(miners, ",") + "]", world.registry: string(w.Registry)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return world
}

// benchFleet is one fleet of one worker.
type benchFleet struct {
	producer []string
	env      []string
	worker   int
	// sofar is the worker's processor time when its last round began.
	sofar time.Duration
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

// round runs a round. It returns the worker's milliseconds for each job of it,
// and those from the beginning of the round before it to the beginning of this
// one: the last spans of a round leave up to five seconds after its end.
func (f *benchFleet) round(b *testing.B) (work, all float64, err error) {
	b.Helper()
	before, err := processorTime(b, f.worker)
	if err != nil {
		return 0, 0, err
	}
	cmd := exec.CommandContext(b.Context(), f.producer[0], f.producer[1:]...)
	cmd.Env = f.env
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	after, err := processorTime(b, f.worker)
	jobs := float64(decode(b, ended{0, string(out), stderr.String()}).Planned)
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / jobs }
	work, all = each(after-before), each(before-f.sofar)
	f.sofar = before
	return work, all, err
}

// processorTime is that of a process and of its children, as the
// scheduler counts it for each thread: to the nanosecond, where the process's
// own figure has ticks of ten milliseconds.
func processorTime(b *testing.B, pid int) (total time.Duration, err error) {
	b.Helper()
	for _, id := range append(descendants(b, pid), pid) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
		if err != nil {
			return 0, err
		}
		for _, path := range threads {
			data, err := os.ReadFile(path)
			if err != nil {
				continue // a thread that ended: few do
			}
			on, _, _ := strings.Cut(string(data), " ")
			n, err := strconv.ParseInt(on, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n)
		}
	}
	if total == 0 {
		return 0, errors.New("this system does not tell the processor time of threads")
	}
	return total, nil
}
