package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	producer "mirrorfleet/producer"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/command/commandtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/local"
	"mirrorfleet/shared/terminal"
)

// replayedRound has two revisions; in the last one a miner is dead and one is
// degraded.
const replayedRound = "20260603t000000z-010203"

// listed is a NATS with a round of each kind.
func listed(t *testing.T) (url string, bus *jobstream.Bus) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	servers, err := local.Start(t.Context(), local.Config{Dir: t.TempDir(), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { servers.Close() })
	nc, err := jobstream.Connect(t.Context(), servers.NATSURL(), "test", jobstream.ConnectConfig{Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if bus, err = jobstream.Open(t.Context(), nc, jobstream.Config{Log: quiet}); err != nil {
		t.Fatal(err)
	}
	storeRound(t, bus)
	storeReplayed(t, bus)
	return servers.NATSURL(), bus
}

// storeReplayed keeps the round of storeRound once more, as it would be after a
// replay that healed one miner and not the others.
func storeReplayed(t *testing.T, bus *jobstream.Bus) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := bus.Manifest(t.Context(), shownRound)
	must(err)
	m.Round, m.AsOf, m.PlannedAt = replayedRound, shownAsOf.Add(48*time.Hour), time.Now().Add(-75*time.Second)
	must(bus.CreateManifest(t.Context(), m))
	letter := job.DeadLetter{
		Round: replayedRound, UID: 8, Class: job.Transient, Attempts: 4, Worker: "worker-of-a-host-with-a-long-name-17", Trace: strings.Repeat("4b", 16),
		Error: "listing the pull requests of miner 8: mirror POST /api/v1/miners/1008/pulls: status 500 (tries: 3)", Replay: 1,
	}
	must(bus.PublishDead(t.Context(), letter))
	missing := []job.Missing{{What: "files acme/widgets#14", Error: "mirror GET /api/v1/pulls/acme/widgets/14/files: status 503 (tries: 3)"}}
	for uid, record := range map[int]job.Record{
		5: {Phase: job.Done, Degraded: true, Failures: 3, Evaluation: job.EvaluationKey(replayedRound, 5, "c"), Trace: strings.Repeat("00", 16)},
		6: {Phase: job.Done, Evaluation: job.EvaluationKey(replayedRound, 6, "c")},
		8: {Phase: job.Failed, Failures: 4, Replay: 1, Failure: &job.Failure{Class: letter.Class, Error: letter.Error}},
	} {
		record.Round, record.UID = replayedRound, uid
		if record.Phase == job.Done {
			e := job.Evaluation{Round: replayedRound, UID: uid, Worker: "worker-1"}
			if record.Degraded {
				e.Missing = missing
			}
			must(bus.PutEvaluation(t.Context(), record.Evaluation, e))
		}
		_, err := bus.PlanRecord(t.Context(), record)
		must(err)
	}
	data, err := bus.Outcome(t.Context(), shownRound, 1)
	must(err)
	r, err := round.Decode(data)
	must(err)
	r.Round, r.AsOf, r.DeadLetters, r.Degraded = replayedRound, m.AsOf, []job.DeadLetter{letter}, []round.Degraded{{UID: 5, Missing: missing}}
	r.DeadLetters[0].Payload, r.Overdue = []byte("what a worker could not read"), 1 // for the schemas
	r.Notes = []string{"put off for 12m30s: metagraph metagraph.json: not usable: exported at 2026-06-02T12:00:00Z, want at most 6h0m0s ago"}
	for revision := 1; revision <= 2; revision++ {
		r.Revision = revision
		if revision == 2 {
			r.Replayed = []int{6, 8}
			r.Outcome.Miners[2].TotalScore /= 3
			r.Outcome.Rewards[2].Reward /= 3
		}
		data, err := json.Marshal(r)
		must(err)
		must(bus.PutOutcome(t.Context(), replayedRound, revision, data))
	}
}

// inProcess runs the command on a place of a style.
func inProcess(style terminal.Style, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = producer.RunInProcess(terminal.Writer{Writer: &out, Style: style}, &errs, args...)
	return out.String(), errs.String(), code
}

// lists are the commands that list something: their arguments, their exit code
// and the schema of what --json prints.
var lists = []struct {
	name, schema string
	args         []string
	code         int
}{
	{"rounds", "rounds", []string{"rounds"}, 0},
	{"rounds-last", "rounds", []string{"rounds", "--limit", "1"}, 0},
	{"show-round", "show-round", []string{"show", shownRound}, 0},
	{"show-lacking", "show-round", []string{"show", replayedRound}, 0},
	{"show-miner", "show-miner", []string{"show", shownRound, "5"}, 0},
	{"show-dead", "show-miner", []string{"show", replayedRound, "8"}, 0},
	{"show-pull", "show-pull", []string{"show", shownRound, "5", "--pr", "acme/widgets#12"}, 0},
	{"show-dropped", "show-pull", []string{"show", shownRound, "5", "--pr", "acme/widgets#16"}, 0},
	{"show-compare", "show-compare", []string{"show", replayedRound, "--compare"}, 0},
	{"rewards", "rewards", []string{"rewards", shownRound}, 1},
	{"rewards-first", "rewards", []string{"rewards", replayedRound, "--revision", "1"}, 1},
	{"failed", "failed", []string{"failed", replayedRound}, 0},
	{"failed-none", "failed", []string{"failed", openRound}, 0},
	{"dry-run", "failed", []string{"replay", replayedRound, "--dry-run"}, 0},
}

// took is the one thing of these rounds that is not the same each time.
var took = regexp.MustCompile(`\b1m\d\ds\b`)

// Each list as it was when somebody read it and found it right, on terminals of
// two widths, with colour and without; none is wider than its terminal.
func TestLists(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	escape := regexp.MustCompile("\x1b\\[[0-9;]*m")
	for _, l := range lists {
		for _, style := range []terminal.Style{{Width: 80}, {Width: 140}, {Width: 80, Colour: true}, {Width: 140, Colour: true}} {
			name := fmt.Sprintf("%s.%d", l.name, style.Width)
			if style.Colour {
				name += ".colour"
			}
			got, stderr, code := inProcess(style, append(l.args, "--nats", url)...)
			if code != l.code {
				t.Errorf("%s: exit %d, want %d\n%s", name, code, l.code, stderr)
			}
			commandtest.Golden(t, filepath.Join("testdata", "lists", name+".txt"), took.ReplaceAllString(got, "1m15s"))
			if style.Colour != strings.Contains(got, "\x1b") && style.Colour {
				t.Errorf("%s: no colour at all", name)
			}
			if !style.Colour && strings.Contains(got, "\x1b") {
				t.Errorf("%s: colour where none is taken", name)
			}
			for line := range strings.SplitSeq(escape.ReplaceAllString(got, ""), "\n") {
				if n := utf8.RuneCountInString(line); n > style.Width {
					t.Errorf("%s: a line of %d characters: %s", name, n, line)
				}
			}
		}
	}
}

// What a program reads is what its schema says, and nothing else.
func TestListsAreOfTheirSchemas(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	for _, l := range lists {
		got, stderr, code := inProcess(terminal.Style{}, append(l.args, "--nats", url, "--json")...)
		if code != l.code {
			t.Errorf("%s: exit %d, want %d\n%s", l.name, code, l.code, stderr)
		}
		if err := ofSchema(l.schema, strings.NewReader(got)); err != nil {
			t.Errorf("%s: %v\n%s", l.name, err, got)
		}
		if strings.Contains(l.name, "dead") { // the schema must be one that refuses
			if err := ofSchema(l.schema, strings.NewReader(strings.Replace(got, `"uid"`, `"yuid"`, 1))); err == nil {
				t.Errorf("%s: its schema takes anything", l.schema)
			}
		}
	}
}

// So is what plan and doctor print, as it was found right.
func TestPagesAreOfTheirSchemas(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]string{"plan": `"value"`, "doctor": `"text"`} {
		pages, err := filepath.Glob(filepath.Join("testdata", name, "*.json"))
		if err != nil || len(pages) == 0 {
			t.Errorf("%s: %d pages, %v", name, len(pages), err)
		}
		for _, page := range pages {
			data, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			if err := ofSchema(name, bytes.NewReader(data)); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			if err := ofSchema(name, bytes.NewReader(bytes.ReplaceAll(data, []byte(field), []byte(`"other"`)))); err == nil {
				t.Errorf("%s: its schema takes anything", name)
			}
		}
	}
}

