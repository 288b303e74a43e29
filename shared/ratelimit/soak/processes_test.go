package soak_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/must"
)

// process is one of the product's commands under way. What it logs is kept.
type process struct {
	*exec.Cmd

	log   string // a file
	since time.Time
	stdin io.Closer // a worker ends with it, so that none outlives a test that is killed
	ended chan struct{}
}

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	// Each process is ended by whoever started it, some after the test's context.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(binaries, name), args...)
	cmd.Env = append(os.Environ(), "MIRRORFLEET_GRAMMARS="+grammars)
	cmd.WaitDelay = 10 * time.Second // for the children of one that was killed

	return cmd
}

// begin starts a process whose end somebody sees to.
func begin(t *testing.T, name string, args ...string) *process {
	t.Helper()
	log := must.Get(os.CreateTemp(t.TempDir(), name))(t)
	p := &process{Cmd: command(t, name, args...), log: log.Name(), since: time.Now(), ended: make(chan struct{})}
	p.Stdout, p.Stderr = log, log
	p.stdin = must.Get(p.StdinPipe())(t)
	must.Do(t, p.Start())
	go func() {
		defer close(p.ended)
		_ = p.Wait()
		_ = log.Close()
	}()

	return p
}

// kill is SIGKILL, and returns when the process has gone.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.ended
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Errorf("%v to %s: %v", s, p.Path, err)
	}
}

// lastLines is what a process logged last.
func (p *process) lastLines() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")

	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// mirror is the simulated one, a process of its own.
type mirror struct {
	URL      string `json:"url"`
	Miners   string `json:"miners"`
	Registry string `json:"registry"`
	AsOf     string `json:"as_of"`
}

// simulate serves the demo world until the test ends, with as many miners as a
// subnet has: each of the world's is there many times, and each asks for its own
// list.
func simulate(t *testing.T, window time.Duration) mirror {
	t.Helper()
	cmd := command(t, "mirrorsim", "--write", t.TempDir(), "--exit-with-stdin", "--latency", "lognormal:60ms,0.5",
		"--window", window.String(), "--mitigation", window.String())
	stdin := must.Get(cmd.StdinPipe())(t)
	stdout := must.Get(cmd.StdoutPipe())(t)
	must.Do(t, cmd.Start())
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
	var m mirror
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &m)
	}
	if err != nil {
		t.Fatalf("the simulated mirror said %q: %v", line, err)
	}
	m.multiply(t, 256)

	return m
}

// multiply rewrites the miners file: n miners by turns with the GitHub ids of the
// ones that are there.
func (m mirror) multiply(t *testing.T, n int) {
	t.Helper()
	data := must.Get(os.ReadFile(m.Miners))(t)
	var few, many []map[string]any
	must.Do(t, json.Unmarshal(data, &few))
	for uid := range n {
		miner := maps.Clone(few[uid%len(few)])
		miner["uid"], miner["hotkey"] = uid, fmt.Sprintf("hotkey-%d", uid)
		many = append(many, miner)
	}
	data = must.Get(json.Marshal(many))(t)
	must.Do(t, os.WriteFile(m.Miners, data, 0o600))
}

// seen is what the mirror counted: exactly, over all phases.
type seen struct {
	Requests  int     `json:"requests"`
	OverLimit int     `json:"over_limit"`
	LimitUsed float64 `json:"limit_used"`
	Worst     struct {
		Fixed     int     `json:"fixed"`
		Sliding   int     `json:"sliding"`
		TwoWindow float64 `json:"two_window"`
	} `json:"worst"`
}

func (m mirror) stats(t *testing.T) seen {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response := must.Get(client.Get(m.URL + "/sim/stats"))(t)
	defer response.Body.Close()
	var s seen
	must.Do(t, json.NewDecoder(response.Body).Decode(&s))

	return s
}
