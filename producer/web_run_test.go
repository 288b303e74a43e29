package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
)

// A local round with --web serves dashboard and API while it runs and after its end. Orders
// take the token of the state directory, which appears nowhere, and are carried out after the
// round, too: a miner is scored again. The exit code is the round's.
func TestARoundWithTheDashboard(t *testing.T) {
	t.Parallel()
	state, w := filepath.Join(t.TempDir(), "state"), watch("api-token")
	r := beginWatched(t, w, "producer", "run", "--local", "--workers", "1", "--state", state, "--world", "case:"+settledCase,
		"--limit-requests", "1000", "--web", "127.0.0.1:0")
	<-w.seen
	_, after, _ := strings.Cut(w.String(), "dashboard: ")
	url, _, _ := strings.Cut(after, "/\n")
	file := filepath.Join(state, "api-token")
	token := strings.TrimSpace(string(must.Get(os.ReadFile(file))(t)))
	if info := must.Get(os.Stat(file))(t); info.Mode().Perm() != 0o600 || len(token) != 64 {
		t.Errorf("the token's file has mode %v and %d characters, want 0600 and 64", info.Mode(), len(token))
	}
	if page := nettest.Ask(t, http.MethodGet, url+"/", ""); page.Status != http.StatusOK || !strings.Contains(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the dashboard answers %d, %v", page.Status, page.Header)
	}
	if other := beginWatched(t, nil, "producer", "run", "--local", "--state", filepath.Join(t.TempDir(), "s"), "--world", "case:"+settledCase,
		"--web", strings.TrimPrefix(url, "http://")).end(t); other.code != 2 || !strings.Contains(other.stderr, "--web: listening on") {
		t.Errorf("another one on the same address: exit %d, %s", other.code, other.stderr)
	}
	until(t, "the round has ended", func() bool { return strings.Contains(w.String(), "The dashboard stays up at "+url+"/ until Ctrl-C") })
	var list view.List
	must.Do(t, json.Unmarshal([]byte(nettest.Ask(t, http.MethodGet, url+"/api/v1/rounds", "").Body), &list))
	round := url + "/api/v1/rounds/" + list.Rounds[0].Round
	if got := nettest.Ask(t, http.MethodPost, round+"/rescore", `{"uids": [1]}`); got.Status != http.StatusUnauthorized {
		t.Errorf("without the token: %d %s", got.Status, got.Body)
	}
	var rewards view.Rewards
	must.Do(t, json.Unmarshal([]byte(nettest.Ask(t, http.MethodGet, round+"/rewards", "").Body), &rewards))
	begun := slices.ContainsFunc(rewards.UIDs, func(uid int) bool { // some have no job
		body := fmt.Sprintf(`{"uids": [%d]}`, uid)
		return nettest.Ask(t, http.MethodPost, round+"/rescore", body, "Authorization", "Bearer "+token).Status == http.StatusAccepted
	})
	if !begun {
		t.Fatalf("no miner of %v is scored again", rewards.UIDs)
	}
	until(t, "it is scored again", func() bool {
		return strings.Contains(nettest.Ask(t, http.MethodGet, round, "").Body, `"replay":{"state":"ended"`)
	})
	must.Do(t, r.Process.Signal(syscall.SIGINT))
	e := r.end(t)
	if e.code != 0 || strings.Contains(e.stdout+e.stderr, token) || !strings.Contains(e.stderr, `"order":"rescore","token":"api","from":"127.0.0.1"`) {
		t.Errorf("exit %d, want 0, the order in the log and no token\n%s\n%s", e.code, e.stdout, e.stderr)
	}
}
