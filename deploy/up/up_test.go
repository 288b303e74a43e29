package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

// A whole fleet with TLS and roles runs a round while its parts are restarted one after the
// other. The outcome is that of a round that nobody disturbed, nobody is evaluated twice, no
// address is over its limit, and each role is refused what it may not do. Ctrl-C leaves
// nothing. `make up-test` restarts every part, loses everything, and restores it.
func TestUp(t *testing.T) {
	t.Parallel()
	u := start(t, "-keep")
	bus := u.bus()
	var roles sync.WaitGroup
	roles.Go(func() { u.checkRoles() })
	name := u.running(bus)
	backup := filepath.Join(t.TempDir(), "backup")
	if long {
		u.sh("producer", "producer backup "+backup)
	}
	u.restartParts()
	roles.Wait()
	r := u.concluded(bus, name)
	want := undisturbed(t, r.AsOf)
	u.check(bus, r, want)
	u.runDocumented()
	u.sh("viewer", "producer rounds && producer show latest --json >/dev/null")
	u.leavesNothing()
	if long {
		restored(t, backup, r, want)
	}
}

// running waits for the first round's jobs.
func (u *up) running(bus *jobstream.Bus) (name string) {
	u.t.Helper()
	must.Until(u.ctx, u.t, "the first jobs are done", func() bool {
		names, err := bus.Rounds.List(u.ctx)
		if err != nil || len(names) == 0 {
			return false
		}
		name = names[0]
		records, err := bus.Records.List(u.ctx, name)
		return err == nil && slices.ContainsFunc(records, func(r job.Record) bool { return r.Phase == job.Done })
	})
	return name
}

// restartParts restarts one part after the other, as an operator would: in the short form one
// of each kind. A producer that leads is one of the two.
func (u *up) restartParts() {
	u.t.Helper()
	parts := []string{"worker-1", "redis", "producer-1", "producer-2", "gateway-south", "worker-3"}
	lame := []string{"nats-2"}
	if long {
		parts = []string{
			"worker-1", "worker-2", "worker-3", "worker-4", "redis", "producer-1", "producer-2", "gateway-north", "gateway-south",
		}
		lame = []string{"nats-1", "nats-2", "nats-3"}
	}
	var servers sync.WaitGroup
	servers.Go(func() {
		for _, name := range lame {
			u.restart(name, syscall.SIGUSR2)
		}
	})
	for _, name := range parts {
		u.restart(name, syscall.SIGTERM)
	}
	servers.Wait()
}

// concluded waits for a round's outcome.
func (u *up) concluded(bus *jobstream.Bus, name string) (r outcome.Result) {
	u.t.Helper()
	must.Until(u.ctx, u.t, "the round is concluded", func() bool {
		var err error
		r, err = outcome.Latest(u.ctx, bus, name)
		return err == nil && r.Revision > 0
	})
	return r
}

// undisturbed is the outcome of a local round as of the same instant, of a mirror without a
// limit.
func undisturbed(t *testing.T, asOf time.Time) string {
	t.Helper()
	sim := fleettest.Simulate(t, "--world", "demo", "--limit", "0")
	cmd := fleettest.Command(t.Context(), t, "producer", "run", "--local", "--json", "--state", filepath.Join(t.TempDir(), "state"),
		"--mirror", sim.URL, "--miners", sim.Miners, "--registry", sim.Registry, "--as-of", asOf.Format(time.RFC3339Nano),
		"--limit-requests", "2000", "--limit-horizon", "1s", "--all-issues", "0")
	var r struct {
		Complete bool            `json:"complete"`
		Outcome  json.RawMessage `json:"outcome"`
	}
	out := must.Get(cmd.Output())(t)
	must.Do(t, json.Unmarshal(out, &r))
	if !r.Complete {
		t.Fatalf("the undisturbed round is not complete: %.500s", out)
	}
	var compact bytes.Buffer
	must.Do(t, json.Compact(&compact, r.Outcome))
	return compact.String()
}

