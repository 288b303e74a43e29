package soak_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"mirrorfleet/shared/fleet/fleettest"
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

// begin starts a process whose end somebody sees to.
func begin(t *testing.T, name string, args ...string) *process {
	t.Helper()
	log := must.Get(os.CreateTemp(t.TempDir(), name))(t)
	p := &process{Cmd: fleettest.Command(context.WithoutCancel(t.Context()), t, name, args...), log: log.Name(), since: time.Now(), ended: make(chan struct{})}
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

// simulate serves the demo world until the test ends, with as many miners as a
// subnet has: each of the world's is there many times, and each asks for its own
// list.
func simulate(t *testing.T, window time.Duration) fleettest.Mirror {
	t.Helper()
	m := fleettest.Simulate(t, "--latency", "lognormal:60ms,0.5", "--window", window.String(), "--mitigation", window.String())
	multiply(t, m.Miners, 256)
	return m
}

// multiply rewrites the miners file: n miners by turns with the GitHub ids of the
// ones that are there.
func multiply(t *testing.T, file string, n int) {
	t.Helper()
	data := must.Get(os.ReadFile(file))(t)
	var few, many []map[string]any
	must.Do(t, json.Unmarshal(data, &few))
	for uid := range n {
		miner := maps.Clone(few[uid%len(few)])
		miner["uid"], miner["hotkey"] = uid, fmt.Sprintf("hotkey-%d", uid)
		many = append(many, miner)
	}
	data = must.Get(json.Marshal(many))(t)
	must.Do(t, os.WriteFile(file, data, 0o600))
}
