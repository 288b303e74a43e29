package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

const validatorFiles = "../../deploy/validator/"

// call is one call of the snippet, as a validator makes it.
type call struct {
	hotkeys map[int]string // the metagraph's
	url     string
	more    map[string]any // further arguments
	without []string       // modules that are not installed
}

// called is what it returned, and what it logged.
type called struct {
	Result      map[string]float64 `json:"result"`
	Penalized   []int              `json:"penalized"`
	Evaluations map[string]built   `json:"evaluations"`
	Log         string             `json:"log"`
}

// built is an object of the validator's, by its fields.
type built map[string]any

// standIns are classes that keep what they are made of.
const standIns = `
import types
class Built:
    def __init__(self, **fields): self.__dict__.update(fields)
names = "MinerEvaluation RepoEvaluation Issue ScoredPR MirrorPullRequest MirrorFile MirrorLinkedIssue MirrorReviewSummary".split()
classes = types.SimpleNamespace(**{name: type(name, (Built,), {}) for name in names})
def plain(x): return sorted(x) if isinstance(x, set) else x.isoformat() if hasattr(x, "isoformat") else x.__dict__
`

// validator makes these calls, one after the other, in one process.
func validator(t *testing.T, calls ...call) []called {
	t.Helper()
	return validatorWith(t, nil, calls...)
}