// ofSchema checks a JSON text against a schema of docs/schema.
func ofSchema(name string, text io.Reader) error {
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("..", "docs", "schema", name+".json"))
	if err != nil {
		return fmt.Errorf("schema %s: %w", name, err)
	}
	value, err := jsonschema.UnmarshalJSON(text)
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	return schema.Validate(value)
}

// An export is whole, or not there; what is there already stays when one fails.
func TestExport(t *testing.T) {
	t.Parallel()
	url, _ := listed(t)
	all, stderr, code := inProcess(terminal.Style{}, "export", shownRound, "--nats", url)
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	kinds := map[string]int{}
	for line := range strings.Lines(all) {
		if err := ofSchema("export", strings.NewReader(line)); err != nil {
			t.Errorf("%v: %s", err, line)
		}
		var row struct {
			Kind string `json:"kind"`
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		kinds[row.Kind]++
	}
	if want := map[string]int{"miners": 5, "rewards": 5, "pulls": 6, "issues": 3}; !cmp.Equal(kinds, want) {
		t.Errorf("rows %v, want %v", kinds, want)
	}

	dir := filepath.Join(t.TempDir(), "rounds")
	_, stderr, code = inProcess(terminal.Style{}, "export", "latest", "--format", "csv", "--output", dir, "--nats", url)
	files, err := os.ReadDir(dir)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimPrefix(file.Name(), replayedRound+"."))
	}
	if want := []string{"issues.csv", "miners.csv", "pulls.csv", "rewards.csv"}; code != 0 || err != nil || !cmp.Equal(names, want) {
		t.Errorf("exit %d, %v: %v, want %v of the last round\n%s", code, err, names, want, stderr)
	}
	alone, _, _ := inProcess(terminal.Style{}, "export", "--format", "csv", "--what", "pulls", "--nats", url)
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
		{"no such revision", "its revisions are [1 2]", []string{"latest", "--revision", "3"}},
	} {
		stdout, stderr, code := inProcess(terminal.Style{}, append([]string{"export", "--nats", url}, c.args...)...)
		if code != 2 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d saying %q, want 2 with %q and no output", c.name, code, stderr, c.want)
		}
	}
	if after, err := os.ReadDir(dir); err != nil || len(after) != 4 {
		t.Errorf("%d files are left, %v, want the 4", len(after), err)
	}
}

