package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	producer "mirrorfleet/producer"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/producer/web/webtest"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/fleet/fleettest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/terminal"
)

// replayedRound has two revisions. In the last one, one miner is dead and one is
// degraded.
const replayedRound = "20260603t000000z-010203"

// listed is a NATS with a round of each kind.
func listed(t *testing.T) (url string, bus *jobstream.Bus) {
	t.Helper()
	url = jobstreamtest.Start(t).NATSURL()
	bus, _ = jobstreamtest.Open(t, url, jobstream.Config{})
	storeRound(t, bus)
	storeReplayed(t, bus)
	return url, bus
}

// storeReplayed stores the round of storeRound again, as it is after a replay that healed
// only one of its miners.
func storeReplayed(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		must.Do(t, err)
	}
	m, err := bus.Rounds.Manifest(t.Context(), shownRound)
	must(err)
	m.Due = shownAsOf.Add(48 * time.Hour)
	m.Round = replayedRound
	m.AsOf = shownAsOf.Add(48 * time.Hour)
	m.PlannedAt = time.Now().Add(-75 * time.Second)
	m.Rules = scoring.RulesVersion
	must(bus.Rounds.CreateManifest(t.Context(), m))
	letter := job.DeadLetter{
		Round: replayedRound, UID: 8, Class: job.Transient, Attempts: 4, Worker: "worker-of-a-host-with-a-long-name-17", Trace: strings.Repeat("4b", 16),
		Error: "listing the pull requests of miner 8: mirror POST /api/v1/miners/1008/pulls: status 500 (tries: 3)", Replay: 1,
	}
	must(bus.Letters.Publish(t.Context(), letter))
	missing := []job.Missing{{What: "files acme/widgets#14", Cause: job.Unanswered, Error: "mirror GET /api/v1/pulls/acme/widgets/14/files: status 503 (tries: 3)"}}
	for uid, record := range map[int]job.Record{
		5: {Phase: job.Done, Degraded: true, Failures: 3, Evaluation: job.EvaluationKey(replayedRound, 5, "c"), Trace: strings.Repeat("00", 16)},
		6: {Phase: job.Done, Evaluation: job.EvaluationKey(replayedRound, 6, "c")},
		8: {
			Phase: job.Failed, Deliveries: 29, Failures: 4, Requests: 96, Unreported: 2, Replay: 1, Trace: letter.Trace,
			Failure: &job.Failure{Class: letter.Class, Error: letter.Error}, Attempts: everyEnding(m.AsOf, letter),
		},
	} {
		record.Round, record.UID = replayedRound, uid
		if record.Phase == job.Done {
			e := job.Evaluation{Round: replayedRound, UID: uid, Worker: "worker-1", Claim: "c"}
			if record.Degraded {
				e.Missing = missing
			}
			must(bus.Evaluations.Put(t.Context(), record.Evaluation, e))
		}
		_, err := bus.Records.Plan(t.Context(), record)
		must(err)
	}
	data, err := bus.Outcomes.Load(t.Context(), shownRound, 1)
	must(err)
	r, err := outcome.Decode(data)
	must(err)
	r.Due = m.Due
	r.Round = replayedRound
	r.PlannedRules = m.Rules
	r.AsOf = m.AsOf
	r.DeadLetters = []job.DeadLetter{letter}
	r.Degraded = []outcome.Degraded{{UID: 5, Missing: missing}}
	r.UnknownIdentities = []outcome.UnknownIdentity{{UID: 5, GitHubID: "1005", KeptAt: m.AsOf.Add(-3 * time.Hour), Age: 3 * 3600}}
	r.StandIns, r.Unreported = []outcome.StandIn{{UID: 8, AsOf: m.AsOf.Add(-2 * time.Hour), Age: 2 * 3600}}, 1
	r.DeadLetters[0].Payload, r.Overdue = []byte("what a worker could not read"), 1 // which the schemas have, too
	r.Cancelled = 1
	r.CancelOrders = []job.CancelOrder{{UIDs: []int{8}, By: "producer-host-17-4f64qJ", At: m.AsOf.Add(time.Hour), Reason: "its account was renamed"}}
	r.Notes = []string{"postponed for 12m30s: metagraph metagraph.json: not usable: exported at 2026-06-02T12:00:00Z, want at most 6h0m0s ago"}
	for revision := 1; revision <= 2; revision++ {
		r.Revision = revision
		if revision == 2 {
			r.Replayed = []int{6, 8}
			r.Outcome.Miners[2].TotalScore /= 3
			r.Outcome.Rewards[2].Reward /= 3
		}
		data, err := json.Marshal(r)
		must(err)
		must(bus.Outcomes.Put(t.Context(), replayedRound, revision, data))
	}
}

