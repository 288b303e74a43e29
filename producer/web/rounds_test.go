package web_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring"
)

// A round that was really run, as the API tells it: the vector, the miner with
// its reasons and the round are those of the outcome, and whoever has an answer
// already is told so.
func TestARoundIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	result := b.Concluded(t, now)
	open := b.Plan(t, now.Add(2*time.Hour)) // planned later, not concluded
	if err := b.Bus.Rounds.CreateManifest(t.Context(), open); err != nil {
		t.Fatal(err)
	}

	got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", "")
	rewards := into[view.Rewards](t, got)
	want := view.Rewards{
		PlannedRules: scoring.RulesVersion,
		Round:        result.Round, Revision: 1, AsOf: asOf, AgeSeconds: 3600, Due: &now, Complete: true, Mirror: b.Mirror, Sum: result.Outcome.Sum,
		UIDs: []int{0, 1, 2, 3, 111}, Hotkeys: []string{"h0", "h1", "h2", "h3", "h111"}, Rewards: rewardsOf(result.Outcome.Rewards),
		Dead: []int{}, Degraded: []int{}, UnknownIdentities: []int{}, FailedLookUps: []string{}, Damaged: []string{},
		FromStored: []int{}, SharedAccount: []int{},
	}
	if diff := cmp.Diff(want, rewards); diff != "" || rewards.Sum < 1-1e-9 || rewards.Sum > 1+1e-9 || rewards.Rewards[2] <= rewards.Rewards[1] {
		t.Errorf("sum %v, rewards (-want +got):\n%s", rewards.Sum, diff)
	}
	tag := got.header.Get("ETag")
	again := b.ask(t, http.MethodGet, "/api/v1/rounds/"+result.Round+"/rewards?revision=1", "", "If-None-Match", `"other", `+tag)
	if again.status != http.StatusNotModified || again.body != "" || again.header.Get("ETag") != tag {
		t.Errorf("asked with the tag %q: %d %q with tag %q, want 304 and nothing", tag, again.status, again.body, again.header.Get("ETag"))
	}
	if head := b.ask(t, http.MethodHead, "/api/v1/rounds/latest/rewards", ""); head.status != 200 || head.body != "" || head.header.Get("ETag") != tag {
		t.Errorf("HEAD: %d %q with tag %q, want 200, nothing and %q", head.status, head.body, head.header.Get("ETag"), tag)
	}

	miner := into[view.Miner](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/miners/2", ""))
	told, err := view.MinerOf(t.Context(), b.Bus, result, &result.Outcome.Miners[2])
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(jsonOf(t, told), jsonOf(t, miner)) {
		t.Errorf("miner (-outcome +told):\n%s", cmp.Diff(jsonOf(t, told), jsonOf(t, miner)))
	}
	if len(miner.Outcome.PullRequests) != 1 || miner.Rewards.Reward != rewards.Rewards[2] {
		t.Errorf("miner 2 has %d pull requests and a reward of %v, want 1 and %v", len(miner.Outcome.PullRequests), miner.Rewards.Reward, rewards.Rewards[2])
	}

	for _, uid := range rewards.UIDs { // those that a rule fails, too
		path := fmt.Sprintf("/api/v1/rounds/latest/miners/%d", uid)
		if got := into[view.Miner](t, b.ask(t, http.MethodGet, path, "")); got.UID != uid || got.Outcome.UID != uid {
			t.Errorf("%s is about %d and %d", path, got.UID, got.Outcome.UID)
		}
	}

	first := b.ask(t, http.MethodGet, "/api/v1/rounds/latest", "")
	standing := into[view.Round](t, first)
	if standing.Round != result.Round || standing.Planned != 2 || standing.Done != 2 || standing.Outstanding != 0 || !standing.Complete ||
		!slices.Equal(standing.Revisions, []int{1}) {
		t.Errorf("latest: %+v, want round %s, complete, 2 of 2 done", standing, result.Round)
	}
	if again := b.ask(t, http.MethodGet, "/api/v1/rounds/latest", "", "If-None-Match", first.header.Get("ETag")); again.status != http.StatusNotModified {
		t.Errorf("the round asked with its tag: %d, want 304", again.status)
	}
	running := into[view.Round](t, b.ask(t, http.MethodGet, "/api/v1/rounds/"+open.Round, ""))
	if running.Revision != 0 || running.Outstanding != 2 || running.Planned != 2 {
		t.Errorf("not begun: %+v, want no revision and 2 outstanding", running)
	}
	page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", ""))
	if len(page.Rounds) != 2 {
		t.Fatalf("rounds: %+v, want two", page.Rounds)
	}
	if at := page.Rounds[1].ConcludedAt; at == nil || page.Rounds[1].Seconds == nil {
		t.Errorf("the concluded round: %+v, want when it was", page.Rounds[1])
	}
	page.Rounds[1].ConcludedAt, page.Rounds[1].Seconds = nil, nil
	listed := []view.Summary{
		{Round: open.Round, AsOf: asOf, PlannedAt: open.PlannedAt.UTC(), State: view.Stopped, Planned: 2, Outstanding: 2},
		{Round: result.Round, AsOf: asOf, PlannedAt: page.Rounds[1].PlannedAt, State: view.Concluded, Revision: 1, Complete: true, Planned: 2, Done: 2, Requests: 1, Due: &now},
	}
	if diff := cmp.Diff(listed, page.Rounds); diff != "" {
		t.Errorf("rounds (-want +got):\n%s", diff)
	}
}

