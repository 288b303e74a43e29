package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mirrorfleet/shared/command"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// running is the command while it serves.
type running struct {
	t      *testing.T
	said   ready
	cancel context.CancelFunc
	stdin  io.Closer
	ended  chan int
	log    *telemetrytest.Log
}

// start runs the command until it has announced itself.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	r := &running{t: t, cancel: cancel, stdin: inWrite, ended: make(chan int, 1), log: &telemetrytest.Log{}}
	go func() {
		err := newCommand(inRead, outWrite, r.log).Run(ctx, append([]string{"mirrorsim"}, args...))
		_ = outWrite.CloseWithError(io.EOF)
		r.ended <- command.Code(err)
	}()
	t.Cleanup(func() {
		cancel()
		_ = inWrite.Close()
	})
	line, err := bufio.NewReader(outRead).ReadBytes('\n')
	if err != nil {
		t.Fatalf("no line on standard output: %v; log: %s", err, r.log)
	}
	if err := json.Unmarshal(line, &r.said); err != nil {
		t.Fatalf("line %q: %v", line, err)
	}
	return r
}

// get asks the server; the connection is not kept.
func (r *running) get(path string) (int, string) {
	r.t.Helper()
	return nettest.Get(r.t, r.said.URL+path)
}

// The contract with whoever starts it: files, one line, statistics, and an
// end by signal.
func TestServesUntilCancelled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "world")
	r := start(t, "--write", dir)
	want := must.Get(mirrorsim.Demo())(t)
	if !r.said.AsOf.Equal(want.AsOf) || !strings.HasPrefix(r.said.URL, "http://127.0.0.1:") {
		t.Errorf("announced %+v, want as_of %s on the loopback", r.said, want.AsOf)
	}
	registry, err := os.ReadFile(r.said.Registry)
	if err != nil || !bytes.Equal(registry, want.Registry) {
		t.Errorf("registry file: error %v, %d bytes; want the demo's", err, len(registry))
	}
	var miners []map[string]any
	data, err := os.ReadFile(r.said.Miners)
	if err == nil {
		err = json.Unmarshal(data, &miners)
	}
	if err != nil || len(miners) != 24 {
		t.Errorf("miners file: error %v, %d miners; want 24", err, len(miners))
	}
	if code, body := r.get("/api/v1/health"); code != http.StatusOK {
		t.Errorf("health: %d %s, want 200", code, body)
	}
	var stats mirrorsim.Stats
	_, body := r.get("/sim/stats")
	if err := json.Unmarshal([]byte(body), &stats); err != nil || stats.Requests != 1 || stats.Limit.Requests != 50 {
		t.Errorf("stats: error %v, %s; want one request and a limit of 50", err, body)
	}
	r.cancel()
	if code := <-r.ended; code != command.ExitDone {
		t.Errorf("exit code %d, want 0; log: %s", code, r.log)
	}
	if !strings.Contains(r.log.String(), "requests=1") {
		t.Errorf("log %s, want the number of requests in it", r.log)
	}
}

func TestEndsWithStdin(t *testing.T) {
	t.Parallel()
	r := start(t, "--exit-with-stdin", "--limit", "0")
	if r.said.Miners != "" || r.said.Registry != "" {
		t.Errorf("announced %+v, want no files without --write", r.said)
	}
	_ = r.stdin.Close()
	if code := <-r.ended; code != command.ExitDone {
		t.Errorf("exit code %d, want 0; log: %s", code, r.log)
	}
}

func TestSettingsReachTheServer(t *testing.T) {
	t.Parallel()
	r := start(t, "--limit", "0", "--fault", "502=1", "--latency", "uniform:1ms,2ms", "--world", "case:../../testdata/case.json", "--case-round", "1")
	if code, _ := r.get("/api/v1/health"); code != http.StatusBadGateway {
		t.Errorf("health with --fault 502=1: %d, want 502", code)
	}
	if want := "2026-06-18T20:56:34Z"; r.said.AsOf.Format(time.RFC3339) != want {
		t.Errorf("as_of %s, want the second round's, %s", r.said.AsOf, want)
	}
}

