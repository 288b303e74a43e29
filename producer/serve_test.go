package main_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit/redistest"
	"mirrorfleet/shared/scoring/input"
)

// Rounds follow each other. Half-written files postpone a round, and serve says so. The
// leading producer is killed in the middle of a round, and the standby resumes the round
// and the schedule. The outcome has every case of docs/rules/scoring.md#miners. No token
// is in any output.
func TestServe(t *testing.T) {
	t.Parallel()
	world, sim := soundWorld(t, 0, 4)
	redis := redistest.Start(t)
	nats, bus := leased(t, 5*time.Second)
	i := install(t, world)
	common := []string{"--nats", nats, "--redis", redis.URL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--log-level", "debug"}
	seen := &collector{}
	otlp := httptest.NewServer(seen)
	t.Cleanup(otlp.Close)
	env := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + otlp.URL, "OTEL_METRIC_EXPORT_INTERVAL=1000"}
	worker := work(t, "server", env, common...)
	args := append(append(i.flags(), common...), "--every", "2s", "--takeover", "2s", "--reconcile", "1s", "--listen", "127.0.0.1:0",
		"--api", "127.0.0.1:0", "--api-token-file", filepath.Join(t.TempDir(), "token"))
	write(t, args[len(args)-1], planted+"\n")
	dueAt := dieWithATurn(t, bus, env, args)
	first := serve(t, env, args...)
	began := concluded(t, bus, 1)
	i.checkCases(t, began)
	first.checkAPI(t, began)
	until(t, "the turn is another", func() bool {
		turn, _, err := bus.Schedule.Turn(t.Context())
		return err == nil && turn.Due.After(dueAt)
	})

	write(t, i.tokens, i.all[:len(i.all)/2])
	until(t, "a round is postponed", first.says("the round is postponed"))
	if status, body := first.page(t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "breaks off") {
		t.Errorf("/readyz while a round is postponed: %d %s", status, body)
	}
	before, err := bus.Rounds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, i.tokens, i.all)
	late := concluded(t, bus, len(before)+1)
	if len(late.Notes) == 0 || !strings.Contains(strings.Join(late.Notes, "\n"), "postponed for") {
		t.Errorf("the round that was postponed says %q", late.Notes)
	}

	second := serve(t, env, args...)
	until(t, "the second producer stands by", second.says("standing by"))
	name := killInMidRound(t, bus, first)
	killed := time.Now()
	until(t, "the second leads", second.says("leading: this producer begins the rounds"))
	t.Logf("the second leads %s after the first was killed; --takeover is 2s", time.Since(killed).Round(10*time.Millisecond))
	until(t, "the round is gone on with", func() bool {
		names, err := bus.Rounds.Concluded(t.Context())
		return err == nil && slices.Contains(names, name)
	})
	i.checkCases(t, outcomeOf(t, bus, name))
	if !second.says("resuming the round of the last turn")() {
		t.Error("the second producer does not say that it resumes the round")
	}
	names, err := bus.Rounds.Concluded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	concluded(t, bus, len(names)+1)
	_, metrics := second.page(t, "/metrics")
	second.stop(t)
	worker.stop()
	checkRounds(t, bus)
	outputs := map[string]string{
		"the first producer's log": first.log.String(), "the second's": second.log.String(), "the worker's": worker.stderr.String(),
		"the metrics": metrics, "the collector": seen.text(),
	}
	maps.Copy(outputs, kept(t, nats, name))
	maps.Copy(outputs, unpacked(t, bus))
	for where, text := range outputs {
		noToken(t, where, text)
	}
	if len(outputs["the collector"]) < 1000 || len(outputs["manifest "+name]) < 1000 || len(outputs["outcome "+name]) < 1000 {
		t.Error("nothing was seen of what the collector, a manifest or an outcome holds: this test looks in the wrong places")
	}
	if worst := sim.Stats().Worst; worst.Fixed > 50 || worst.Sliding > 50 || worst.TwoWindow > 50 {
		t.Errorf("worst ten seconds %+v, want at most 50", worst)
	}
}