// check holds what every round must keep.
func (u *up) check(bus *jobstream.Bus, r outcome.Result, want string) {
	u.t.Helper()
	if got := string(must.Get(json.Marshal(r.Outcome))(u.t)); got != want {
		u.t.Errorf("another outcome than that of the undisturbed round (-want +got):\n%s", differences(u.t, want, got))
	}
	held := must.Get(bus.Inventory(u.ctx, r.Round))(u.t)
	if a := audit.Of(held); !a.Holds() || !r.Complete || r.Done != r.Planned || r.Planned == 0 {
		u.t.Errorf("complete %t, %d of %d jobs done, %s; want all", r.Complete, r.Done, r.Planned, a)
	}
	evaluated := map[string]int{}
	for _, key := range held.Evaluations { // round, uid, claim
		uid := strings.Split(key, ".")[1]
		if evaluated[uid]++; evaluated[uid] > 1 {
			u.t.Errorf("miner %s has %d evaluations, want one", uid, evaluated[uid])
		}
	}
	saw := must.Get(fleettest.Stats(u.ctx, u.env("producer", "MIRRORFLEET_MIRROR")))(u.t)
	for address, counted := range saw.ByAddress {
		u.t.Logf("%s: %+v", address, counted)
		if counted.OverLimit != 0 || counted.Worst.Fixed > 50 || counted.Worst.Sliding > 50 || counted.Worst.TwoWindow > 50 || counted.Requests < 30 {
			u.t.Errorf("the mirror saw of %s %+v, want nothing over 50 in 10 s, and a share of the work", address, counted)
		}
	}
	if len(saw.ByAddress) != 2 {
		u.t.Errorf("requests came from %d addresses, want two", len(saw.ByAddress))
	}
}

// leavesNothing ends the fleet as Ctrl-C does: no process is left. The folder is kept here.
func (u *up) leavesNothing() {
	u.t.Helper()
	var pids []int
	urls := must.Get(filepath.Glob(filepath.Join(u.dir, "run", "*.url")))(u.t)
	for _, path := range urls {
		pids = append(pids, u.pid(strings.TrimSuffix(filepath.Base(path), ".url")))
	}
	if len(pids) != 13 || slices.Contains(pids, 0) {
		u.t.Errorf("processes %v, want 13", pids)
	}
	u.stop(os.Interrupt)
	if code := u.cmd.ProcessState.ExitCode(); code != 0 || u.said.String() != "" {
		u.t.Errorf("exit code %d, said %q; want 0 and nothing", code, &u.said)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err == nil {
			u.t.Errorf("process %d is left", pid)
		}
	}
}

// restored begins with a backup that was taken in the middle of a round, on empty servers. The
// round goes on, and a rescore of all of its miners gives the same again.
func restored(t *testing.T, backup string, before outcome.Result, want string) {
	t.Helper()
	u := start(t, "-restore", backup)
	bus := u.bus()
	r := u.concluded(bus, before.Round)
	if !r.AsOf.Equal(before.AsOf) || r.Revision != 1 {
		t.Errorf("revision %d as of %s, want the first as of %s", r.Revision, r.AsOf, before.AsOf)
	}
	u.check(bus, r, want)
	u.sh("producer", "producer rescore "+r.Round+" --uid all")
	again := u.concluded(bus, r.Round)
	if got := string(must.Get(json.Marshal(again.Outcome))(t)); again.Revision != 2 || got != want {
		t.Errorf("revision %d after a rescore of all (-want +got):\n%s", again.Revision, differences(t, want, got))
	}
	u.stop(syscall.SIGTERM)
	if _, err := os.Stat(u.dir); !os.IsNotExist(err) {
		t.Errorf("the folder is left: %v", err)
	}
}

// differences are what tells two outcomes apart.
func differences(t *testing.T, want, got string) string {
	t.Helper()
	var a, b any
	must.Do(t, errors.Join(json.Unmarshal([]byte(want), &a), json.Unmarshal([]byte(got), &b)))
	return cmp.Diff(a, b)
}

// A folder with something in it is refused, and so is a checkout that has built nothing.
func TestUpIsRefused(t *testing.T) {
	t.Parallel()
	full := t.TempDir()
	must.Do(t, os.WriteFile(filepath.Join(full, "mine"), nil, 0o600))
	for want, args := range map[string][]string{
		"is not empty: name a new folder": {"-dir", full}, "make up builds everything": {"-bin", full}, "want flags alone": {"north"},
	} {
		cmd := command(t, args...)
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), want) {
			t.Errorf("%v: exit code %d, said %s; want 2 and %q", args, cmd.ProcessState.ExitCode(), out, want)
		}
	}
}