// validatorWith makes them with more environment.
func validatorWith(t *testing.T, env []string, calls ...call) []called {
	t.Helper()
	// What python3 reads is read here too, so that go test knows that it has changed.
	if _, err := os.ReadFile(validatorFiles + "mirrorfleet_round.py"); err != nil {
		t.Fatal(err)
	}
	type asked struct {
		Hotkeys map[int]string `json:"hotkeys"`
		URL     string         `json:"url"`
		More    map[string]any `json:"more"`
		Without []string       `json:"without"`
	}
	var all []asked
	for _, c := range calls {
		more := map[string]any{"timeout": 60} // a busy machine needs more than a validator's
		maps.Copy(more, c.more)
		all = append(all, asked{c.hotkeys, c.url, more, append([]string{}, c.without...)})
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for a hang, not a measure
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", standIns+fmt.Sprintf(`
import io, json, logging, sys
sys.path.insert(0, %q)
from mirrorfleet_round import latest
done = []
for call in json.load(sys.stdin):
    log = io.StringIO()
    logging.basicConfig(stream=log, force=True)
    hotkeys = {int(uid): key for uid, key in call["hotkeys"].items()}
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in call["without"]}
    sys.modules.update(dict.fromkeys(list(kept) + call["without"]))
    found = latest(hotkeys, classes, url=call["url"], **call["more"])
    for name in list(kept) + call["without"]:
        sys.modules.pop(name, None)
    sys.modules.update(kept)
    done.append({"log": log.getvalue()})
    if found is not None:
        done[-1].update(result=found.rewards, penalized=sorted(found.penalized), evaluations=found.evaluations)
print(json.dumps(done, default=plain))
`, validatorFiles))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "no_proxy=*")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("this test needs python3: %v\n%s", err, stderr.String())
	}
	var done []called
	if err := json.Unmarshal(out, &done); err != nil || len(done) != len(calls) {
		t.Fatalf("%v, %d answers of %d in %s", err, len(done), len(calls), out)
	}
	return done
}

// metagraph is that of the tests' round.
func metagraph() map[int]string {
	return map[int]string{0: "h0", 1: "h1", 2: "h2", 3: "h3", 4: "h4", 111: "h111"}
}

// The snippet against a producer's API after a round that was really run: the
// outcome's own rewards to the last bit, and nothing of one that is old,
// incomplete or of others.
func TestAValidatorTakesItsRewards(t *testing.T) {
	t.Parallel()
	b := servers(t)
	b.Work(t)
	latest := func(age time.Duration) string {
		t.Helper()
		b.serve(t, func(c *settings) { c.Now = func() time.Time { return asOf.Add(age) } })
		return b.url
	}
	hold := func(name string, got called, want map[string]float64, says string) {
		t.Helper()
		if !cmp.Equal(want, got.Result) || !strings.Contains(got.Log, says) || says == "" && got.Log != "" {
			t.Errorf("%s: %v, log %q, want %v and %q", name, got.Result, got.Log, want, says)
		}
	}
	url := latest(time.Hour)
	hold("before any round", validator(t, call{metagraph(), url, nil, nil})[0], nil, "404")
	byHand := b.Run(t, b.Plan(t, now.Add(-time.Hour)))
	got := validator(t, call{metagraph(), url, nil, nil}, call{metagraph(), url, map[string]any{"name": byHand.Round}, nil})
	hold("a round that was run by hand alone", got[0], nil, "404")
	if len(got[1].Result) != len(metagraph()) {
		t.Errorf("by its name: %+v, want its rewards", got[1])
	}

	result := b.Concluded(t, now)
	b.Run(t, b.Plan(t, now.Add(time.Minute))) // later, and by hand
	want := of(result.Outcome.Rewards)
	if want["2"] <= 0 {
		t.Fatalf("rewards %v, want one for miner 2", want)
	}
	moved, unknown := metagraph(), metagraph()
	moved[2] = "another miner's"
	delete(unknown, 2)
	wantMoved := maps.Clone(want)
	wantMoved["2"] = 0
	got = validator(t,
		call{metagraph(), url, nil, nil}, call{moved, url, nil, nil}, call{unknown, url, nil, nil},
		call{metagraph(), latest(3*time.Hour + time.Second), nil, nil}, call{metagraph(), latest(-2 * time.Minute), nil, nil},
		call{metagraph(), latest(5 * time.Hour), map[string]any{"max_age": 6 * 3600}, nil})
	hold("as it is", got[0], want, "")
	hold("a hotkey has changed", got[1], wantMoved, "")
	hold("a uid that is not there", got[2], nil, "unknown uids")
	hold("old", got[3], nil, "10801 s old")
	hold("from the future", got[4], nil, "-120 s old")
	hold("5 hours old of 6", got[5], want, "")
	if moved := got[1].Evaluations["2"]; moved["hotkey"] != "another miner's" || moved["failed_reason"] != "mirrorfleet: another hotkey than in the round" {
		t.Errorf("the evaluation of who came since: %v", moved)
	}
	checkEvaluations(t, b, result, got[0])

	b.Sick.Store(1)
	want = of(b.Concluded(t, now.Add(2*time.Hour)).Outcome.Rewards)
	got = validator(t, call{metagraph(), url, nil, nil}, call{metagraph(), url, map[string]any{"incomplete_too": true}, nil})
	hold("incomplete", got[0], nil, "incomplete")
	hold("incomplete, and taken too", got[1], want, "")
}

// of are the rewards of every uid of the metagraph: who registered since the
// round has none.
func of(rewards []scoring.Reward) map[string]float64 {
	all := map[string]float64{"4": 0}
	for _, r := range rewards {
		all[fmt.Sprint(r.UID)] = r.Reward
	}
	return all
}

// checkEvaluations holds what is built for each uid against the outcome, and
// against what the worker said of the pull request.
func checkEvaluations(t *testing.T, b *bundle, r outcome.Result, got called) {
	t.Helper()
	if len(got.Evaluations) != len(metagraph()) || len(got.Penalized) != 0 {
		t.Fatalf("%d evaluations, penalised %v; want one for each uid, and nobody", len(got.Evaluations), got.Penalized)
	}
	for uid, says := range map[string]any{
		"0": "mirrorfleet: recycle uid", "3": "mirrorfleet: no stored token", "4": "mirrorfleet: registered since the round", "2": nil,
	} {
		if e := got.Evaluations[uid]; e["failed_reason"] != says {
			t.Errorf("uid %s failed for %v, want %v", uid, e["failed_reason"], says)
		}
	}
	m := r.Outcome.Miners[2]
	e := got.Evaluations["2"]
	want := built{
		"uid": 2.0, "hotkey": "h2", "github_id": "102", "total_score": m.TotalScore, "base_total_score": m.BaseTotalScore,
		"is_eligible": true, "credibility": m.Credibility, "unique_repos_count": 1.0, "unique_repos_contributed_to": []any{"a/b"},
		"github_pr_fetch_failed": false, "open_prs": []any{}, "closed_prs": []any{}, "issue_discovery_issues": []any{},
	}
	for field, value := range want {
		if !cmp.Equal(e[field], value) {
			t.Errorf("%s: %v, want %v", field, e[field], value)
		}
	}
	pull, _ := e["merged_prs"].([]any)[0].(map[string]any)
	outcome := m.PullRequests[0]
	if pull["earned_score"] != outcome.EarnedScore || pull["base_score"] != outcome.BaseScore || outcome.EarnedScore == 0 {
		t.Errorf("scores %v and %v, want %v and %v", pull["earned_score"], pull["base_score"], outcome.EarnedScore, outcome.BaseScore)
	}
	wantPull := built{
		"repo_full_name": "a/b", "pr_number": 2.0, "state": "MERGED", "author_github_id": "102", "author_login": "login2", "body": "Closes #7",
		"merged_by_login": "merger", "created_at": "2026-05-30T01:02:03.123456+00:00", "merged_at": "2026-05-31T00:00:00+00:00",
		"last_edited_at": nil, "head_sha": "head", "base_sha": "base", "additions": 5.0, "deletions": 2.0, "commits_count": 3.0,
		"review_summary": map[string]any{"maintainer_changes_requested_count": 1.0},
		"linked_issues": []any{map[string]any{
			"number": 7.0, "title": "It leaks", "state": "CLOSED", "state_reason": "COMPLETED", "author_github_id": "9", "author_association": "NONE",
			"created_at": nil, "closed_at": "2026-05-31T00:00:00+00:00", "updated_at": "2026-05-31T00:00:00+00:00", "is_transferred": false,
			"solved_by_pr": nil, "labels": []any{},
		}},
	}
	listed, _ := pull["pr"].(map[string]any)
	for field, value := range wantPull {
		if !cmp.Equal(listed[field], value) {
			t.Errorf("pull request, %s: %v, want %v", field, listed[field], value)
		}
	}
	wantFiles := []any{map[string]any{
		"filename": "new.go", "previous_filename": "old.go", "status": "renamed", "additions": 5.0, "deletions": 2.0, "changes": 7.0,
		"is_binary": false, "head_content": nil, "base_content": nil,
	}}
	if diff := cmp.Diff(any(wantFiles), pull["files"]); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	told := into[view.Evaluations](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/evaluations", ""))
	if told.Round != r.Round || len(told.Miners) != len(r.Outcome.Miners) {
		t.Errorf("evaluations of round %s with %d miners, want %s with %d", told.Round, len(told.Miners), r.Round, len(r.Outcome.Miners))
	}
}

// A round whose miners lack the treasury says what has no taker, and that is all
// that its rewards may lack.
func TestAValidatorKnowsWhatHasNoTaker(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	m := b.Plan(t, now)
	m.Due = now
	m.Miners = slices.DeleteFunc(m.Miners, func(m input.Miner) bool { return m.UID == input.TreasuryUID })
	result := b.Run(t, m)
	if got := result.Outcome.Untaken; got != 0.1 || math.Abs(result.Outcome.Sum+got-1) > 1e-9 {
		t.Errorf("the rewards sum to %v and %v is untaken, want 0.9 and 0.1", result.Outcome.Sum, got)
	}
	got := validator(t, call{metagraph(), b.url, nil, nil})[0]
	if want := of(result.Outcome.Rewards); got.Log != "" || got.Result["2"] != want["2"] || got.Result["111"] != 0 {
		t.Errorf("%v, log %q, want %v", got.Result, got.Log, want)
	}
}