func rewardsOf(list []scoring.Reward) []float64 {
	all := make([]float64, len(list))
	for i := range list {
		all[i] = list[i].Reward
	}
	return all
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Page after page gives every round once, the newest first, also when rounds
// are planned meanwhile.
func TestPagesOfRounds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var want []string
	add := func(day int) string {
		t.Helper()
		m := b.Plan(t, asOf.AddDate(0, 0, day))
		if err := b.Bus.Rounds.CreateManifest(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		return m.Round
	}
	if page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", "")); page.Rounds == nil || len(page.Rounds) != 0 || page.Cursor != "" {
		t.Errorf("no rounds: %+v, want an empty list", page)
	}
	for day := range 5 {
		want = append(want, add(day))
	}
	slices.Reverse(want)
	var got []string
	path := "/api/v1/rounds?limit=2"
	for pages := range 4 {
		page := into[view.List](t, b.ask(t, http.MethodGet, path, ""))
		for _, r := range page.Rounds {
			got = append(got, r.Round)
		}
		if left := len(want) - len(got); page.Earlier != left {
			t.Errorf("%d rounds are said to be earlier, want %d", page.Earlier, left)
		}
		if page.Cursor == "" {
			break
		}
		add(10 + pages)
		path = "/api/v1/rounds?limit=2&cursor=" + page.Cursor
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rounds of all pages (-want +got):\n%s", diff)
	}
}

// The latest round is found by the outcomes' heads: a manifest that is not needed
// may be damaged, and an outcome that is damaged is passed over and logged once.
func TestTheLatestIsFoundPastDamage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Work(t)
	want := b.Concluded(t, now).Round
	for name, outcome := range map[string]string{"99990101t000000z-000001": `{"version": 1}`, "99990101t000000z-000002": "{"} {
		must.Get(b.Bus.Bucket(job.BucketRounds).Put(t.Context(), job.ManifestKey(name), []byte("{")))(t)
		must.Do(t, b.Bus.Outcomes.Put(t.Context(), name, 1, []byte(outcome)))
	}
	for range 2 {
		got := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", "")
		if got.status != http.StatusOK || into[view.Rewards](t, got).Round != want {
			t.Fatalf("%d %s, want round %s", got.status, got.body, want)
		}
	}
	if n := strings.Count(b.Log.String(), "cannot be read and is passed over"); n != 1 {
		t.Errorf("it was logged %d times, want once: %s", n, b.Log.String())
	}
}