// What a round is like is told by its producer's signs of life.
func TestRoundsTellWhoLives(t *testing.T) {
	t.Parallel()
	url, bus := listed(t)
	states := func() (got []string) {
		t.Helper()
		var list struct {
			Rounds []struct {
				State string `json:"state"`
			} `json:"rounds"`
		}
		text, stderr, code := inProcess(terminal.Style{}, "rounds", "--nats", url, "--json")
		if err := json.Unmarshal([]byte(text), &list); err != nil || code != 0 {
			t.Fatalf("exit %d, %v\n%s", code, err, stderr)
		}
		for _, r := range list.Rounds {
			got = append(got, r.State)
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
			_, revision, err := bus.Holder(t.Context(), name)
			if err == nil {
				_, err = bus.SetHolder(t.Context(), name, c.holder, revision)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := states(); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The processes that a local round starts read its configuration file.
func TestAFileIsHandedOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "fleet.yaml")
	if err := os.WriteFile(path, []byte("worker:\n  slots: 0\nproducer:\n  state: "+dir+"/state\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := run(t, "producer", "run", "--local", "--config", path)
	if got.code != 2 || !strings.Contains(got.stderr, "line 2: slots: 0: want at least 1") {
		t.Errorf("exit %d, want 2 and the worker's word\n%s", got.code, got.stderr)
	}
}
