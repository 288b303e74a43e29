package dashboard_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mirrorfleet/producer/dashboard"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/nettest"
	"mirrorfleet/shared/scoring"
	"mirrorfleet/shared/scoring/input"
)

// A round in which a miner's job failed: what it lacks, the failures in groups with their
// replays, and the same address with the healed round as another revision.
func TestARoundIsShownAfterwards(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.Incomplete(t, now)
	path := "/rounds/" + r.Round
	page := b.get(t, path)
	group := outcome.Groups([]outcome.Failed{{UID: 2, Class: job.Permanent, Error: r.DeadLetters[0].Error}})[0]
	has(t, page, http.StatusOK, "<title>Round "+r.Round, "incomplete", "The round is not complete", "1 job failed", "1 miner in 1 group",
		path+"/replay?like="+group.Key, `action="`+path+`/replay"`, `name="uids" value="2"`, path+`/replay"`, path+`/rescore"`, "Of the schedule",
		"Unsigned", `href="`+path+`/miners/1"`, "login1", `href="`+path+`/repositories/a/b"`, "no stored token",
		`href="/api/v1`+path+`/outcome?revision=1"`)
	if strings.Contains(page.Body, "data-live") || strings.Contains(page.Body, "what it changed") {
		t.Error("a concluded round of one revision has updates, or something to compare")
	}
	b.Sick.Store(0)
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("the replay did not end"))
	defer cancel()
	_, _, err := b.Runner(t).Replay(ctx, r.Round, outcome.Selection{})
	must.Do(t, err)
	has(t, b.get(t, path), http.StatusOK, "complete", "nothing is missing", "Revisions of the outcome", path+"/compare?from=1&amp;to=2", path+"?revision=1")
	first := b.get(t, path+"?revision=1")
	has(t, first, http.StatusOK, "revision 1 ·", "The round is not complete", `/miners/1?revision=1"`)
	if strings.Contains(first.Body, `name="uids"`) {
		t.Error("a former revision offers a replay of what has failed since")
	}
	for _, query := range []string{"", "?from=1&to=2"} {
		has(t, b.get(t, path+"/compare"+query), http.StatusOK, "Revision 2 against revision 1", "healed", `/miners/2?revision=2"`,
			`href="/api/v1`+path+`/compare?from=1&amp;to=2"`)
	}
	has(t, b.get(t, path+"/compare?from=2&to=2"), http.StatusOK, "No miner changed")
	has(t, b.get(t, "/rounds/latest"), http.StatusOK, "Round "+r.Round)
}

// A concluded round's page has the audit of what is stored of it. An audit is kept for
// minutes, and then made anew: one that finds damage is told at the top, and names it.
func TestTheAuditOfARound(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	b := setup(t, func(c *dashboard.Config) { c.Now = func() time.Time { return now.Add(time.Duration(later.Load())) } })
	b.Work(t)
	r := b.Concluded(t, now)
	path := "/rounds/" + r.Round
	has(t, b.get(t, path), http.StatusOK, ": 2 planned = 2 done &#43; 0 failed &#43; 0 outstanding.")
	record, _, err := b.Bus.Records.Load(t.Context(), r.Round, 1)
	must.Do(t, err)
	must.Get(b.Bus.Bucket(job.BucketEvaluation).Put(t.Context(), record.Evaluation, []byte(hostile)))(t)
	later.Store(int64(time.Minute))
	if page := b.get(t, path); strings.Contains(page.Body, "The audit does not hold") {
		t.Error("a minute later the audit is made anew, want the one of before for some minutes")
	}
	later.Store(int64(time.Hour))
	has(t, b.get(t, path), http.StatusOK, "The audit does not hold", "which does NOT hold", "miner 1: evaluation that is not the one of the outcome: ")
}

// A concluded round's pages show at once what was damaged or lost since they were shown last.
func TestAConcludedRoundIsShownAsItIsStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	r := b.Concluded(t, now)
	path := "/rounds/" + r.Round
	sound := b.get(t, path)
	has(t, sound, http.StatusOK, "The round is complete")
	if again := b.get(t, path); again.Body != sound.Body {
		t.Error("the page differs from the one of before, and nothing has changed")
	}
	has(t, b.get(t, "/"), http.StatusOK, "complete")
	_, js := jobstreamtest.Connect(t, b.NATS, nil)
	must.Get(b.Bus.Bucket(job.BucketRecords).PutString(t.Context(), job.RecordKey(r.Round, 1), "{"))(t)
	has(t, b.get(t, path), http.StatusOK, "its record cannot be read")
	jobstreamtest.Remove(t, js, job.BucketRecords, job.RecordKey(r.Round, 2))
	has(t, b.get(t, path), http.StatusOK, "its record cannot be read", "its record is gone")
	must.Get(b.Bus.Bucket(job.BucketRounds).PutString(t.Context(), job.OutcomeKey(r.Round, 1), "rubbish"))(t)
	has(t, b.get(t, path), http.StatusOK, "Its last outcome cannot be read")
	has(t, b.get(t, "/"), http.StatusOK, ">damaged<")
}