// A damaged round is named in the list and costs no other one: it failed them all.
func TestADamagedRoundIsListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	plan, manifest := b.Plan(t, asOf), b.Plan(t, asOf.AddDate(0, 0, 1))
	for _, m := range []job.Manifest{plan, manifest} {
		must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), m))
	}
	for _, key := range []string{job.ManifestKey(manifest.Round), job.ReplayKey(plan.Round, 1)} {
		must.Get(b.Bus.Bucket(job.BucketRounds).Put(t.Context(), key, []byte("{")))(t)
	}
	page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", ""))
	want := []view.Summary{
		{Round: manifest.Round, State: view.Damaged},
		{Round: plan.Round, AsOf: asOf, PlannedAt: plan.PlannedAt.UTC(), State: view.Stopped, Planned: 2, Outstanding: 2},
	}
	if diff := cmp.Diff(want, page.Rounds); diff != "" {
		t.Errorf("rounds (-want +got):\n%s", diff)
	}
}

// A round that has lost its manifest, or whose outcome cannot be read, was in no list
// or failed it: it is named, with what is known of it.
func TestALostRoundIsListed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lost, unreadable := b.Plan(t, asOf), b.Plan(t, asOf.AddDate(0, 0, 1))
	must.Get(b.Bus.Records.Plan(t.Context(), job.Plan(lost.Round, 1, "")))(t)
	must.Do(t, b.Bus.Rounds.CreateManifest(t.Context(), unreadable))
	must.Do(t, b.Bus.Outcomes.Put(t.Context(), unreadable.Round, 1, []byte("{")))
	for _, rubbish := range []string{"x.y.z", "x.manifests"} {
		must.Get(b.Bus.Bucket(job.BucketRounds).PutString(t.Context(), rubbish, "{"))(t)
	}
	page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", ""))
	want := []view.Summary{
		{Round: unreadable.Round, AsOf: unreadable.AsOf, PlannedAt: unreadable.PlannedAt.UTC(), State: view.Damaged, Revision: 1, Planned: 2, Outstanding: 2},
		{Round: lost.Round, State: view.Damaged},
	}
	if diff := cmp.Diff(want, page.Rounds); diff != "" {
		t.Errorf("rounds (-want +got):\n%s", diff)
	}
	got := b.ask(t, http.MethodGet, "/api/v1/rounds/"+lost.Round, "")
	if got.status != http.StatusNotFound || !strings.Contains(got.body, "but parts of one: ") {
		t.Errorf("the lost round: %d %s; want 404, with what parts of it there are", got.status, got.body)
	}
}

// The bucket is what `producer limit --json` prints of an egress, once there is one.
func TestTheLimitIsTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if got := b.ask(t, http.MethodGet, "/api/v1/limit", ""); got.status != http.StatusNotFound || !strings.Contains(got.body, "no-bucket") {
		t.Errorf("before anybody asked for a permit: %d %s, want 404", got.status, got.body)
	}
	if _, err := b.Client.Maintainers(t.Context(), "a/b"); err != nil {
		t.Fatal(err)
	}
	bucket := into[view.Bucket](t, b.ask(t, http.MethodGet, "/api/v1/limit", ""))
	if bucket.Egress != "default" || bucket.Limit != 1_000_000 || bucket.Granted != 1 {
		t.Errorf("%+v, want the egress's own figures and one permit", bucket)
	}
	stranger, err := ratelimit.New(ratelimit.Config{Egress: "stranger", Limit: 1_000_000, Horizon: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}, b.Redis)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { must.Check(t, stranger.Close()) })
	if _, err := stranger.Permit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := into[view.Bucket](t, b.ask(t, http.MethodGet, "/api/v1/limit", "")); got.Undeclared != nil {
		t.Errorf("undeclared %v, want none while nobody has declared any", got.Undeclared)
	}
	if err := b.Bus.Egresses.Set(t.Context(), job.Egresses{Names: []string{"default"}}, 0); err != nil {
		t.Fatal(err)
	}
	if got := into[view.Bucket](t, b.ask(t, http.MethodGet, "/api/v1/limit", "")); !slices.Equal(got.Undeclared, []string{"stranger"}) {
		t.Errorf("undeclared %v, want the stranger", got.Undeclared)
	}
}

