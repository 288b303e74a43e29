package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) {
	plunderIfStranger()
	fleettest.Main(m, fleettest.Build{Race: true})
}

// command is one of the product's commands, with the parser's place in its
// environment.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return fleettest.Command(t.Context(), t, name, args...)
}

// ended is what a command left behind.
type ended struct {
	code           int
	stdout, stderr string
}

// running is a command under way.
type running struct {
	*exec.Cmd

	stdout, stderr bytes.Buffer
}

func begin(t *testing.T, name string, args ...string) *running {
	t.Helper()
	return beginWatched(t, nil, name, args...)
}

// beginWatched begins a command whose standard error somebody watches.
func beginWatched(t *testing.T, w *watched, name string, args ...string) *running {
	t.Helper()
	r := &running{Cmd: command(t, name, args...)}
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	if w != nil {
		r.Stderr = io.MultiWriter(&r.stderr, w)
	}
	must.Do(t, r.Start())
	return r
}

func (r *running) end(t *testing.T) ended {
	t.Helper()
	var exit *exec.ExitError
	if err := r.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", r.Args, err)
	}
	return ended{r.ProcessState.ExitCode(), r.stdout.String(), r.stderr.String()}
}

func run(t *testing.T, name string, args ...string) ended {
	t.Helper()
	return begin(t, name, args...).end(t)
}

// printed is what a producer's command prints with --json, held against its schema.
// A command that ends otherwise than with this code has not printed it.
func printed[T any](t *testing.T, schema string, code int, args ...string) (v T) {
	t.Helper()
	e := run(t, "producer", slices.Concat(args, []string{"--json"})...)
	if err := json.Unmarshal([]byte(e.stdout), &v); err != nil || e.code != code {
		t.Fatalf("%v: exit %d, want %d, %v\n%s%s", args, e.code, code, err, e.stdout, e.stderr)
	}
	if err := webtest.Printed(schema, e.stdout); err != nil {
		t.Errorf("%v: %v\n%s", args, err, e.stdout)
	}
	return v
}

// roundJSON is what a program reads of --json.
type roundJSON struct {
	Round     string          `json:"round"`
	Complete  bool            `json:"complete"`
	Planned   int             `json:"planned"`
	Done      int             `json:"done"`
	Retries   int             `json:"retries"`
	Cached    int             `json:"cached"`
	Unsettled int             `json:"unsettled"`
	Outcome   json.RawMessage `json:"outcome"`
	Mirror    view.Simulated  `json:"simulated_mirror"`
}

func decode(tb testing.TB, e ended) roundJSON {
	tb.Helper()
	var o roundJSON
	if err := json.Unmarshal([]byte(e.stdout), &o); err != nil {
		tb.Fatalf("exit %d, output is no outcome: %v\n%s\n%s", e.code, err, e.stdout, e.stderr)
	}
	return o
}

// descendants lists the processes below id, children of children included.
func descendants(tb testing.TB, id int) []int {
	tb.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		tb.Skipf("no /proc to look for processes in: %v", err)
	}
	children := map[int][]int{}
	for _, path := range stats {
		data, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// The name in brackets may hold anything; state and parent follow it.
		_, after, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(after)
		child, childErr := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parent, parentErr := strconv.Atoi(fields[1])
		if childErr == nil && parentErr == nil {
			children[parent] = append(children[parent], child)
		}
	}
	var all []int
	for next := children[id]; len(next) > 0; next = next[1:] {
		all = append(all, next[0])
		next = append(next, children[next[0]]...)
	}
	return all
}

// exited waits until none of the processes is left.
func exited(t *testing.T, ids []int) {
	t.Helper()
	if len(ids) < 5 { // the simulator, two workers, and their children
		t.Errorf("processes %v were seen: this test looks in the wrong place", ids)
	}
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		ids = slices.DeleteFunc(ids, func(id int) bool { return errors.Is(syscall.Kill(id, 0), syscall.ESRCH) })
		if len(ids) == 0 {
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("still alive: %v", ids)
		}
	}
}

// within says whether the demo round kept every promise about the limit.
func within(t *testing.T, o roundJSON, workers int) {
	t.Helper()
	w := o.Mirror.Worst
	if o.Mirror.OverLimit != 0 || w.Fixed > 50 || w.Sliding > 50 || w.TwoWindow > 50 {
		t.Errorf("over the limit: %d, worst ten seconds %+v; want never more than 50", o.Mirror.OverLimit, w)
	}
	const pool = 8
	if most := (workers + 1) * pool; o.Mirror.Connections.Used > most {
		t.Errorf("%d connections, want at most %d: one client of %d for each process", o.Mirror.Connections.Used, most, pool)
	}
	t.Logf("%d requests, %.1f %% of the limit, worst ten seconds %+v", o.Mirror.Requests, 100*o.Mirror.LimitUsed, w)
}

