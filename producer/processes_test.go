package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
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

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

// command is one of the product's commands, with the parser's directory in its
// environment.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return fleettest.Command(t.Context(), t, name, args...)
}

// ended is the result of a command.
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

// beginWatched begins a command whose standard error a test watches.
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

// printed is the --json of a producer's command, checked against its schema. The command
// must end with the given exit code.
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
	Round     string            `json:"round"`
	Complete  bool              `json:"complete"`
	Planned   int               `json:"planned"`
	Done      int               `json:"done"`
	Retries   int               `json:"retries"`
	Cached    int               `json:"cached"`
	Unsettled int               `json:"unsettled"`
	AllIssues outcome.AllIssues `json:"all_issues"`
	Outcome   json.RawMessage   `json:"outcome"`
	Mirror    view.Simulated    `json:"simulated_mirror"`
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
		// The name in brackets may contain any character. State and parent follow it.
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

// started is a producer whose first jobs have begun.
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

// watched is a writer that signals when a text has passed.
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
