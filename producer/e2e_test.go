package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/must"
)

func TestMain(m *testing.M) {
	plunderIfStranger()
	fleettest.Main(m, fleettest.Build{})
}

// within says whether the demo round kept every promise of the limit.
func within(t *testing.T, o roundJSON, workers int) {
	t.Helper()
	w := o.Mirror.Worst
	if o.Mirror.OverLimit != 0 || w.Fixed > 50 || w.Sliding > 50 || w.TwoWindow > 50 {
		t.Errorf("over the limit: %d, worst ten seconds %+v; want never more than 50", o.Mirror.OverLimit, w)
	}
	const pool = 8
	if maximum := (workers + 1) * pool; o.Mirror.Connections.Used > maximum {
		t.Errorf("%d connections, want at most %d: one client of %d for each process", o.Mirror.Connections.Used, maximum, pool)
	}
	t.Logf("%d requests, %.1f %% of the limit, worst ten seconds %+v", o.Mirror.Requests, 100*o.Mirror.LimitUsed, w)
}

// The newcomer's command runs a whole round. The same round, stopped in the middle with
// Ctrl-C and resumed, must reach the same outcome. Another round over the same world
// fetches no files that have settled. A miner of it can be run again.
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
	// One look-up for each miner, and one more for each miner with an issue inside the
	// windows. The world makes four of them fail. Two repositories have a maintainers'
	// cut. The producer asks for the mirror's health, and once for all issues. Only files
	// that no list counts are fetched: such an answer settles when it comes again an hour
	// later. Two jobs that need the same answer at once share it.
	all := again.AllIssues
	if all.Unused != "" || all.Jobs != got.Planned || all.Quiet == 0 || all.Quiet == got.Planned {
		t.Errorf("the one answer on all issues: %+v, want it used for %d jobs, some of them with nothing to list", all, got.Planned)
	}
	minimum := 2*got.Planned - all.Quiet + 4 + 2 + 1 + 1
	if maximum := 1.95*float64(got.Planned) + 10; float64(again.Mirror.Requests) > maximum {
		t.Errorf("a warm round took %d requests for %d miners, want at most %v", again.Mirror.Requests, got.Planned, maximum)
	}
	t.Logf("a warm round took %d requests for %d miners, a cold one %d", again.Mirror.Requests, got.Planned, got.Mirror.Requests)
	if again.Mirror.Requests <= minimum || again.Mirror.Requests > minimum+got.Unsettled || again.Cached <= got.Cached {
		t.Errorf("the second round: %d requests, %d not settled, %d from the cache; want %d, and files for what has not settled: the first had %d, %d and %d",
			again.Mirror.Requests, again.Unsettled, again.Cached, minimum, got.Mirror.Requests, got.Unsettled, got.Cached)
	}
	if !again.Complete || !bytes.Equal(got.Outcome, again.Outcome) {
		t.Errorf("the second round (complete %v) has another outcome over the same mirror", again.Complete)
	}
	within(t, again, 2)
	rescoreOne(t, state)
}

// interruptAndResume stops a demo round when its first jobs run, checks what is stored,
// and resumes the round.
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

// A killed producer cannot stop its children. They see the end of their standard input
// and stop, and their own children do the same.
func TestAKilledProducerLeavesNoProcessBehind(t *testing.T) {
	t.Parallel()
	s := start(t, "run", "--local", "--state", filepath.Join(t.TempDir(), "killed"))
	must.Do(t, s.Process.Kill())
	<-s.ended
	exited(t, s.below)
}

// Every user sees the arguments of a process, and only its owner the environment. So no
// address or password of a local round's servers is an argument of its workers.
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