// What a round lacks is told beside its rewards, and a replay makes another
// revision under another tag.
func TestAnIncompleteRoundIsTold(t *testing.T) {
	t.Parallel()
	b, result := withADeadMiner(t)
	before := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", "")
	if got := into[view.Rewards](t, before); got.Complete || !slices.Equal(got.Dead, []int{2}) {
		t.Errorf("complete %v, dead %v, want an incomplete one without 2", got.Complete, got.Dead)
	}
	standing := into[view.Round](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest", ""))
	if len(standing.Failures) != 1 || standing.Failures[0].UID != 2 || standing.Failures[0].Class != job.Permanent || standing.Failed != 1 {
		t.Errorf("failures %+v, want miner 2, permanent", standing.Failures)
	}
	dead := into[view.Miner](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/miners/2", ""))
	if len(dead.DeadLetters) != 1 || !strings.Contains(dead.DeadLetters[0].Error, "404") {
		t.Errorf("dead letters of miner 2: %+v, want one with its reason", dead.DeadLetters)
	}

	b.Sick.Store(0)
	started := b.ask(t, http.MethodPost, "/api/v1/rounds/latest/replay", `{"uids": [2]}`, "Authorization", "Bearer "+token)
	if look := "/api/v1/rounds/" + result.Round; started.status != http.StatusAccepted || started.header.Get("Location") != look {
		t.Fatalf("replay: %d %s, want 202 with %s", started.status, started.body, look)
	}
	b.awaitReplay(t, result.Round, "ended")
	after := b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards", "", "If-None-Match", before.header.Get("ETag"))
	got := into[view.Rewards](t, after)
	if after.status != http.StatusOK || got.Revision != 2 || !got.Complete || len(got.Dead) != 0 {
		t.Errorf("after the replay: %d, revision %d, complete %v, dead %v, want revision 2, complete", after.status, got.Revision, got.Complete, got.Dead)
	}
	former := into[view.Rewards](t, b.ask(t, http.MethodGet, "/api/v1/rounds/latest/rewards?revision=1", ""))
	if former.Revision != 1 || former.Complete {
		t.Errorf("revision 1: %+v, want the former outcome", former)
	}
	page := into[view.List](t, b.ask(t, http.MethodGet, "/api/v1/rounds", ""))
	if len(page.Rounds) != 1 || page.Rounds[0].Revision != 2 || !page.Rounds[0].Complete {
		t.Errorf("rounds: %+v, want the one with its second revision", page.Rounds)
	}
}

// replayedRound is what a round says of the replay that the API started.
type replayedRound struct {
	Replay struct {
		State    string `json:"state"`
		UIDs     []int  `json:"uids"`
		Revision int    `json:"revision"`
		Error    string `json:"error"`
	} `json:"replay"`
}

// awaitReplay looks at a round, as whoever started a replay would, until the
// replay is in that state.
func (b *bundle) awaitReplay(t *testing.T, name, state string) replayedRound {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	ctx := roundtest.Deadline(t)
	for {
		got := into[replayedRound](t, b.ask(t, http.MethodGet, "/api/v1/rounds/"+name, ""))
		if got.Replay.State == state {
			return got
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("the replay is %+v, want it %s", got.Replay, fmt.Sprintf("%q", state))
		}
	}
}
