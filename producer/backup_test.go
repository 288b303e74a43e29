package main_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mirrorfleet/producer/backup"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// The commands on one machine: a backup while a producer runs and one while none does,
// and a restore into another state directory, which no producer uses.
func TestBackupAndRestoreOfLocalRounds(t *testing.T) {
	t.Parallel()
	dir, place := t.TempDir(), t.TempDir()
	servers := jobstreamtest.StartIn(t, dir)
	bus, _ := jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	asOf := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), job.Manifest{Round: "20260601t000000z-010203", AsOf: asOf, PlannedAt: asOf}))
	running := filepath.Join(place, "running")
	e := run(t, "producer", "backup", running, "--local", "--state", dir)
	if e.code != 0 || !strings.Contains(e.stdout, "KV_ROUNDS") || strings.Contains(e.stdout, "KV_SCORES") || !strings.Contains(e.stderr, "KV_ROUNDS") {
		t.Errorf("exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	for line := range strings.Lines(e.stdout) {
		if utf8.RuneCountInString(line) > 81 {
			t.Errorf("wider than 80: %s", line)
		}
	}
	refused(t, []string{"not empty", running}, "backup", running, "--local", "--state", dir)
	refused(t, []string{"--state", dir, "stop that producer before a restore"}, "restore", running, "--local", "--state", dir)
	servers.Stop()

	other := filepath.Join(place, "other")
	e = run(t, "producer", "restore", running, "--local", "--state", other)
	if e.code != 0 || !strings.Contains(e.stdout, "Restored "+running) {
		t.Errorf("exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	if e := run(t, "producer", "rounds", "--local", "--state", other); e.code != 0 || !strings.Contains(e.stdout, "20260601t000000z-010203") {
		t.Errorf("the restored rounds: exit %d\n%s%s", e.code, e.stdout, e.stderr)
	}
	var before, after backup.Manifest
	for into, state := range map[*backup.Manifest]string{&before: dir, &after: other} {
		e := run(t, "producer", "backup", filepath.Join(place, filepath.Base(state)+"-stopped"), "--scores", "--json", "--local", "--state", state)
		if e.code != 0 {
			t.Errorf("exit %d\n%s", e.code, e.stderr)
		}
		must.Do(t, json.Unmarshal([]byte(e.stdout), into))
	}
	if before.Fleet == "" || before.Fleet != after.Fleet || len(after.Streams) != len(jobstream.StreamNames())-2 { // neither warm-ups nor signs of life
		t.Errorf("fleet %q became %q, with %d streams, want the same and all of them", before.Fleet, after.Fleet, len(after.Streams))
	}
	refused(t, []string{"a single server keeps one", "--replicas 1"}, "restore", running, "--replicas", "3", "--local", "--state", filepath.Join(place, "third"))
}

// Wrong input gives exit code 2 before any server is asked, and no password is shown.
func TestBackupAndRestoreRefuse(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for _, name := range []string{"backup", "restore"} {
		refused(t, []string{"which directory", name}, name, "--nats", "nats://127.0.0.1:1")
		refused(t, []string{"--nats is required"}, name, none)
		refused(t, []string{"--local", "--nats"}, name, none, "--local", "--nats", "nats://127.0.0.1:1")
		refused(t, []string{"--nats holds a password"}, name, none, "--nats", "nats://producer:hidden@127.0.0.1:1")
		cmd := command(t, "producer", name, none, "--connect-timeout", "1ms")
		cmd.Env = append(cmd.Env, "MIRRORFLEET_NATS=nats://producer:hidden@127.0.0.1:1")
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "not reachable") || strings.Contains(string(out), "hidden") {
			t.Errorf("%s: exit %d, %v, %s", name, code, err, out)
		}
	}
	refused(t, []string{"no local round was run there"}, "backup", none, "--local", "--state", none)
	refused(t, []string{"there is no backup", none}, "restore", none, "--local", "--state", t.TempDir())
}

// refused wants exit code 2 with these words.
func refused(t *testing.T, want []string, args ...string) {
	t.Helper()
	e := run(t, "producer", args...)
	if e.code != 2 || e.stdout != "" {
		t.Errorf("producer %s: exit %d, want 2\n%s", strings.Join(args, " "), e.code, e.stdout)
	}
	for _, w := range want {
		if !strings.Contains(e.stderr, w) {
			t.Errorf("producer %s: %q is not in %s", strings.Join(args, " "), w, e.stderr)
		}
	}
}
