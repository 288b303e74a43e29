package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
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

// validator runs the snippet as a validator does: it prints what rewards
// returns. It is given the metagraph's hotkeys and further arguments as Python.
func validator(t *testing.T, hotkeys map[int]string, url, more string) (result map[string]float64, log string) {
	t.Helper()
	// What python3 reads is read here too, so that go test knows that it has changed.
	if _, err := os.ReadFile(validatorFiles + "mirrorfleet_rewards.py"); err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(hotkeys)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(more, "timeout") {
		more += ", timeout=60" // a busy machine needs more than a validator's
	}
	program := fmt.Sprintf(`
import json, logging, sys
logging.basicConfig()
sys.path.insert(0, %q)
from mirrorfleet_rewards import rewards
hotkeys = {int(uid): key for uid, key in json.loads(%q).items()}
print(json.dumps(rewards(hotkeys, url=%q%s)))
`, validatorFiles, keys, url, more)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // for a hang, not a measure
	defer cancel()
	cmd := exec.CommandContext(ctx, "python3", "-c", program)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "no_proxy=*")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("this test needs python3: %v\n%s", err, stderr.String())
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return result, stderr.String()
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
	url := latest(time.Hour)
	if got, log := validator(t, metagraph(), url, ""); got != nil || !strings.Contains(log, "404") {
		t.Errorf("before any round: %v, log %q, want None and the 404", got, log)
	}
	result := b.concluded(t, now)
	want := map[string]float64{}
	for _, r := range result.Outcome.Rewards {
		want[fmt.Sprint(r.UID)] = r.Reward
	}
	got, log := validator(t, metagraph(), url, "")
	if diff := cmp.Diff(want, got); diff != "" || log != "" || got["2"] <= 0 {
		t.Errorf("rewards (-outcome +validator):\n%s\nlog %q, want none", diff, log)
	}

	moved := metagraph()
	moved[2] = "another miner's"
	want["2"] = 0
	if got, log := validator(t, moved, url, ""); !cmp.Equal(want, got) || log != "" {
		t.Errorf("a hotkey has changed: %v, %s, want %v", got, log, want)
	}
	unknown := metagraph()
	delete(unknown, 2)
	if got, log := validator(t, unknown, url, ""); got != nil || !strings.Contains(log, "unknown uids") {
		t.Errorf("a uid that is not there: %v, log %q, want None", got, log)
	}
	for _, age := range []time.Duration{3*time.Hour + time.Second, -2 * time.Minute} {
		if got, log := validator(t, metagraph(), latest(age), ""); got != nil || !strings.Contains(log, "s old") {
			t.Errorf("as_of %s ago: %v, log %q, want None", age, got, log)
		}
	}
	if got, _ := validator(t, metagraph(), latest(5*time.Hour), ", max_age=6 * 3600"); len(got) != 5 {
		t.Errorf("5 hours old of 6: %v, want the rewards", got)
	}

	b.sick.Store(1)
	b.concluded(t, now.Add(2*time.Hour))
	url = latest(time.Hour)
	if got, log := validator(t, metagraph(), url, ""); got != nil || !strings.Contains(log, "incomplete") {
		t.Errorf("an incomplete round: %v, log %q, want None", got, log)
	}
	if got, log := validator(t, metagraph(), url, ", incomplete_too=True"); len(got) != 5 || got["2"] <= 0 || log != "" {
		t.Errorf("an incomplete round that is taken too: %v, log %q, want its rewards", got, log)
	}
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
	if got, log := validator(t, metagraph(), garbage.URL, ""); len(got) != 3 || log != "" {
		t.Fatalf("as it should be: %v, log %q, want three rewards", got, log)
	}
	for _, c := range []struct {
		name, url, says string
		hangs           bool
	}{
		{"nobody listens", nobody, "refused", false},
		{"no URL", "rewards", "unknown url type", false},
		{"silence", garbage.URL + "/silent", "no answer within", true},
		{"a byte at a time", garbage.URL + "/drips", "no answer within", true},
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
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			more := ""
			if c.hangs {
				more = ", timeout=0.5"
			}
			got, log := validator(t, metagraph(), c.url, more)
			if got != nil || !strings.Contains(log, "score by yourself") || !strings.Contains(log, c.says) {
				t.Errorf("%v, log %q, want None and %q", got, log, c.says)
			}
		})
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