// unpacked are the values that are stored compressed: the manifests and outcomes of all
// rounds.
func unpacked(t *testing.T, bus *jobstream.Bus) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := bus.Rounds.Concluded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		m, err := bus.Rounds.Manifest(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		outcome, err := bus.Outcomes.Load(t.Context(), name, 1)
		if err != nil {
			t.Fatal(err)
		}
		all["manifest "+name], all["outcome "+name] = string(data), string(outcome)
	}
	return all
}

func noToken(t *testing.T, where, text string) {
	t.Helper()
	if at := strings.Index(text, "PLANTED"); at >= 0 {
		t.Errorf("a token in %s: …%s…", where, text[max(0, at-150):min(len(text), at+80)])
	}
}

// dieWithATurn makes a producer die between its turn and its round. It returns the
// instant at which the turn was due.
func dieWithATurn(t *testing.T, bus *jobstream.Bus, env, args []string) time.Time {
	t.Helper()
	doomed := serve(t, append(slices.Clone(env), crash.Env+"="+crash.Setting(crash.TurnTaken, 1)), args...)
	_ = doomed.Wait()
	turn, _, err := bus.Schedule.Turn(t.Context())
	if err != nil || turn.Round == "" {
		t.Fatalf("the turn of the producer that died: %+v, %v\n%s", turn, err, doomed.log)
	}
	if _, err := bus.Rounds.Manifest(t.Context(), turn.Round); !errors.Is(err, jobstream.ErrNotFound) {
		t.Fatalf("the round of the producer that died: %v, want none", err)
	}
	return turn.Due
}

