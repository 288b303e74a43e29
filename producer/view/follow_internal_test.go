package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/doing"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/scoring/input"
)

var followed = time.Date(2026, 6, 18, 18, 54, 10, 0, time.UTC)

// followedRound is a round of the miners 1 to 3 that a test follows without NATS.
func followedRound() *Follow {
	m := job.Manifest{Round: "r1"}
	for uid := 1; uid <= 3; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(100 + uid)})
	}
	f := following(m, followed)
	f.Watch = NewWatch("r1", nil, nil)
	f.roll.Now = followed
	return f
}

// events are what a look at an instant tells.
func (f *Follow) events(t *testing.T, now time.Time) (told []Event) {
	t.Helper()
	if err := f.tell(now, func(e Event) error { told = append(told, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return told
}

// changes are records that have changed, one after the other, up to a sequence.
func changes(at uint64, records ...job.Record) (changed []jobstream.Changed) {
	for i, r := range records {
		changed = append(changed, jobstream.Changed{Record: r, Sequence: at - uint64(len(records)-1-i)})
	}
	return changed
}

func claimed(uid, attempt int) job.Record {
	return job.Record{Round: "r1", UID: uid, Phase: job.Running, Deliveries: attempt, Claim: &job.Claim{Worker: "w1"}}
}

// Each look tells what has changed since the last one, and nothing else: the miners whose
// jobs have changed, in the order of the changes, and then the counts. Each event has the
// sequence up to which whoever has it has all changes.
func TestALookTellsWhatHasChanged(t *testing.T) {
	t.Parallel()
	f := followedRound()
	miner := func(at uint64, m MinerNow) Event {
		return Event{ID: at, At: followed, Type: EventMiner, Miner: &m}
	}
	counts := func(at uint64, p RoundProgress) Event {
		p.Planned = 3
		return Event{ID: at, At: followed, Type: EventProgress, Progress: &p}
	}
	failed := job.Record{Round: "r1", UID: 1, Phase: job.Planned, Deliveries: 1, Failures: 1, Claim: &job.Claim{Worker: "w1"}}
	failed.Failure = &job.Failure{Class: job.Transient, Error: "status 502", Delay: 8 * time.Second}
	done, dead := claimed(2, 1), claimed(3, 1)
	done.Phase, done.Degraded = job.Done, true
	dead.Phase = job.Failed
	dead.Failure = &job.Failure{Class: job.Permanent, Error: "status 404"}
	for _, step := range []struct {
		what    string
		changed []job.Record
		at      uint64
		want    []Event
	}{
		{"planned", []job.Record{job.Plan("r1", 1, ""), job.Plan("r1", 2, ""), job.Plan("r1", 3, "")}, 3, []Event{counts(3, RoundProgress{Queued: 3})}},
		{"nothing", nil, 3, nil},
		{"two are taken", []job.Record{claimed(2, 1), claimed(1, 1)}, 5, []Event{
			miner(4, MinerNow{UID: 2, Phase: job.Running, Attempt: 1, Worker: "w1"}),
			miner(5, MinerNow{UID: 1, Phase: job.Running, Attempt: 1, Worker: "w1"}),
			counts(5, RoundProgress{Queued: 1, Running: 2}),
		}},
		{"a heartbeat", []job.Record{claimed(2, 1)}, 6, nil},
		{"one fails, one is done, one dies", []job.Record{failed, done, dead}, 9, []Event{
			miner(7, MinerNow{
				UID: 1, Phase: job.Planned, Attempt: 1, Failures: 1, Failure: "transient: status 502", Doing: "retry at 18:54:18 after: status 502",
			}),
			miner(8, MinerNow{UID: 2, Phase: job.Done, Attempt: 1, Worker: "w1", Degraded: true}),
			miner(9, MinerNow{UID: 3, Phase: job.Failed, Attempt: 1, Worker: "w1", Failure: "permanent: status 404"}),
			counts(9, RoundProgress{Queued: 1, Done: 1, Failed: 1, Degraded: 1, Retrying: 1}),
		}},
		{"one of no job", []job.Record{claimed(9, 1)}, 10, nil},
		{"the stream was set back", []job.Record{claimed(2, 1), failed, dead}, 3, []Event{
			miner(1, MinerNow{UID: 2, Phase: job.Running, Attempt: 1, Worker: "w1"}),
			counts(3, RoundProgress{Queued: 1, Running: 1, Failed: 1, Retrying: 1}),
		}},
	} {
		f.take(changes(step.at, step.changed...), step.at, followed)
		if diff := cmp.Diff(step.want, f.events(t, followed)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.what, diff)
		}
	}
	if len(f.Watch.miners) != 3 || f.Watch.progress.Failed != 1 {
		t.Errorf("the display has %d miners and %+v, want what was told", len(f.Watch.miners), f.Watch.progress)
	}
}

// What a job waits for is that of its worker's last sign of life. It changes without a change
// of the job.
func TestALookTellsWhatJobsWaitFor(t *testing.T) {
	t.Parallel()
	sign := func(name string, stored time.Time, waits doing.State) jobstream.Present {
		return jobstream.Present{Stored: stored, Worker: job.Worker{Name: name, Jobs: []job.WorkerJob{
			{Round: "warm", UID: 1, WarmUp: true, Doing: doing.State{What: "of a warm-up"}},
			{Round: "r0", UID: 1, Doing: doing.State{What: "of another round"}},
			{Round: "r1", UID: 1, Doing: waits},
		}}}
	}
	permit := doing.State{What: "files of a/b#7", Waits: doing.Permit, Place: 3}
	stalled := claimed(1, 1)
	stalled.Claim.Stall = &job.Stall{Why: "connection refused"}
	refused := job.Plan("r1", 1, "")
	refused.Deliveries, refused.Refused = 1, "w1: another mirror"
	failed := job.Plan("r1", 1, "")
	failed.Deliveries, failed.Failures = 1, 1
	failed.Failure = &job.Failure{Class: job.Transient, Error: "status 502", At: followed.Add(-5 * time.Second), Delay: 8 * time.Second}
	for name, c := range map[string]struct {
		record job.Record
		signs  []jobstream.Present
		want   string
	}{
		"no sign":             {claimed(1, 1), nil, ""},
		"no sign, and a stop": {stalled, nil, "breaker: connection refused"},
		"another worker's":    {claimed(1, 1), []jobstream.Present{sign("w2", followed, permit)}, ""},
		"a permit":            {claimed(1, 1), []jobstream.Present{sign("w1", followed, permit)}, "permit, 3rd in line, for files of a/b#7"},
		"of two processes of a name the last": {claimed(1, 1), []jobstream.Present{
			sign("w1", followed, permit), sign("w1", followed.Add(-time.Minute), doing.State{What: "old"}),
		}, "permit, 3rd in line, for files of a/b#7"},
		"a silent worker":            {claimed(1, 1), []jobstream.Present{sign("w1", followed.Add(-time.Minute), permit)}, "its worker is silent since 18:53:10"},
		"a failure of some time ago": {failed, nil, "retry at 18:54:13 after: status 502"},
		"handed back":                {refused, []jobstream.Present{sign("w1", followed, permit)}, "handed back: w1: another mirror"},
	} {
		f := followedRound()
		f.take(changes(1, c.record), 1, followed)
		f.roll.Workers = c.signs
		told := f.events(t, followed)
		if len(told) == 0 || told[0].Miner == nil || told[0].Miner.Doing != c.want {
			t.Errorf("%s: %+v, want %q", name, told, c.want)
		}
		f.roll.Workers = []jobstream.Present{sign("w1", followed, doing.State{What: "scoring"})}
		again := f.events(t, followed)
		if c.record.Phase == job.Running && (len(again) != 1 || again[0].Miner == nil || again[0].Miner.Doing != "scoring") {
			t.Errorf("%s, then a sign: %+v, want one event, that it scores", name, again)
		}
	}
}

// A pause is shown to whoever follows the round, as its producer shows it. And the producer is
// alive by the clock of NATS: that of a viewer may be an hour ahead.
func TestAFollowerSeesAPauseAndTheProducer(t *testing.T) {
	t.Parallel()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	raw := json.RawMessage(`{}`)
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), job.Manifest{Round: "r1", Registry: raw, Languages: raw, Tokens: raw}))
	must.Get(bus.Holders.Set(t.Context(), "r1", job.Holder{Name: "p1", For: 15 * time.Second}, 0))(t)
	ahead := time.Now().Add(time.Hour)
	f := must.Get(NewFollow(t.Context(), bus, "r1", ahead))(t)
	if ended := must.Get(f.ended(t.Context(), ahead))(t); ended {
		t.Error("a round with a live producer has ended")
	}
	f.events(t, ahead)
	if f.Watch.sight.Paused != nil {
		t.Errorf("it shows the pause %+v, want none", f.Watch.sight.Paused)
	}

	stop := job.RoundStop{Round: "r1", Stop: job.Stop{By: "op@h", At: followed, Reason: "moving"}}
	_, _, err := bus.Steering.Change(t.Context(), func(s job.Steer) (job.Steer, bool) { return s.PauseRound(stop) })
	must.Do(t, err)
	must.Do(t, f.readRest(t.Context(), ahead))
	f.events(t, ahead.Add(time.Hour))
	if diff := cmp.Diff(round.Sight{Paused: &stop}, f.Watch.sight); diff != "" {
		t.Errorf("what is seen (-want +got):\n%s", diff)
	}
}