// The newcomer's command, whole: then the same round stopped in the middle
// with Ctrl-C and resumed, which must come to the same outcome; and another
// round over the same world, which fetches no files that have settled.
func TestLocalRound(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "undisturbed")
	undisturbed := begin(t, "producer", "run", "--local", "--state", state, "--json")
	resumed := interruptAndResume(t)

	e := undisturbed.end(t)
	got := decode(t, e)
	must.Check(t, webtest.Printed("Outcome", e.stdout))
	if e.code != 0 || !got.Complete || got.Planned == 0 || got.Planned != got.Done || got.Retries == 0 {
		t.Errorf("exit %d, complete %v, planned %d, done %d, retries %d; want a complete round with a retry\n%s",
			e.code, got.Complete, got.Planned, got.Done, got.Retries, e.stderr)
	}
	if got.Mirror.Requests == 0 {
		t.Error("the outcome does not say what the mirror saw")
	}
	within(t, got, 2)
	within(t, resumed, 2)
	if !resumed.Complete || !bytes.Equal(got.Outcome, resumed.Outcome) {
		t.Errorf("the resumed round (complete %v) has another outcome than the undisturbed one", resumed.Complete)
	}
	again := decode(t, run(t, "producer", "run", "--local", "--state", state, "--json"))
	// Three look-ups a miner; the world fails four of them; two repositories
	// have a maintainers' cut; and the producer asks whether the mirror is well.
	// Files are asked for only where no list counts them: such answers settle when
	// they come back an hour later. Two jobs that need one at once share it.
	least := 3*got.Planned + 4 + 2 + 1
	if again.Mirror.Requests <= least || again.Mirror.Requests > least+got.Unsettled || again.Cached <= got.Cached {
		t.Errorf("the second round: %d requests, %d not settled, %d from the cache; want %d, and files for what has not settled: the first had %d, %d and %d",
			again.Mirror.Requests, again.Unsettled, again.Cached, least, got.Mirror.Requests, got.Unsettled, got.Cached)
	}
	if !again.Complete || !bytes.Equal(got.Outcome, again.Outcome) {
		t.Errorf("the second round (complete %v) has another outcome over the same mirror", again.Complete)
	}
	within(t, again, 2)
}

// started is a producer whose first jobs run.
type started struct {
	*exec.Cmd

	stderr *watched
	ended  chan error
	below  []int
}

func start(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{Cmd: command(t, "producer", args...), stderr: watch("running"), ended: make(chan error, 1)}
	s.Stderr = s.stderr
	must.Do(t, s.Start())
	go func() { s.ended <- s.Wait() }()
	select {
	case <-s.stderr.seen:
	case err := <-s.ended:
		t.Fatalf("the round ended before it could be stopped: %v\n%s", err, s.stderr.String())
	}
	s.below = descendants(t, s.Process.Pid)
	return s
}

// interruptAndResume stops a demo round when its first jobs run, checks what is
// left, and resumes it.
func interruptAndResume(t *testing.T) roundJSON {
	t.Helper()
	state := filepath.Join(t.TempDir(), "interrupted")
	s := start(t, "run", "--local", "--state", state, "--json")
	must.Do(t, s.Process.Signal(os.Interrupt))
	<-s.ended
	if code := s.ProcessState.ExitCode(); code != 130 || !strings.Contains(s.stderr.String(), "--resume ") {
		t.Errorf("stopped: exit %d, want 130 and how to go on\n%s", code, s.stderr.String())
	}
	exited(t, s.below)
	e := run(t, "producer", "run", "--local", "--state", state, "--json", "--resume", "latest")
	if e.code != 0 {
		t.Errorf("resumed: exit %d, want 0\n%s", e.code, e.stderr)
	}
	other := run(t, "producer", "run", "--local", "--state", state, "--resume", "latest", "--mirror", "http://other.example")
	if other.code != 2 || !strings.Contains(other.stderr, "http://other.example") {
		t.Errorf("resumed on another mirror: exit %d, want 2 and its name\n%s", other.code, other.stderr)
	}
	return decode(t, e)
}

// A producer that is killed cannot stop what it started: its children see that
// their standard input has ended, and their children likewise.
func TestAKilledProducerLeavesNoProcessBehind(t *testing.T) {
	t.Parallel()
	s := start(t, "run", "--local", "--state", filepath.Join(t.TempDir(), "killed"))
	must.Do(t, s.Process.Kill())
	<-s.ended
	exited(t, s.below)
}