// killInMidRound kills a producer while jobs of its round run, and returns the round.
func killInMidRound(t *testing.T, bus *jobstream.Bus, s *server) (name string) {
	t.Helper()
	until(t, "a round is under way", func() bool {
		turn, _, err := bus.Schedule.Turn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		name = turn.Round
		records, err := bus.Records.List(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		open := 0
		for _, r := range records {
			if !r.Phase.Ended() {
				open++
			}
		}
		return open > 2
	})
	s.kill()
	return name
}

// checkCases wants of each miner what docs/rules/scoring.md#miners says.
func (i *installation) checkCases(t *testing.T, r outcome.Result) {
	t.Helper()
	got := map[int]input.Failure{}
	for _, m := range r.Outcome.Miners {
		if m.Failed != "" {
			got[m.UID] = m.Failed
		}
		if m.UID == 204 && (m.GitHubID != "20400000" || !m.FetchFailed) {
			t.Errorf("miner 204: account %q, loaded %v; want the recorded one, with nothing loaded", m.GitHubID, !m.FetchFailed)
		}
	}
	if diff := cmp.Diff(i.failed, got); diff != "" {
		t.Errorf("round %s: who does not take part (-want +got):\n%s", r.Round, diff)
	}
	if want := "GitHub did not name the accounts of the tokens of miners [204 205]"; !strings.Contains(strings.Join(r.Notes, "\n"), want) {
		t.Errorf("round %s: notes %q, want one that says %q", r.Round, r.Notes, want)
	}
}

// checkRounds audits every round: one outcome each, and every job accounted for
// once.
func checkRounds(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	names, err := bus.Rounds.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	unended := 0
	for _, name := range names {
		held, err := bus.Inventory(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if len(held.Outcomes) == 0 {
			unended++
			continue
		}
		if a := audit.Of(held); !a.Holds() || a.Outstanding != 0 || len(held.Outcomes) != 1 {
			t.Errorf("round %s: %s, outcomes %v, %v", name, a, held.Outcomes, a.Discrepancies)
		}
	}
	if unended > 1 {
		t.Errorf("%d rounds have not ended, want the last one at most", unended)
	}
}

// On one machine, the servers are inside the process and the workers beside it. All end
// with the process.
func TestServeLocal(t *testing.T) {
	t.Parallel()
	world, sim := soundWorld(t, 0, 4)
	i, state := install(t, world), t.TempDir()
	args := append(i.flags(), "--local", "--state", state, "--mirror", sim.URL, "--workers", "1", "--every", "1h")
	one := serve(t, nil, args...)
	until(t, "a round is concluded", one.says("the round is concluded"))
	until(t, "it waits for the next", one.says("waiting for the next turn"))
	one.stop(t)
	for _, once := range []string{
		"beginning a round", "the round's jobs run", "half of the round's jobs have ended", "every job of the round has ended: concluding it",
		"the round is concluded", "waiting for the next turn", "stopped: no round was under way",
	} {
		if n := strings.Count(one.log.String(), once); n != 1 {
			t.Errorf("the log of one round says %d times %q, want once\n%s", n, once, one.log.String())
		}
	}
	again := serve(t, nil, append(args, "--every", "3h")...)
	until(t, "it tells the next turn by its new interval", func() bool {
		said := again.log.String()
		return strings.Contains(said, "waiting for the next turn") && strings.Contains(said, `"in":"2h`)
	})
	again.stop(t)
	shown := run(t, "producer", "show", "latest", "--local", "--state", state)
	if shown.code != 0 || !strings.Contains(shown.stdout, "shared account") {
		t.Errorf("show: exit %d\n%s%s", shown.code, shown.stdout, shown.stderr)
	}
	files := 0
	err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		noToken(t, path, string(data))
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files in the state directory, %v; this test does not see them", files, err)
	}
	noToken(t, "the log", one.log.String())
}

// Faults of the settings are reported at the start, with what would be right.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	i := install(t, demo(t))
	broken := filepath.Join(t.TempDir(), "registry.json")
	write(t, broken, `{"a/b": {"emission_share": 2}}`)
	servers := []string{"--nats", "nats://127.0.0.1:1", "--redis", "redis://127.0.0.1:1"}
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"nothing":              {nil, []string{"--nats and --redis"}},
		"no tokens":            {servers, []string{"--tokens is required"}},
		"no registry":          {append([]string{"--tokens", i.tokens, "--metagraph", i.metagraph}, servers...), []string{"--registry is required"}},
		"a file that is not":   {append(append(i.flags(), servers...), "--tokens", "/nowhere/pats.json"), []string{"--tokens", "/nowhere/pats.json"}},
		"a broken registry":    {append(append(i.flags(), servers...), "--registry", broken), []string{"emission_share"}},
		"interval and cron":    {append(append(i.flags(), servers...), "--every", "2h", "--cron", "0 * * * *"), []string{"--every and --cron"}},
		"no cron":              {append(append(i.flags(), servers...), "--cron", "TZ=0"), []string{"--cron", "--timezone"}},
		"a zone of no cron":    {append(append(i.flags(), servers...), "--timezone", "Europe/Berlin"), []string{"--timezone"}},
		"no zone":              {append(append(i.flags(), servers...), "--cron", "0 * * * *", "--timezone", "Middle/Earth"), []string{"Middle/Earth"}},
		"too short":            {append(append(i.flags(), servers...), "--every", "10ms"), []string{"10ms", "at least 1s"}},
		"kept for too short":   {append(append(i.flags(), servers...), "--keep", "1m"), []string{"1m", "at least 1h"}},
		"a mirror that is not": {append(append(i.flags(), servers...), "--mirror", "x"), []string{"--mirror"}},
		"local and servers":    {append(append(i.flags(), servers...), "--local"), []string{"--local"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := run(t, "producer", append([]string{"serve", "--connect-timeout", "1s"}, c.args...)...)
			if got.code != 2 {
				t.Errorf("exit %d, want 2: %s", got.code, got.stderr)
			}
			for _, want := range c.want {
				if !strings.Contains(got.stderr, want) {
					t.Errorf("%q does not name %q", got.stderr, want)
				}
			}
			noToken(t, "the error", got.stderr)
		})
	}
}