// everyEnding are attempts that ended in each way, the first ones before a replay.
func everyEnding(asOf time.Time, letter job.DeadLetter) (list []job.EndedAttempt) {
	for i, how := range []job.Ending{
		job.EndedHandedBack, job.EndedLapsed, job.EndedFailed, "poison", job.EndedDegraded, job.EndedCommitted, "overdue", "damaged", job.EndedDead,
	} {
		one := job.EndedAttempt{
			Delivery: uint64(i + 19), Worker: letter.Worker, Began: asOf.Add(time.Duration(i) * time.Hour), Ending: how, Trace: strings.Repeat("3a", 16),
		}
		one.Ended = one.Began.Add(time.Duration(i*i+1) * 7 * time.Second)
		switch how {
		case job.EndedLapsed:
		case job.EndedHandedBack:
			one.Requests, one.Error = new(0), "worker-17: it was started for another mirror: \x1b[2Jhttp://other"
		case job.EndedCommitted, job.EndedDegraded:
			one.Requests = new(1024)
		case job.EndedFailed, job.EndedDead:
			one.Requests = new(12)
			one.Class, one.Error = letter.Class, letter.Error
		default:
			one.Class, one.Error = job.Class(how), "20 deliveries are used up and none was settled: the processes that took it died"
		}
		if i > 3 {
			one.Replay, one.Delivery = 1, uint64(i-3)
			one.Trace = letter.Trace
		}
		list = append(list, one)
	}
	return list
}

// inProcess runs the command on a place of a style. URLs that hold a password stand in a
// file of settings: they are refused among the arguments.
func inProcess(t *testing.T, style terminal.Style, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	args, env := fleettest.Arguments(args)
	if len(env) > 0 {
		config := filepath.Join(t.TempDir(), "config.yaml")
		var lines strings.Builder
		for _, variable := range env {
			name, value, _ := strings.Cut(strings.TrimPrefix(variable, "MIRRORFLEET_"), "=")
			fmt.Fprintf(&lines, "%s: %q\n", strings.ToLower(name), value)
		}
		must.Do(t, os.WriteFile(config, []byte(lines.String()), 0o600))
		args = append(args, "--config", config)
	}
	var out, errs bytes.Buffer
	code = producer.RunInProcess(terminal.Writer{Writer: &out, Style: style}, &errs, args...)
	return out.String(), errs.String(), code
}

// lists are the commands that list something, each with its arguments, its exit code, and
// the schema of its --json.
var lists = []struct {
	name, schema string
	args         []string
	code         int
}{
	{"rounds", "RoundList", []string{"rounds"}, 0},
	{"rounds-last", "RoundList", []string{"rounds", "--limit", "1"}, 0},
	{"show-round", "Outcome", []string{"show", shownRound}, 0},
	{"show-lacking", "Outcome", []string{"show", replayedRound}, 0},
	{"show-miner", "Miner", []string{"show", shownRound, "5"}, 0},
	{"show-failed", "Miner", []string{"show", shownRound, "7"}, 0},
	{"show-recycle", "Miner", []string{"show", shownRound, "0"}, 0},
	{"show-dead", "Miner", []string{"show", replayedRound, "8"}, 0},
	{"show-attempts", "Attempts", []string{"show", replayedRound, "8", "--attempts"}, 0},
	{"show-attempts-none", "Attempts", []string{"show", replayedRound, "6", "--attempts"}, 0},
	{"show-attempts-no-job", "Attempts", []string{"show", openRound, "7", "--attempts"}, 0},
	{"show-pull", "PullRequest", []string{"show", shownRound, "5", "--pr", "Acme/Widgets#12"}, 0},
	{"show-pull-open", "PullRequest", []string{"show", shownRound, "--pr", "acme/widgets#13"}, 0},
	{"show-pull-unscored", "PullRequest", []string{"show", shownRound, "5", "--pr", "acme/widgets#14"}, 0},
	{"show-pull-closed", "PullRequest", []string{"show", shownRound, "5", "--pr", "acme/widgets#15"}, 0},
	{"show-dropped", "PullRequest", []string{"show", "--pr", "acme/widgets#16", shownRound, "5"}, 0},
	{"show-compare", "Comparison", []string{"show", replayedRound, "--compare"}, 0},
	{"rewards", "Rewards", []string{"rewards", shownRound}, 1},
	{"rewards-first", "Rewards", []string{"rewards", replayedRound, "--revision", "1"}, 1},
	{"failed", "Round", []string{"failed", replayedRound}, 0},
	{"failed-like", "Round", []string{"failed", replayedRound, "--like", "9eb3"}, 0},
	{"dry-run-like", "ReplayAnswer", []string{"replay", replayedRound, "--like", "9eb3", "--dry-run"}, 0},
	{"failed-none", "Round", []string{"failed", openRound}, 0},
	{"dry-run", "ReplayAnswer", []string{"replay", replayedRound, "--dry-run"}, 0},
	{"dry-run-rescore", "ReplayAnswer", []string{"rescore", replayedRound, "--uid", "6,8", "--dry-run"}, 0},
}