// Tables keep their state in the address, and what makes no sense there is refused.
func TestARoundsAddress(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	r := b.Concluded(t, now)
	path := "/rounds/" + r.Round
	sorted := b.get(t, path+"?sort=-reward&filter=login").Body
	if one, two := strings.Index(sorted, ">login1<"), strings.Index(sorted, ">login2<"); one < 0 || two < 0 || two > one {
		t.Errorf("by reward miner 2 is at %d and miner 1 at %d, want miner 2 first", two, one)
	}
	if strings.Contains(sorted, "no stored token") {
		t.Error("a miner is shown that does not pass the filter")
	}
	has(t, b.get(t, path+"?filter="+url.QueryEscape(hostile)), http.StatusOK, "No miner has")
	for address, status := range map[string]int{
		path + "?revision=0":                           http.StatusBadRequest,
		path + "?revision=" + url.QueryEscape(hostile): http.StatusBadRequest,
		path + "?revision=7":                           http.StatusNotFound,
		path + "?sort=nothing":                         http.StatusBadRequest,
		path + "?page=9":                               http.StatusBadRequest,
		path + "/compare":                              http.StatusNotFound, // there is one revision
		path + "/compare?from=x":                       http.StatusBadRequest,
		"/rounds/20260101t000000z-abcdef":              http.StatusNotFound,
		"/rounds/20260101t000000z-abcdef/compare":      http.StatusNotFound,
		"/rounds/" + url.PathEscape(hostile):           http.StatusNotFound,
	} {
		a := b.get(t, address)
		if has(t, a, status, "<h1>"); strings.Contains(a.Body, "panic") {
			t.Errorf("%s: %s", address, a.Body)
		}
	}
	has(t, b.get(t, "/rounds/20260101t000000z-abcdef"), http.StatusNotFound, r.Round) // it names those that there are
}

// A round on which nobody works says so, and how it goes on. One whose plan is damaged says
// that.
func TestARoundThatStandsStill(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.Plan(t, now)
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	has(t, b.get(t, "/rounds/"+m.Round), http.StatusOK, "stopped", "producer run --resume "+m.Round, "0 of 2")
	has(t, b.get(t, "/rounds/latest?revision=1"), http.StatusNotFound, "not concluded")
}

// miners256 is a round of 256 miners, really run.
func miners256(tb testing.TB, b *bundle) outcome.Result {
	tb.Helper()
	var list []string
	for uid := range 256 {
		list = append(list, fmt.Sprintf(`{"uid": %d, "hotkey": "5F%046d", "github_id": "%d"}`, uid, uid, 1000+uid))
	}
	m := b.PlanOf(tb, now, "["+strings.Join(list, ",")+"]")
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(tb.Context()), 2*time.Minute, errors.New("it did not end"))
	tb.Cleanup(cancel)
	return must.Get(b.Runner(tb).Start(ctx, m))(tb)
}

// The page of 256 miners takes at most 120 kB when it is compressed.
func TestTheSizeOfALargeRound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	r := miners256(t, b)
	a := nettest.Ask(t, http.MethodGet, b.url+"/rounds/"+r.Round, "", "Accept-Encoding", "gzip")
	if a.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("it is not compressed: %v", a.Header)
	}
	page := must.Get(io.ReadAll(must.Get(gzip.NewReader(strings.NewReader(a.Body)))(t)))(t)
	if rows := strings.Count(string(page), "/miners/"); rows < 256 {
		t.Errorf("the page has %d links to miners, want one for each of 256", rows)
	}
	t.Logf("%d bytes, %d compressed", len(page), len(a.Body))
	if len(a.Body) > 120_000 {
		t.Errorf("the page of 256 miners has %d bytes compressed, want 120,000 at most", len(a.Body))
	}
}

// The page of a round and that of its repositories count the same miners as paid: those that get
// something, also as maintainers, and not those whose score is paid with nothing.
func TestPaidMiners(t *testing.T) {
	t.Parallel()
	r := outcome.Result{Outcome: scoring.Outcome{Emission: []scoring.RepositoryEmission{{
		Repository:            "a/b",
		MaintainerRewards:     scoring.ByUID{3: 0.1, 6: 0.1},
		PRRewards:             scoring.ByUID{3: 0.2, 4: 0},
		IssueDiscoveryRewards: scoring.ByUID{5: 0.1},
	}}}}
	splits := view.SplitsOf(&r, input.Registry{Repositories: []input.Repository{{Name: "a/b"}}})
	if got := dashboard.PaidMiners(&r.Outcome); len(got) != 1 || got[0] != 3 || splits[0].Miners != 3 {
		t.Errorf("the pages say %v and %d, want 3: miners 3, 5 and 6", got, splits[0].Miners)
	}
}