// What runs into trouble is above what runs, and that above what waits. A screen that is too
// low for all shows the first.
func TestTheMostInterestingMinersAreFirst(t *testing.T) {
	t.Parallel()
	miners := []MinerNow{
		{UID: 1, Phase: job.Planned}, {UID: 2, Phase: job.Done}, {UID: 3, Phase: job.Failed, Failures: 4}, {UID: 4, Phase: job.Running},
		{UID: 5, Phase: job.Planned, Failures: 1}, {UID: 6, Phase: job.Running, Failures: 1}, {UID: 7, Phase: job.Running}, {UID: 8, Phase: job.Planned},
	}
	var order []int
	for _, m := range Interesting(miners) {
		order = append(order, m.UID)
	}
	if want := []int{6, 4, 7, 5, 3, 1, 8}; !slices.Equal(order, want) || miners[0].UID != 1 {
		t.Errorf("got %v, want %v, and the list as it was", order, want)
	}
}

// The bucket of the display is the sum of what the workers of each egress saw last. It is
// held, or away, only if every egress is.
func TestTheLimitIsThatOfAllEgresses(t *testing.T) {
	t.Parallel()
	sign := func(egress string, ago time.Duration, limit job.WorkerLimit) jobstream.Present {
		return jobstream.Present{Stored: followed.Add(-ago), Worker: job.Worker{Name: egress, Egress: egress, Limit: limit}}
	}
	limit := job.WorkerLimit{Known: true, Granted: 10, Rate: 5, Limit: 50, Window: 10 * time.Second, Hold: time.Minute, Trouble: "Redis refuses: OOM"}
	older := limit
	older.Granted = 7
	f := followedRound()
	f.roll.Workers = []jobstream.Present{sign("a", 10*time.Second, limit), sign("a", 11*time.Second, older), sign("gone", time.Hour, limit), sign("new", 0, job.WorkerLimit{})}
	got, err := f.limit(t.Context())
	want := ratelimit.State{Known: true, Granted: 10, Rate: 5, Limit: 50, Window: 10 * time.Second, Hold: 50 * time.Second}
	if diff := cmp.Diff(want, got); diff != "" || err == nil || err.Error() != "Redis refuses: OOM" {
		t.Errorf("%v, want what Redis refuses (-want +got):\n%s", err, diff)
	}
	f.roll.Workers = append(f.roll.Workers, sign("b", 0, job.WorkerLimit{Known: true, Granted: 1, Rate: 5, Limit: 50, Window: 10 * time.Second}))
	got, err = f.limit(t.Context())
	if got.Granted != 11 || got.Rate != 10 || got.Limit != 100 || got.Hold != 0 || err != nil {
		t.Errorf("with a second egress: %+v, %v, want both added up, and no hold", got, err)
	}
	f.roll.Workers = nil
	if got, err := f.limit(t.Context()); got.Known || err != nil {
		t.Errorf("without workers: %+v, %v, want that nothing is known", got, err)
	}
}

// Between two signs, and from the first one on, the count of permits goes on at the pace of the
// workers, as long as the next sign may take.
func TestPermitsGoOnBetweenSigns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := followedRound()
		sign := func(granted int64) {
			f.roll.Workers = []jobstream.Present{{Stored: f.roll.Now.Add(-2 * time.Second), Worker: job.Worker{
				Egress: "a", Permits: 300, Of: time.Minute, Limit: job.WorkerLimit{Known: true, Granted: granted},
			}}}
		}
		shows := func(want int64) {
			t.Helper()
			if got, err := f.limit(t.Context()); got.Granted != want || err != nil {
				t.Errorf("%d permits, %v, want %d", got.Granted, err, want)
			}
		}
		sign(100)
		shows(110)
		<-time.After(time.Second)
		shows(115)
		<-time.After(time.Minute)
		shows(115)
		sign(112)
		shows(122)
		sign(3) // the bucket began anew
		shows(13)
	})
}