func TestSettingsFromTheEnvironment(t *testing.T) {
	t.Setenv("MIRRORFLEET_SIM_LIMIT", "0")
	t.Setenv("MIRRORFLEET_SIM_FAULT", "503=0.5,500=0.5")
	r := start(t)
	if code, _ := r.get("/api/v1/health"); code != http.StatusServiceUnavailable && code != http.StatusInternalServerError {
		t.Errorf("health: %d, want 500 or 503, which the environment asks for", code)
	}
	if _, body := r.get("/sim/stats"); !strings.Contains(body, `"limit": null`) {
		t.Errorf("stats %s, want no limit, as the environment asks for", body)
	}
}

// Wrong usage is refused with exit code 2 and an error that names flag and
// value, before anything is served.
func TestWrongUsage(t *testing.T) {
	t.Parallel()
	taken := must.Get((&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"))(t)
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	must.Do(t, os.WriteFile(file, nil, 0o600))
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"--nope"}, []string{"nope"}},
		{[]string{"stray"}, []string{"stray"}},
		{[]string{"--world", "moon"}, []string{"--world", "moon", "demo"}},
		{[]string{"--world", "git:"}, []string{"--world", "git:", "demo"}},
		{[]string{"--world", "git:" + file}, []string{"--world", file}},
		{[]string{"--world", "case:" + file}, []string{"--world", file}},
		{[]string{"--world", "case:../../testdata/case.json", "--case-round", "7"}, []string{"round 7", "0 to 2"}},
		{
			[]string{"--world", "case:../../testdata/case.json", "--case-fault", "flood"},
			[]string{"--case-fault", "flood", "400"},
		},
		{[]string{"--case-round", "-1"}, []string{"case-round", "-1", "0 or more"}},
		{[]string{"--git-pulls", "0"}, []string{"git-pulls", "0", "1 or more"}},
		{[]string{"--limit", "many"}, []string{"limit", "many"}},
		{[]string{"--limit", "-5"}, []string{"limit", "-5", "0 or more"}},
		{[]string{"--window", "0s"}, []string{"window", "0s", "more than 0"}},
		{[]string{"--latency", "slow"}, []string{"--latency", "slow", "lognormal"}},
		{[]string{"--fault", "flood=0.1"}, []string{"--fault", "flood", "reset"}},
		{[]string{"--fault", "5xx=7"}, []string{"--fault", "5xx=7", "0 to 1"}},
		{[]string{"--fault", "5xx=0.7", "--fault", "cut=0.7"}, []string{"--fault", "1.4", "1 at most"}},
		{[]string{"--addr", "nowhere"}, []string{"--addr", "nowhere", "HOST:PORT"}},
		{[]string{"--addr", taken.Addr().String()}, []string{"--addr", taken.Addr().String(), "in use"}},
		{[]string{"--write", filepath.Join(file, "below")}, []string{"--write", file}},
	} {
		var stdout bytes.Buffer
		var stderr telemetrytest.Log
		code := command.Run(newCommand(strings.NewReader(""), &stdout, &stderr), append([]string{"mirrorsim"}, tc.args...), &stderr)
		if code != command.ExitUsage || stdout.Len() > 0 {
			t.Errorf("%v: exit code %d with output %q, want 2 and none", tc.args, code, stdout.String())
		}
		for _, want := range tc.want {
			if !strings.Contains(stderr.String(), want) {
				t.Errorf("%v: error %q, want %q in it", tc.args, stderr.String(), want)
			}
		}
	}
}

// A parent that stops the simulator before it serves sees an interruption,
// not wrong usage.
func TestStoppedWhileMakingTheWorld(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newCommand(strings.NewReader(""), io.Discard, io.Discard).Run(ctx, []string{"mirrorsim", "--world", "git:."})
	if !errors.Is(err, command.ErrInterrupted) {
		t.Errorf("stopped: %v, want ErrInterrupted", err)
	}
}
