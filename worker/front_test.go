package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// front stands before the simulated mirror. It knows each request's miner. It counts the
// request, and can hold it back or refuse it.
type front struct {
	*httptest.Server

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when holding changes
	counts  map[int]int
	order   []int // the miners in the order of their first requests
	held    map[int]bool
	refused map[int]bool
	closing bool
}

// everybody stands for all miners in hold and release.
const everybody = -1

// filesOf stands for the files of a miner's pull requests alone.
func filesOf(uid int) int { return -1000 - uid }

func newFront(tb testing.TB, target string) *front {
	tb.Helper()
	u := must.Get(url.Parse(target))(tb)
	f := &front{
		changed: make(chan struct{}), counts: map[int]int{}, held: map[int]bool{}, refused: map[int]bool{},
	}
	proxy := httputil.NewSingleHostReverseProxy(u)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uid := minerOf(r.URL.Path)
		if !f.pass(r, uid) {
			return
		}
		if f.refuses(uid) && strings.HasSuffix(r.URL.Path, "/pulls") {
			http.Error(w, `{"message":"no such miner"}`, http.StatusNotFound)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	tb.Cleanup(func() { f.letGo(); f.Close() })
	return f
}

// minerOf is the miner of a request, 0 for none. GitHub ids and numbers of pull requests
// are made of uids (see small).
func minerOf(path string) int {
	parts := strings.Split(path, "/")
	for i, part := range parts[:len(parts)-1] {
		n, err := strconv.Atoi(parts[i+1])
		if part == "miners" && err == nil {
			return n - 1000
		}
		if i > 1 && parts[i-2] == "pulls" && err == nil { // pulls/owner/repo/number
			return n / 100
		}
	}
	return 0
}

// pass counts a request, and holds it while its miner is held. It returns false if the
// client has gone.
func (f *front) pass(r *http.Request, uid int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts[uid]++; f.counts[uid] == 1 && uid != 0 {
		f.order = append(f.order, uid)
	}
	for f.holds(r, uid) {
		changed := f.changed
		f.mu.Unlock()
		select {
		case <-changed:
		case <-r.Context().Done():
			f.mu.Lock()
			return false
		}
		f.mu.Lock()
	}
	return true
}

// holds says whether a request must wait.
func (f *front) holds(r *http.Request, uid int) bool {
	files := strings.HasSuffix(r.URL.Path, "/files")
	return !f.closing && uid != 0 && (f.held[uid] || f.held[everybody] || files && f.held[filesOf(uid)])
}

func (f *front) refuses(uid int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.refused[uid]
}

// hold keeps a miner's requests unanswered until release.
func (f *front) hold(uid int) { f.set(uid, true) }

// release lets a miner's requests go. everybody releases only the requests that were held
// for everybody.
func (f *front) release(uids ...int) {
	for _, uid := range uids {
		f.set(uid, false)
	}
}

// refuse makes the mirror deny that it knows a miner's pull requests.
func (f *front) refuse(uid int, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[uid] = refused
}

// letGo lets everything go for good.
func (f *front) letGo() {
	f.mu.Lock()
	f.closing = true
	f.mu.Unlock()
	f.release(everybody)
}

func (f *front) set(uid int, held bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.held[uid] = held
	close(f.changed)
	f.changed = make(chan struct{})
}

// asked is how many requests were made for each miner.
func (f *front) asked() map[int]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

// begun are the miners in the order of their first requests.
func (f *front) begun() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int(nil), f.order...)
}

// perMiner is the number of requests of an undisturbed miner with n pull requests: its
// list, two look-ups of issues, and the files of each pull request.
func perMiner(pulls int) int { return 3 + pulls }

// small is a world of so many miners with uids from 1, each with so many pull requests,
// all of one repository.
func small(miners, pulls int) *mirrorsim.World {
	asOf := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	w := mirrorsim.NewWorld("small", asOf)
	w.Registry = []byte(`{"acme/widgets": {"emission_share": 0.5, "eligibility": {"min_valid_merged_prs": 1}}}`)
	for uid := 1; uid <= miners; uid++ {
		id := strconv.Itoa(1000 + uid)
		w.Miners = append(w.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprintf("h%d", uid), GitHubID: id, Token: input.TokenValid})
		for n := range pulls {
			addPull(w, id, uid*100+n)
		}
	}
	return w
}

// addPull gives a miner one merged pull request of one Go file.
func addPull(w *mirrorsim.World, id string, number int) {
	ended := w.AsOf.Add(-time.Duration(number%20+1) * time.Hour)
	sha := fmt.Sprintf("%040x", number)
	w.AddPull(id, mirrorsim.Pull{
		RepoFullName: "acme/widgets", Number: number, Title: "Add a widget", State: string(scoring.Merged),
		AuthorGitHubID: id, AuthorLogin: "m" + id, AuthorAssociation: new("CONTRIBUTOR"), CreatedAt: ended.Add(-time.Hour),
		MergedAt: &ended, ClosedAt: &ended, MergedByLogin: new("keeper"), HoursSinceMerge: new(w.AsOf.Sub(ended).Hours()),
		BaseRef: new("main"), DefaultBranch: new("main"), HeadRef: new("widget"), HeadRepoFullName: new("m" + id + "/fork"),
		HeadSHA: &sha, BaseSHA: &sha, MergeBaseSHA: &sha, CommitsCount: 1, ScoringDataStored: true,
		Labels: []json.RawMessage{}, LinkedIssues: []json.RawMessage{}, Additions: 6,
	})
	text := fmt.Sprintf("package widgets\n\n// Widget%d turns.\nfunc Widget%d(n int) int {\n\treturn n + %d\n}\n", number, number, number)
	w.AddFiles(mirrorsim.Files{
		RepoFullName: "acme/widgets", Number: number, HeadSHA: &sha, BaseSHA: &sha, MergeBaseSHA: &sha, ScoringDataStored: true,
		Files: []mirrorsim.File{{
			Filename: fmt.Sprintf("w%d.go", number), Status: "added", Additions: 6, Changes: 6, ByteSize: new(len(text)), HeadContent: &text,
		}},
	})
}
