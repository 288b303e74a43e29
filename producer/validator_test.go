package main_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/shadow"
	"mirrorfleet/shared/terminal"
)

// evaluated is a fleet that has run a round of the demo world by hand, in which two
// miners share an account. It serves the API beside a schedule of its own.
type evaluated struct {
	world                  *mirrorsim.World
	mirror, api            string
	miners, registry, name string
	nats                   string
	bus                    *jobstream.Bus
}

func evaluate(t *testing.T) evaluated {
	t.Helper()
	world := demo(t)
	world.Fails = nil
	double := world.Miners[3]
	double.UID, double.Hotkey = 240, "another hotkey"
	world.Miners = append(world.Miners, double)
	sim, err := mirrorsim.Start(t.Context(), mirrorsim.Config{World: world})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	servers := jobstreamtest.Start(t)
	e := evaluated{world: world, mirror: sim.URL, nats: servers.NATSURL()}
	e.bus, _ = jobstreamtest.Open(t, servers.NATSURL(), jobstream.Config{})
	if e.miners, e.registry, err = world.Write(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	common := []string{
		"--nats", servers.NATSURL(), "--redis", servers.RedisURL(), "--mirror", sim.URL, "--limit-horizon", "1s", "--limit-requests", "100000",
	}
	worker := work(t, "w1", nil, common...)
	done := run(t, "producer", append([]string{
		"run", "--miners", e.miners, "--registry", e.registry, "--as-of", world.AsOf.Format(time.RFC3339Nano),
	}, common...)...)
	if done.code > 1 {
		t.Fatalf("the round: exit %d\n%s%s", done.code, done.stdout, done.stderr)
	}
	worker.stop()
	e.name = regexp.MustCompile(`Round (\S+),`).FindStringSubmatch(done.stdout)[1]
	inputs := t.TempDir()
	write(t, filepath.Join(inputs, "tokens"), "[]")
	write(t, filepath.Join(inputs, "metagraph"), `{"0": "h0", "1": "h1", "111": "treasury"}`)
	s := serve(t, nil, append([]string{
		"--tokens", filepath.Join(inputs, "tokens"), "--metagraph", filepath.Join(inputs, "metagraph"), "--registry", e.registry,
		"--every", "24h", "--api", "127.0.0.1:0",
	}, common...)...)
	until(t, "the schedule's own round is concluded", s.says("the round is concluded"))
	_, after, _ := strings.Cut(s.log.String(), `"msg":"serving the API"`)
	_, after, _ = strings.Cut(after, `"address":"`)
	address, _, _ := strings.Cut(after, `"`)
	e.api = "http://" + address
	return e
}

// A validator that asks for the latest round gets the schedule's. If it names the round,
// it gets that one: rewards, penalised uids, and evaluations. Their pull requests, files
// and issues are those of the outcome and the worker.
func TestAValidatorTakesARoundOfRealProcesses(t *testing.T) {
	t.Parallel()
	e := evaluate(t)
	program := `
import json, sys, types
sys.path.insert(0, "../deploy/validator")
import mirrorfleet_round as m
class Built:
    def __init__(self, **fields): self.__dict__.update(fields)
names = "MinerEvaluation RepoEvaluation Issue ScoredPR MirrorPullRequest MirrorFile MirrorLinkedIssue MirrorReviewSummary".split()
classes = types.SimpleNamespace(**{name: type(name, (Built,), {}) for name in names})
hotkeys = {int(uid): key for uid, key in json.loads(sys.argv[1]).items()}
found = m.latest(hotkeys, classes, url=sys.argv[2], name=sys.argv[3], max_age=1e9)
plain = lambda x: sorted(x) if isinstance(x, set) else x.isoformat() if hasattr(x, "isoformat") else x.__dict__
print(json.dumps(found and found._asdict(), default=plain))
`
	take := func(name string, hotkeys map[int]string, into any) {
		t.Helper()
		keys, err := json.Marshal(hotkeys)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "python3", "-B", "-c", program, string(keys), e.api, name)
		cmd.Env = append(os.Environ(), "no_proxy=*")
		out, err := cmd.Output()
		if err == nil {
			err = json.Unmarshal(out, into)
		}
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	type taken struct {
		Name      string             `json:"name"`
		Rewards   map[string]float64 `json:"rewards"`
		Penalized []int              `json:"penalized"`

		Evaluations map[int]struct {
			TotalScore float64                   `json:"total_score"`
			IssueScore float64                   `json:"issue_discovery_score"`
			Merged     []struct{ Files []any }   `json:"merged_prs"`
			Open       []struct{ Files []any }   `json:"open_prs"`
			Closed     []struct{ Files []any }   `json:"closed_prs"`
			Issues     []any                     `json:"issue_discovery_issues"`
			Repos      map[string]map[string]any `json:"repo_evaluations"`
		} `json:"evaluations"`
	}
	var latest, named taken
	take("latest", map[int]string{0: "h0", 1: "h1", 111: "treasury"}, &latest)
	if latest.Name == "" || latest.Name == e.name || len(latest.Rewards) != 3 {
		t.Errorf("the latest round: %+v, want the schedule's own, not %s", latest, e.name)
	}
	hotkeys := map[int]string{}
	for _, m := range e.world.Miners {
		hotkeys[m.UID] = m.Hotkey
	}
	take(e.name, hotkeys, &named)
	r := outcomeOf(t, e.bus, e.name)
	if len(named.Penalized) != 2 || named.Penalized[1] != 240 || len(r.Outcome.SharedAccount) != 2 {
		t.Errorf("penalised: %v of %v, want two, the last 240", named.Penalized, r.Outcome.SharedAccount)
	}
	pulls := 0
	files := 0
	issues := 0
	for i := range r.Outcome.Miners {
		m := &r.Outcome.Miners[i]
		got := named.Evaluations[m.UID]
		all := append(append(got.Merged, got.Open...), got.Closed...)
		if got.TotalScore != m.TotalScore || got.IssueScore != m.IssueDiscoveryScore || len(got.Repos) != len(m.Repositories) ||
			len(all) != len(m.PullRequests) || len(got.Issues) != len(m.ScoredIssues) {
			t.Errorf("miner %d: %+v, want its outcome's figures", m.UID, got)
		}
		want := filesOf(t, e.bus, r, m.UID)
		for _, p := range all {
			files += len(p.Files)
			want -= len(p.Files)
		}
		if want != 0 && len(all) > 0 {
			t.Errorf("miner %d lacks %d files", m.UID, want)
		}
		pulls, issues = pulls+len(all), issues+len(got.Issues)
	}
	if pulls < 50 || files < 100 || issues < 1 {
		t.Errorf("%d pull requests, %d files, %d issues: this test sees too little", pulls, files, issues)
	}
}

// filesOf counts the files that a worker has scored of a miner.
func filesOf(t *testing.T, bus *jobstream.Bus, r outcome.Result, uid int) (n int) {
	t.Helper()
	record, _, err := bus.Records.Load(t.Context(), r.Round, uid)
	if err != nil {
		return 0
	}
	evaluation, err := bus.Evaluations.Load(t.Context(), record.Stands())
	if err != nil {
		t.Fatal(err)
	}
	mine := evaluation.Evaluation
	for _, pull := range slices.Concat(mine.Merged, mine.Open, mine.Closed) {
		if pull.Tokens != nil {
			n += len(pull.Tokens.Files)
		}
	}
	return n
}

// shadow compares our round with the validator's own of the same instant, and with the one
// that it scored four hours later.
func (e *evaluated) shadow(t *testing.T, records string) {
	t.Helper()
	stdout, stderr, code := inProcess(t, terminal.Style{}, "shadow", e.name, records, "--json", "--nats", e.nats)
	var answer view.Shadow
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || len(answer.Records) != 2 {
		t.Fatalf("exit %d, %v, want two records\n%s%s", code, err, stdout, stderr)
	}
	verdicts := func(r *view.Shadowed) (found []shadow.Verdict) {
		for _, c := range r.Verdicts {
			found = append(found, c.Verdict)
		}
		return found
	}
	same, later := &answer.Records[0], &answer.Records[1]
	if got := verdicts(same); same.Error != "" || !slices.Equal(got, []shadow.Verdict{shadow.Equal}) || len(same.Miners) != len(e.world.Miners) {
		t.Errorf("at the same instant: %v, %q, %d miners; want all %d equal", got, same.Error, len(same.Miners), len(e.world.Miners))
	}
	e.nothingElseDiffers(t, same.File)
	timed := 0
	for i := range later.Miners {
		if m := &later.Miners[i]; m.Verdict == shadow.Time {
			timed++
		} else if m.Verdict != shadow.Equal {
			t.Errorf("four hours later: %+v, want it equal or of time", m)
		}
	}
	if code != 0 || later.Error != "" || timed < 10 {
		t.Errorf("four hours later: exit %d, %q, time explains %d miners, want some\n%s", code, later.Error, timed, stderr)
	}
}

// nothingElseDiffers gives a record other rewards. Nothing but a rule can explain that: what the
// validator has read of the mirror's answers is what our workers have, fact by fact.
func (e *evaluated) nothingElseDiffers(t *testing.T, file string) {
	t.Helper()
	record := must.Get(shadow.Decode(t.Context(), must.Get(os.ReadFile(file))(t)))(t)
	for uid := range record.Rewards {
		record.Rewards[uid] += 1e-12
	}
	stdout, _, code := inProcess(t, terminal.Style{}, "shadow", e.name, writeRecord(t, t.TempDir(), "record.json.gz", &record), "--json", "--nats", e.nats)
	var answer view.Shadow
	must.Do(t, json.Unmarshal([]byte(stdout), &answer))
	if r := &answer.Records[0]; code != 1 || len(r.Miners) == 0 || len(r.Causes) > 0 {
		t.Errorf("with other rewards: exit %d, %+v; want 1 and nothing of the whole round", code, r)
	}
	for _, m := range answer.Records[0].Miners {
		if m.Rule != "rewards" || len(m.Causes) > 0 || len(m.Unexplained) != 1 {
			t.Errorf("with another reward: %+v, want that rule and no input", m)
		}
	}
}

// VALIDATOR is a checkout of the validator, and VALIDATOR_PYTHON a Python that has its
// imports. The validator's own forward pass, with its own classes, does the same with
// mirrorfleet's round as with its own scoring of the same mirror at the same instant:
// each row for its database and each vote, to the last bit.
func TestAgainstTheValidator(t *testing.T) {
	t.Parallel()
	checkout := os.Getenv("VALIDATOR")
	if checkout == "" {
		t.Skip("set VALIDATOR to a checkout of the validator: make validator VALIDATOR=DIR")
	}
	python := os.Getenv("VALIDATOR_PYTHON")
	if python == "" {
		python = "python3"
	}
	e, records := evaluate(t), t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "-B", "testdata/validator/compare.py", checkout, "../deploy/validator", e.api, e.name, e.mirror,
		e.miners, e.registry, e.world.AsOf.Format(time.RFC3339Nano), records)
	cmd.Env = append(os.Environ(), "no_proxy=*")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Errorf("the validator's later steps differ: %v", err)
	}
	e.shadow(t, records)
}