// styles are the terminals for which a list is recorded: all at 80 characters, a table
// and a page also on a wide terminal and in colour.
func styles(list string) map[string]terminal.Style {
	if list != "rounds" && list != "failed" {
		return map[string]terminal.Style{"": {Width: 80}}
	}
	return map[string]terminal.Style{"": {Width: 80}, ".wide": {Width: 140}, ".colour": {Width: 80, Colour: true}}
}

// took is the only text of these rounds that differs from run to run.
var took = regexp.MustCompile(`\b1m\d\ds\b`)

// Each list is as recorded, and somebody has read the record. No list is wider than its
// terminal, and none passes others' control characters on. The JSON follows the API's
// description.
func TestLists(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	painted := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, l := range lists {
		for suffix, style := range styles(l.name) {
			name := l.name + suffix
			got, stderr, code := inProcess(t, style, append(l.args, "--nats", url)...)
			if code != l.code {
				t.Errorf("%s: exit %d, want %d\n%s", name, code, l.code, stderr)
			}
			commandtest.Golden(t, filepath.Join("testdata", "lists", name+".txt"), took.ReplaceAllString(got, "1m15s"))
			if style.Colour {
				got = painted.ReplaceAllString(got, "")
			}
			for line := range strings.SplitSeq(got, "\n") {
				if n := utf8.RuneCountInString(line); n > style.Width || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("%s: %d characters, want at most %d, and none that controls a terminal: %q", name, n, style.Width, line)
				}
			}
		}
		got, stderr, code := inProcess(t, terminal.Style{}, append(l.args, "--nats", url, "--json")...)
		if code != l.code {
			t.Errorf("%s: exit %d, want %d\n%s", l.name, code, l.code, stderr)
		}
		if err := webtest.Printed(l.schema, got); err != nil {
			t.Errorf("%s: %v\n%s", l.name, err, got)
		}
	}
}

