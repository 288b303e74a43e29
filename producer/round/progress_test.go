package round //nolint:testpackage // the tally is the round's own; only its figures leave the package

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/job"
)

// noon is when the records of a test are seen.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// records is a tally of so many jobs, of which the first have these records. A record
// replaces an earlier one of the same job.
func records(jobs int, list ...job.Record) *tally {
	var all []job.Job
	for uid := range jobs {
		all = append(all, job.Job{UID: uid})
	}
	t := newTally(all)
	for i, r := range list {
		r.UID = i
		t.take(job.Record{UID: i, Phase: job.Running, Expected: 99, Left: 98, Requests: 7, Failures: 1, Claim: stalled()}, noon.Add(-time.Hour))
		t.take(r, noon.Add(time.Duration(i)*time.Second))
	}
	t.take(job.Record{UID: jobs, Phase: job.Running, Requests: 50, Claim: &job.Claim{}}, noon) // of no job
	return t
}

func stalled() *job.Claim {
	return &job.Claim{Stall: &job.Stall{Why: "refused", For: 10 * time.Second}}
}

func TestProgressCountsEveryJobOnce(t *testing.T) {
	t.Parallel()
	got := records(8,
		job.Record{Phase: job.Planned},
		job.Record{Phase: job.Planned, Failures: 1, Requests: 3, Failure: &job.Failure{Error: "502", Delay: 8 * time.Second}},
		job.Record{Phase: job.Running, Expected: 10, Left: 6, Claim: stalled()},
		job.Record{Phase: job.Done, Requests: 8},
		job.Record{Phase: job.Done, Requests: 3, Degraded: true},
		job.Record{Phase: job.Failed, Requests: 12},
		job.Record{Phase: job.Running, Expected: 7, Left: 4, Claim: &job.Claim{}},
		job.Record{Phase: job.Running, Claim: &job.Claim{}},
	).progress()
	mean := (10 + 8 + 3 + 12 + 7) / 5 // of the five whose sizes are known
	want := Progress{
		Planned: 8, Queued: 2, Running: 3, Done: 2, Failed: 1, Degraded: 1, Retrying: 1, Requests: 26,
		NextRetry: noon.Add(9 * time.Second), Trouble: "502",
		Stalled: 1, Stall: "refused", Asked: noon.Add(12 * time.Second),
		Work: estimate.Work{
			Told: 6 + 4, ToldAt: noon.Add(4 * time.Second), // the mean of the second and the sixth
			Untold: 3 * mean, Known: true, // two are queued, one does not know its list yet
			LastRetry: noon.Add(9 * time.Second), RetryNeeds: mean,
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if got.Planned != got.Done+got.Failed+got.Outstanding() {
		t.Errorf("planned %d, done %d + failed %d + outstanding %d", got.Planned, got.Done, got.Failed, got.Outstanding())
	}
}

// A new attempt at a job takes its lists once more, and then the rest.
func TestAJobThatComesAgainTakesWhatWasLeft(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]job.Record{
		"after a failure":   {Phase: job.Planned, Failures: 1, Left: 5, Failure: &job.Failure{}},
		"handed back":       {Phase: job.Planned, Left: 5},
		"taken by the next": {Phase: job.Running, Left: 5, Claim: &job.Claim{}},
	} {
		if got := records(2, r, job.Record{Phase: job.Done, Requests: 40}).progress(); got.Work.Untold != 3+5 {
			t.Errorf("%s: %d requests, want its three lists and five more", name, got.Work.Untold)
		}
	}
}

func TestNothingIsKnownBeforeTheFirstList(t *testing.T) {
	t.Parallel()
	running := job.Record{Phase: job.Running, Claim: &job.Claim{}}
	if got := records(3, running, running, job.Record{Phase: job.Failed}).progress(); got.Work.Known {
		t.Errorf("%+v, want no size known: two have no list yet, one died", got.Work)
	}
}

func TestARoundEndsWithItsLastRecord(t *testing.T) {
	t.Parallel()
	done := job.Record{Phase: job.Done}
	failed := job.Record{Phase: job.Failed}
	running := job.Record{Phase: job.Running, Claim: &job.Claim{}}
	for _, c := range []struct {
		name string
		t    *tally
		want bool
	}{
		{"nothing planned", records(0), true},
		{"a record not yet made", records(2, done), false},
		{"one still runs", records(2, done, running), false},
		{"all ended", records(2, done, failed), true},
	} {
		if got := c.t.ended(); got != c.want {
			t.Errorf("%s: ended is %v, want %v", c.name, got, c.want)
		}
	}
}

// A record of an earlier replay than the awaited one does not count as an end.
func TestAReplayEndsWithItsOwnRecords(t *testing.T) {
	t.Parallel()
	tally := newTally([]job.Job{{UID: 1, Replay: 2}})
	for _, c := range []struct {
		record job.Record
		want   bool
	}{
		{job.Record{UID: 1, Replay: 1, Phase: job.Failed}, false},
		{job.Record{UID: 1, Replay: 2, Phase: job.Planned}, false},
		{job.Record{UID: 1, Replay: 2, Phase: job.Done}, true},
	} {
		tally.take(c.record, noon)
		if got := tally.ended(); got != c.want {
			t.Errorf("after replay %d %s: ended is %v, want %v", c.record.Replay, c.record.Phase, got, c.want)
		}
	}
}
