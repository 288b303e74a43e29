package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/web"
)

const validatorFiles = "../../deploy/validator/"

// The page shows the files as they are.
func TestTheValidatorsPageShowsItsFiles(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/validator.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mirrorfleet_rewards.py", "mirrorfleet_shadow.py"} {
		text, err := os.ReadFile(validatorFiles + name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "```python\n"+string(text)+"```\n") {
			t.Errorf("docs/validator.md does not show %s as it is", name)
		}
	}
}

// call is one call of the snippet, as a validator makes it.
type call struct {
	hotkeys map[int]string // the metagraph's
	url     string
	more    map[string]any // further arguments
}

// called is what it returned, and what it logged.
type called struct {
	Result map[string]float64 `json:"result"`
	Log    string             `json:"log"`
}

// validator makes these calls, one after the other, in one process.
func validator(t *testing.T, calls ...call) []called {
	t.Helper()
	// What python3 reads is read here too, so that go test knows that it has changed.
	if _, err := os.ReadFile(validatorFiles + "mirrorfleet_rewards.py"); err != nil {
		t.Fatal(err)
	}
	type asked struct {
		Hotkeys map[int]string `json:"hotkeys"`
		URL     string         `json:"url"`
		More    map[string]any `json:"more"`
	}
	var all []asked
	for _, c := range calls {
		more := map[string]any{"timeout": 60} // a busy machine needs more than a validator's
		maps.Copy(more, c.more)
		all = append(all, asked{c.hotkeys, c.url, more})
	}
	input, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for a hang, not a measure
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", fmt.Sprintf(`
import io, json, logging, sys
sys.path.insert(0, %q)
from mirrorfleet_rewards import rewards
done = []
for call in json.load(sys.stdin):
    log = io.StringIO()
    logging.basicConfig(stream=log, force=True)
    hotkeys = {int(uid): key for uid, key in call["hotkeys"].items()}
    result = rewards(hotkeys, url=call["url"], **call["more"])
    done.append({"result": result, "log": log.getvalue()})
print(json.dumps(done))
`, validatorFiles))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "no_proxy=*")
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
	b.work(t)
	latest := func(age time.Duration) string {
		t.Helper()
		b.serve(t, func(c *web.Config) { c.Now = func() time.Time { return asOf.Add(age) } })
		return b.url + "/api/v1/rounds/latest/rewards"
	}
	hold := func(name string, got called, want map[string]float64, says string) {
		t.Helper()
		if !cmp.Equal(want, got.Result) || !strings.Contains(got.Log, says) || says == "" && got.Log != "" {
			t.Errorf("%s: %v, log %q, want %v and %q", name, got.Result, got.Log, want, says)
		}
	}
	url := latest(time.Hour)
	hold("before any round", validator(t, call{metagraph(), url, nil})[0], nil, "404")

	result := b.concluded(t, now)
	want := map[string]float64{}
	for _, r := range result.Outcome.Rewards {
		want[fmt.Sprint(r.UID)] = r.Reward
	}
	if want["2"] <= 0 {
		t.Fatalf("rewards %v, want one for miner 2", want)
	}
	moved, unknown := metagraph(), metagraph()
	moved[2] = "another miner's"
	delete(unknown, 2)
	wantMoved := maps.Clone(want)
	wantMoved["2"] = 0
	got := validator(t,
		call{metagraph(), url, nil}, call{moved, url, nil}, call{unknown, url, nil},
		call{metagraph(), latest(3*time.Hour + time.Second), nil}, call{metagraph(), latest(-2 * time.Minute), nil},
		call{metagraph(), latest(5 * time.Hour), map[string]any{"max_age": 6 * 3600}})
	hold("as it is", got[0], want, "")
	hold("a hotkey has changed", got[1], wantMoved, "")
	hold("a uid that is not there", got[2], nil, "unknown uids")
	hold("old", got[3], nil, "10801 s old")
	hold("from the future", got[4], nil, "-120 s old")
	hold("5 hours old of 6", got[5], want, "")

	b.sick.Store(1)
	result = b.concluded(t, now.Add(2*time.Hour))
	clear(want)
	for _, r := range result.Outcome.Rewards {
		want[fmt.Sprint(r.UID)] = r.Reward
	}
	got = validator(t, call{metagraph(), url, nil}, call{metagraph(), url, map[string]any{"incomplete_too": true}})
	hold("incomplete", got[0], nil, "incomplete")
	hold("incomplete, and taken too", got[1], want, "")
}

// Whatever answers in the API's place, or does not, the snippet says None, in
// its time, and why.
func TestAValidatorTrustsNothingElse(t *testing.T) {
	t.Parallel()
	const good = `{"uids": [0, 1, 111], "hotkeys": ["h0", "h1", "h111"], "rewards": [0.4, 0.5, 0.1], "age_seconds": 5, "complete": true}`
	over := make(chan struct{})
	garbage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
			<-over
		case "/drips":
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
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(good[:20]))
		case "/teapot":
			http.Error(w, good, http.StatusTeapot)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte("["), 1<<16)); err != nil {
					return
				}
			}
		default:
			text := good
			if old := r.URL.Query().Get("old"); old != "" {
				text = strings.Replace(good, old, r.URL.Query().Get("new"), 1)
			}
			_, _ = w.Write([]byte(text))
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
	instead := func(old, now string) string {
		r, _ := http.NewRequest(http.MethodGet, garbage.URL+"/", nil)
		query := r.URL.Query()
		query.Set("old", old)
		query.Set("new", now)
		r.URL.RawQuery = query.Encode()
		return r.URL.String()
	}
	cases := []struct {
		name, url, says string
		hangs           bool
	}{
		{"nobody listens", nobody, "refused", false},
		{"no URL", "rewards", "unknown url type", false},
		{"silence", garbage.URL + "/silent", "TimeoutError", true},
		{"a byte at a time", garbage.URL + "/drips", "TimeoutError", true},
		{"a cut body", garbage.URL + "/cut", "JSON", false},
		{"another status", garbage.URL + "/teapot", "418", false},
		{"an endless body", garbage.URL + "/endless", "", false},
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
		{"not a number", instead("0.4", "NaN"), "rewards that are none", false},
		{"infinite", instead("0.4", "Infinity"), "rewards that are none", false},
		{"negative", instead("0.4, 0.5", "1.4, -0.5"), "rewards that are none", false},
		{"true for 1", instead("0.4, 0.5, 0.1", "true, 0, 0"), "rewards that are none", false},
		{"a text", instead("0.4", `"0.4"`), "TypeError", false},
		{"too much in all", instead("0.4", "0.6"), "sum to 1.2", false},
		{"too little in all", instead("0.4", "0.3"), "sum to 0.9", false},
		{"no age", instead(`"age_seconds": 5, `, ""), "age_seconds", false},
		{"an age that is no number", instead(`: 5`, `: NaN`), "nan s old", false},
		{"complete by a text", instead(`true`, `"true"`), "incomplete", false},
	}
	calls := []call{{metagraph(), garbage.URL, nil}}
	for _, c := range cases {
		next := call{metagraph(), c.url, nil}
		if c.hangs {
			next.more = map[string]any{"timeout": 0.3}
		}
		calls = append(calls, next)
	}
	got := validator(t, calls...)
	if len(got[0].Result) != 3 || got[0].Log != "" {
		t.Fatalf("as it should be: %+v, want three rewards", got[0])
	}
	for i, c := range cases {
		if g := got[i+1]; g.Result != nil || !strings.Contains(g.Log, "score by yourself") || !strings.Contains(g.Log, c.says) {
			t.Errorf("%s: %v, log %q, want None and %q", c.name, g.Result, g.Log, c.says)
		}
	}
}

// The comparison of the shadow mode finds the uid that differs most.
func TestShadowMode(t *testing.T) {
	t.Parallel()
	program := fmt.Sprintf(`
import logging, sys
logging.basicConfig(level=logging.INFO, format="%%(message)s")
sys.path.insert(0, %q)
from mirrorfleet_shadow import compare
print(compare({0: 0.5, 1: 0.5}, {0: 0.5, 1: 0.25, 7: 0.25}), compare({0: 1.0}, None), compare({}, {}))
`, validatorFiles)
	cmd := exec.CommandContext(t.Context(), "python3", "-c", program)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0.25 None 0.0") || !strings.Contains(string(out), "uid 7: own 0.000000, mirrorfleet 0.250000") {
		t.Errorf("%v: %s", err, out)
	}
}