// Everybody sees the arguments of a process, and nobody else its environment: what leads
// to the servers of a local round, with whatever password, is no argument of its workers.
func TestLocalWorkersGetTheirServersByTheEnvironment(t *testing.T) {
	t.Parallel()
	s := start(t, "run", "--local", "--state", filepath.Join(t.TempDir(), "state"))
	workers := 0
	for _, id := range s.below {
		arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", id))
		if err != nil {
			continue // a child of a worker that has ended
		}
		for _, scheme := range []string{"nats://", "redis://"} {
			if bytes.Contains(arguments, []byte(scheme)) {
				t.Errorf("an argument of %q is a server's address", arguments)
			}
		}
		environment := string(must.Get(os.ReadFile(fmt.Sprintf("/proc/%d/environ", id)))(t))
		if strings.Contains(environment, "MIRRORFLEET_NATS=nats://") && strings.Contains(environment, "MIRRORFLEET_REDIS=redis://") {
			workers++
		}
	}
	if workers < 2 {
		t.Errorf("%d processes have the addresses in their environment, want both workers", workers)
	}
	must.Do(t, s.Process.Kill())
	<-s.ended
	exited(t, s.below)
}

// watched is a writer that tells when a text has passed.
type watched struct {
	want string
	seen chan struct{}

	mu   sync.Mutex
	data bytes.Buffer
	done bool
}

func watch(want string) *watched { return &watched{want: want, seen: make(chan struct{})} }

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.data.Write(p)
	if !w.done && strings.Contains(w.data.String(), w.want) {
		w.done = true
		close(w.seen)
	}
	return n, err
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.data.String()
}

func TestWrongUsageAndInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		must.Do(t, os.WriteFile(path, []byte(content), 0o600))
		return path
	}
	miners, registry := file("miners.json", `[{"uid": 1, "hotkey": "h", "github_id": "5"}]`), file("registry.json", `{"a/b": {"emission_share": 0.5}}`)
	broken := file("broken.json", `{"a/b": {"emission_share": 1.5, "eligibility": {"min_credibility": true}}}`)
	state := filepath.Join(dir, "state")
	inputs := []string{"--miners", miners, "--registry", registry}
	servers := filepath.Join(t.TempDir(), "servers.yaml")
	write(t, servers, "nats: nats://me:secret@127.0.0.1:1\n")
	for _, c := range []struct {
		name, command string
		args          []string
		code          int
		want          []string
	}{
		{"unknown flag", "producer", []string{"run", "--bogus"}, 2, []string{"-bogus", "--help"}},
		{"unknown command", "producer", []string{"frobnicate"}, 2, []string{"frobnicate"}},
		{"no servers", "producer", []string{"run"}, 2, []string{"--nats", "--redis", "--local"}},
		{"servers and local", "producer", []string{"run", "--local", "--nats", "nats://x"}, 2, []string{"--local", "--nats"}},
		{"too many workers", "producer", []string{"run", "--local", "--workers", "65"}, 2, []string{"65", "1 to 64"}},
		{"no such world", "producer", []string{"run", "--local", "--state", state + "-flat", "--world", "flat"}, 2, []string{"flat", "demo", "git:", "case:"}},
		{"as of", "producer", append([]string{"run", "--local", "--mirror", "http://x", "--as-of", "noon"}, inputs...), 2, []string{"noon", "2026-"}},
		{"missing file", "producer", []string{"run", "--local", "--mirror", "http://x", "--miners", "/none", "--registry", registry}, 2, []string{"--miners", "/none"}},
		{
			"broken registry", "producer", []string{"run", "--local", "--mirror", "http://x", "--miners", miners, "--registry", broken}, 2,
			[]string{broken, "a/b", "emission_share", "1.5", "[0, 1]", "min_credibility", "true"},
		},
		{"state not writable", "producer", append([]string{"run", "--local", "--mirror", "http://x", "--state", "/proc/none"}, inputs...), 2, []string{"/proc/none"}},
		{
			"mirror unreachable", "producer", append([]string{"run", "--local", "--state", state, "--mirror", "http://127.0.0.1:1"}, inputs...), 1,
			[]string{"http://127.0.0.1:1", "refused"},
		},
		{
			"NATS unreachable", "producer",
			append([]string{"run", "--config", servers, "--redis", "redis://127.0.0.1:1", "--connect-timeout", "100ms"}, inputs...),
			1, []string{"127.0.0.1:1", "--connect-timeout"},
		},
		{"no grammars", "worker", []string{"--nats", "nats://127.0.0.1:1", "--redis", "redis://127.0.0.1:1", "--grammars", "/none"}, 2, []string{"/none", "make grammars", "MIRRORFLEET_GRAMMARS"}},
		{"a budget for less than one pull request", "worker", []string{"--miner-budget", "9s"}, 2, []string{"miner-budget", "9s", "at least 10s"}},
		{"no servers", "worker", nil, 2, []string{"--nats", "--redis"}},
	} {
		t.Run(c.command+" "+c.name, func(t *testing.T) {
			t.Parallel()
			got := run(t, c.command, c.args...)
			if got.code != c.code {
				t.Errorf("exit %d, want %d\n%s", got.code, c.code, got.stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("the message does not name %q:\n%s", want, got.stderr)
				}
			}
			if strings.Contains(got.stderr, "secret") || slices.Contains(strings.Fields(got.stderr), "panic:") {
				t.Errorf("a password or a panic:\n%s", got.stderr)
			}
		})
	}
}