// An export is complete or absent. If one fails, existing files stay.
func TestExport(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	all, stderr, code := inProcess(t, terminal.Style{}, "export", shownRound, "--nats", url)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(all) {
		if err := webtest.Printed("ExportRow", line); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		var row struct {
			Kind string `json:"kind"`
		}
		must.Do(t, json.Unmarshal([]byte(line), &row))
		kinds[row.Kind]++
	}
	if want := map[string]int{"miners": 5, "rewards": 5, "pulls": 6, "issues": 3}; !cmp.Equal(kinds, want) {
		t.Errorf("rows %v, want %v", kinds, want)
	}

	dir := filepath.Join(t.TempDir(), "rounds")
	_, stderr, code = inProcess(t, terminal.Style{}, "export", "latest", "--format", "csv", "--output", dir, "--nats", url)
	files, err := os.ReadDir(dir)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimPrefix(file.Name(), replayedRound+"."))
	}
	if want := []string{"issues.csv", "miners.csv", "pulls.csv", "rewards.csv"}; code != 0 || err != nil || !cmp.Equal(names, want) {
		t.Errorf("exit %d, %v: %v, want %v of the last round\n%s", code, err, names, want, stderr)
	}
	alone, _, _ := inProcess(t, terminal.Style{}, "export", "--format", "csv", "--what", "pulls", "--nats", url)
	if kept, err := os.ReadFile(filepath.Join(dir, replayedRound+".pulls.csv")); err != nil || string(kept) != alone {
		t.Errorf("the file has %d bytes, standard output %d (%v), want the same", len(kept), len(alone), err)
	}

	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"two kinds of CSV", "--what KIND", []string{"--format", "csv"}},
		{"an unknown kind", `"repos": want some of miners, pulls, issues, rewards`, []string{"--what", "miners,repos"}},
		{"no kind", "--what is empty", []string{"--what", ""}},
		{"an unknown format", "want jsonl or csv", []string{"--format", "xml"}},
		{"no place", "--output is empty", []string{"--output", ""}},
		{"a file for a directory", "--output", []string{"--output", filepath.Join(dir, replayedRound+".pulls.csv")}},
		{"a round that is not concluded", "--resume", []string{openRound}},
		{"no such revision", "there is: 1, 2", []string{"latest", "--revision", "3"}},
	} {
		stdout, stderr, code := inProcess(t, terminal.Style{}, append([]string{"export", "--nats", url}, c.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d saying %q, want 2 with %q and no output", c.name, code, stderr, c.want)
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != 4 {
		t.Errorf("%d files are left, %v, want the 4", len(after), err)
	}
}

// The state of a running round follows from its producer's signs of life.
func TestRoundsTellWhoLives(t *testing.T) {
	t.Parallel()
	url, bus := listed(t)
	states := func() (got []string) {
		t.Helper()
		var list view.List
		text, stderr, code := inProcess(t, terminal.Style{}, "rounds", "--nats", url, "--json")
		if err := json.Unmarshal([]byte(text), &list); err != nil || code != 0 {
			t.Fatalf("exit %d, %v\n%s", code, err, stderr)
		}
		for _, r := range list.Rounds {
			got = append(got, string(r.State))
		}
		return got
	}
	for _, c := range []struct {
		name   string
		holder job.Holder
		want   []string
	}{
		{"alive", job.Holder{Name: "p", For: time.Hour}, []string{"replaying", "running", "replaying"}},
		{"silent for too long", job.Holder{Name: "p", For: time.Nanosecond}, []string{"concluded", "stopped", "concluded"}},
		{"ended", job.Holder{Name: "p", For: time.Hour, Released: true}, []string{"concluded", "stopped", "concluded"}},
	} {
		for _, name := range []string{shownRound, openRound, replayedRound} {
			_, revision, err := bus.Holders.Load(t.Context(), name)
			if err == nil {
				_, err = bus.Holders.Set(t.Context(), name, c.holder, revision)
			}
			must.Do(t, err)
		}
		if got := states(); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The command that rewards prints for an incomplete round works as printed.
func TestRewardsNameACommandThatWorks(t *testing.T) {
	t.Parallel()
	dir := stored(t)
	_, stderr, code := inProcess(t, terminal.Style{}, "rewards", "--local", "--state", dir)
	want := "producer show " + shownRound + " --local --state " + dir
	if code != 1 || !strings.Contains(stderr, want+" lists what it lacks") {
		t.Fatalf("exit %d saying %q, want 1 and %q", code, stderr, want)
	}
	if _, stderr, code := inProcess(t, terminal.Style{}, strings.Fields(want)[1:]...); code != 0 {
		t.Errorf("%s: exit %d, want 0\n%s", want, code, stderr)
	}
}

// The processes that a local round starts read its configuration file.
func TestAFileIsHandedOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fleet.yaml")
	must.Do(t, os.WriteFile(path, []byte("worker:\n  slots: 0\nproducer:\n  state: "+dir+"/state\n"), 0o600))
	got := run(t, "producer", "run", "--local", "--config", path)
	if got.code != 2 || !strings.Contains(got.stderr, "line 2: slots: 0: want at least 1") {
		t.Errorf("exit %d, want 2 and the worker's word\n%s", got.code, got.stderr)
	}
}

// The coverage is told of the last round that was planned, here of one that was run by hand.
func TestTokens(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	text, stderr, code := inProcess(t, terminal.Style{}, "tokens", "--nats", url, "--json")
	if err := webtest.Printed("Tokens", text); err != nil || code != 0 || !strings.Contains(text, `"fell_out": false`) {
		t.Errorf("exit %d, %v\n%s%s", code, err, text, stderr)
	}
	empty := jobstreamtest.Start(t).NATSURL()
	if _, stderr, code := inProcess(t, terminal.Style{}, "tokens", "--nats", empty); code != 2 || !strings.Contains(stderr, "there is no round yet") {
		t.Errorf("without a round: exit %d saying %q, want 2 with that", code, stderr)
	}
	for _, args := range [][]string{
		{"failed", replayedRound, "--like", "0000"}, {"replay", replayedRound, "--dry-run", "--like", "0000"},
	} {
		if _, stderr, code := inProcess(t, terminal.Style{}, append(args, "--nats", url)...); code != 2 || !strings.Contains(stderr, "9eb3 (transient, miners: 1)") {
			t.Errorf("%v: exit %d saying %q, want 2 with the groups that there are", args, code, stderr)
		}
	}
	for _, args := range [][]string{
		{"show", replayedRound, "--attempts"}, {"show", replayedRound, "8", "--attempts", "--compare"}, {"show", replayedRound, "8", "--attempts", "--revision", "1"},
		{"show", replayedRound, "99", "--attempts"}, {"show", "never", "8", "--attempts"},
	} {
		if stdout, stderr, code := inProcess(t, terminal.Style{}, append(args, "--nats", url)...); code != 2 || stdout != "" {
			t.Errorf("%v: exit %d saying %q, want 2", args, code, stderr)
		}
	}
}
