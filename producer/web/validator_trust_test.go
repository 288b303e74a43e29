package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// Whatever answers in the API's place, or does not, the snippet says None, in
// its time, and why.
func TestAValidatorTrustsNothingElse(t *testing.T) {
	t.Parallel()
	const good = goodRewards
	evaluated := goodEvaluations(t)
	over := make(chan struct{})
	texts := map[string][2]string{"": {good, evaluated}}
	garbage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch place {
		case "silent":
			<-over
		case "drips":
			ticker := time.NewTicker(10 * time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case <-over:
					return
				case <-r.Context().Done():
					return
				case <-ticker.C:
					_, _ = w.Write([]byte(" "))
					_ = http.NewResponseController(w).Flush()
				}
			}
		case "cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good[:20]))
		case "teapot":
			http.Error(w, good, http.StatusTeapot)
		case "endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("["), 1<<16)); err != nil {
					return
				}
			}
		case "api":
			place, path = "", place+"/"+path
			fallthrough
		default:
			switch path {
			case "api/v1/rounds/latest/rewards":
				_, _ = w.Write([]byte(texts[place][0]))
			case "api/v1/rounds/r/evaluations":
				_, _ = w.Write([]byte(texts[place][1]))
			default:
				http.NotFound(w, r)
			}
		}
	}))
	t.Cleanup(garbage.Close)
	t.Cleanup(func() { close(over) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	_ = listener.Close()
	put := func(rewards, evaluations string) string {
		place := fmt.Sprint(len(texts))
		texts[place] = [2]string{rewards, evaluations}
		return garbage.URL + "/" + place
	}
	instead := func(old, now string) string { return put(strings.Replace(good, old, now, 1), evaluated) }
	otherwise := func(old, now string) string {
		if !strings.Contains(evaluated, old) {
			t.Errorf("the evaluations have no %s: %s", old, evaluated)
		}
		return put(good, strings.Replace(evaluated, old, now, 1))
	}
	cases := []struct {
		name, url, says string
		hangs           bool
	}{
		{"nobody listens", nobody, "refused", false},
		{"no URL", "nowhere", "unknown url type", false},
		{"silence", garbage.URL + "/silent", "TimeoutError", true},
		{"a byte at a time", garbage.URL + "/drips", "TimeoutError", true},
		{"a cut body", garbage.URL + "/cut", "JSON", false},
		{"another status", garbage.URL + "/teapot", "418", false},
		{"an endless body", garbage.URL + "/endless", "more than 4000000 bytes", false},
		{"no JSON", instead(good, "<html>"), "JSON", false},
		{"a list", instead(good, "[1]"), "list", false},
		{"null", instead(good, "null"), "None", false},
		{"no rewards", instead(`"rewards"`, `"reward"`), "rewards", false},
		{"rewards of another length", instead("0.4, 0.5, 0.1", "0.9, 0.1"), "do not match", false},
		{"hotkeys of another length", instead(`"h0", `, ``), "do not match", false},
		{"a uid twice", instead("[0, 1, 111]", "[0, 1, 1]"), "do not match", false},
		{"no uids", instead("[0, 1, 111]", "7"), "TypeError", false},
		{"a uid that is a text", instead("[0, 1, 111]", `[0, "1", 111]`), "unknown uids", false},
		{"a uid that is true", instead("[0, 1, 111]", `[0, true, 111]`), "unknown uids", false},
		{"not a number", instead("0.4", "NaN"), "NaN", false},
		{"infinite", instead("0.4", "Infinity"), "Infinity", false},
		{"too large for a number", instead("0.4", "1e999"), "1e999", false},
		{"nobody", put(`{"round": "r", "revision": 1, "due": "x", "uids": [], "hotkeys": [], "rewards": [], "untaken": 1, "age_seconds": 5,
			"complete": true, "shared_account": []}`, `{"round": "r", "revision": 1, "miners": []}`), "no reward for anybody", false},
		{"strangers alone", put(strings.NewReplacer(`"h0"`, `"x"`, `"h1"`, `"y"`, `"h111"`, `"z"`).Replace(good),
			strings.NewReplacer(`"hotkey":"h0"`, `"hotkey":"x"`, `"hotkey":"h1"`, `"hotkey":"y"`, `"hotkey":"h111"`, `"hotkey":"z"`).Replace(evaluated)),
			"no reward for anybody", false},
		{"a revision that is a text", instead(`"revision": 1`, `"revision": "1/../../x"`), "its revision is", false},
		{"penalised by a text", instead(`[1]}`, `["1"]}`), "penalised uids", false},
		{"negative", instead("0.4, 0.5", "1.4, -0.5"), "rewards that are none", false},
		{"true for 1", instead("0.4, 0.5, 0.1", "true, 0, 0"), "rewards that are none", false},
		{"a text", instead("0.4", `"0.4"`), "TypeError", false},
		{"too much in all", instead("0.4", "0.6"), "sum to 1.2", false},
		{"too little in all", instead("0.4", "0.3"), "sum to 0.9", false},
		{"no age", instead(`"age_seconds": 5, `, ""), "age_seconds", false},
		{"an age that is no number", instead(`: 5`, `: "5"`), "TypeError", false},
		{"complete by a text", instead(`true`, `"true"`), "incomplete", false},
		{"of no turn", instead(`"due": "2026-06-01T00:00:00Z", `, ""), "by hand", false},
		{"too little, and it says so", instead(`0.4, 0.5, 0.1], "untaken": 0`, `0.4, 0.5, 0], "untaken": 0.1`), "there to take it", false},
		{"less than what is said to be untaken", put(`{"round": "r", "revision": 1, "due": "x", "uids": [0, 1], "hotkeys": ["h0", "h1"],
			"rewards": [0.4, 0.4], "untaken": 0.1, "age_seconds": 5, "complete": true, "shared_account": []}`, evaluated), "sum to 0.8", false},
		{"too little, with nothing untaken", put(`{"round": "r", "revision": 1, "due": "x", "uids": [0, 1], "hotkeys": ["h0", "h1"],
			"rewards": [0.4, 0.5], "untaken": 0, "age_seconds": 5, "complete": true, "shared_account": []}`, evaluated), "sum to 0.9", false},
		{"untaken below nothing", instead(`"untaken": 0`, `"untaken": -0.1`), "rewards that are none", false},
		{"evaluations of another revision", otherwise(`"revision":1`, `"revision":2`), "not of one outcome", false},
		{"evaluations of other miners", otherwise(`"uid":111`, `"uid":112`), "not of one outcome", false},
		{"an evaluation that lacks a figure", otherwise(`"total_score"`, `"total"`), "total_score", false},
		{"a score that is none", otherwise(`"total_score":20`, `"total_score":NaN`), "NaN", false},
		{"a score that is a text", otherwise(`"total_score":20`, `"total_score":"20"`), "its total_score is '20'", false},
		{"a score that is true", otherwise(`"total_score":20`, `"total_score":true`), "its total_score is True", false},
		{"evaluations of another hotkey", otherwise(`"hotkey":"h1"`, `"hotkey":"h2"`), "not of the same miners", false},
		{"a miner twice", otherwise(`"miners":[`, `"miners":[{"uid":111},`), "not of the same miners", false},
		{"a state that is none", otherwise(`"MERGED"`, `"DRAFT"`), "DRAFT", false},
		{"an instant that is none", otherwise(`"2026-05-31T00:00:00Z"`, `"yesterday"`), "yesterday", false},
		{"no evaluations", put(good, "null"), "None", false},
	}
	calls := []call{{metagraph(), garbage.URL, nil, nil}}
	for _, c := range cases {
		next := call{metagraph(), c.url, nil, nil}
		if c.hangs {
			next.more = map[string]any{"timeout": 0.3}
		}
		calls = append(calls, next)
	}
	got := validator(t, calls...)
	if len(got[0].Result) != len(metagraph()) || got[0].Log != "" || !slices.Equal(got[0].Penalized, []int{1}) {
		t.Fatalf("as it should be: %+v, want a reward for each uid, and 1 penalised", got[0])
	}
	for i, c := range cases {
		if g := got[i+1]; g.Result != nil || !strings.Contains(g.Log, "score by yourself") || !strings.Contains(g.Log, c.says) {
			t.Errorf("%s: %v, log %q, want None and %q", c.name, g.Result, g.Log, c.says)
		}
	}
}

const goodRewards = `{"round": "r", "revision": 1, "due": "2026-06-01T00:00:00Z", "uids": [0, 1, 111], "hotkeys": ["h0", "h1", "h111"],
	"rewards": [0.4, 0.5, 0.1], "untaken": 0, "age_seconds": 5, "complete": true, "shared_account": [1]}`

// goodEvaluations are those of uids 0, 1 and 111, as the API has them.
func goodEvaluations(t *testing.T) string {
	t.Helper()
	pull := roundtest.Evaluated(job.Job{UID: 1}, "").Evaluation.Merged[0]
	miner := func(uid int) scoring.MinerOutcome {
		m := scoring.MinerOutcome{UID: uid, Hotkey: fmt.Sprintf("h%d", uid), GitHubID: "1", Failed: input.NoStoredToken}
		m.TotalScore = 20
		m.PullRequests = []scoring.PullRequestOutcome{{ScoredPullRequest: pull}}
		m.Repositories, m.ScoredIssues = []scoring.RepositoryOutcome{}, []scoring.ScoredIssue{}
		return m
	}
	data, err := json.Marshal(view.Evaluations{Round: "r", Revision: 1, Miners: []scoring.MinerOutcome{miner(0), miner(1), miner(111)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The steps of a validator's forward pass are replaced while there is a round to
// be trusted, do what they did when there is none, and are compared in shadow
// mode; what the validator keeps of an earlier round is renewed.
func TestTheStepsAreReplaced(t *testing.T) {
	t.Parallel()
	up := true
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.URL.Path == "/down":
			up = false
		case !up:
			http.NotFound(w, r)
		case strings.HasSuffix(r.URL.Path, "/rewards"):
			_, _ = w.Write([]byte(goodRewards))
		default:
			_, _ = w.Write([]byte(goodEvaluations(t)))
		}
	}))
	t.Cleanup(server.Close)
	program := standIns + fmt.Sprintf(`
import asyncio, json, logging, sys, urllib.request
logging.basicConfig(level=logging.INFO, format="%%(message)s", stream=sys.stdout)
sys.path.insert(0, %q)
sys.modules["numpy"] = types.SimpleNamespace(array=list)
import mirrorfleet_validator as v
done = []
class Cache:
    def evict_many(self, uids): done.append(["evict", sorted(uids)])
    def store(self, e): done.append(["store", e.uid])
    def update_issue_discovery(self, e): done.append(["issues", e.uid])
def steps():
    async def oss_contributions(*a): done.append("own"); return {0: "own"}, set(), {7}
    async def issue_discovery(*a, **k): done.append("own issues")
    return types.SimpleNamespace(oss_contributions=oss_contributions, issue_discovery=issue_discovery,
        build_maintainer_uids_by_repo=lambda *a: "own cut", blend_emission_pools=lambda *a: [0.5, 0.4, 0.1])
async def forward(f, validator):
    done.clear()
    evaluations, cached, penalized = await f.oss_contributions(validator, {0, 1, 111}, {}, {}, None)
    await f.issue_discovery(evaluations, {}, {}, None, evaluation_cache=None)
    cut = f.build_maintainer_uids_by_repo(evaluations, {}, {0, 1, 111})
    print(json.dumps([done, sorted(penalized), cut, f.blend_emission_pools(evaluations, {}, {0, 1, 111}, cut), len(evaluations)]))
hotkeys = [f"h{uid}" for uid in range(112)]
validator = types.SimpleNamespace(metagraph=types.SimpleNamespace(hotkeys=hotkeys), evaluation_cache=Cache())
asking = dict(classes=classes, url=%q)
f, shadow = steps(), steps()
v.install(f, shadow=False, **asking)
v.install(shadow, shadow=True, **asking)
asyncio.run(forward(f, validator))
asyncio.run(forward(shadow, validator))
urllib.request.urlopen(%[2]q + "/down")
asyncio.run(forward(f, validator))
validator.evaluation_cache = None
print(v.compare({0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.25, 7: 0.25}), v.compare({}, {}))
`, validatorFiles, server.URL)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", program)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "no_proxy=*")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		`[[["evict", [1]]], [1], {}, [0.4, 0.5, 0.1], 3]`,
		`[["own", "own issues"], [7], "own cut", [0.5, 0.4, 0.1], 1]`,
		"uid 0: own 0.500000, mirrorfleet 0.400000", "score by yourself", "0.25 0.0", "uid 7: own 0.000000, mirrorfleet 0.250000",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%s\ndoes not have %q", out, want)
		}
	}
	if n := strings.Count(string(out), `[["own", "own issues"], [7]`); n != 2 {
		t.Errorf("it scored by itself %d times, want in shadow mode and without a round", n)
	}
}
