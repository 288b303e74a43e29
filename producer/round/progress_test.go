package round //nolint:testpackage // the tally is the round's own; only its figures leave the package

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
)

// records is a tally of so many jobs, whose first ones have these records. Each
// comes after another one of the same job, which it replaces.
func records(jobs int, list ...job.Record) *tally {
	var all []job.Job
	for uid := range jobs {
		all = append(all, job.Job{UID: uid})
	}
	t := newTally(all)
	for i, r := range list {
		r.UID = i
		t.take(job.Record{UID: i, Phase: job.Running, Expected: 99, Requests: 7, Failures: 1})
		t.take(r)
	}
	t.take(job.Record{UID: jobs, Phase: job.Running, Requests: 50}) // nobody's
	return t
}

func TestProgressCountsEveryJobOnce(t *testing.T) {
	t.Parallel()
	got := records(7,
		job.Record{Phase: job.Planned},
		job.Record{Phase: job.Planned, Failures: 1, Requests: 3},
		job.Record{Phase: job.Running, Expected: 10},
		job.Record{Phase: job.Done, Requests: 8},
		job.Record{Phase: job.Done, Requests: 3, Degraded: true},
		job.Record{Phase: job.Failed, Requests: 12},
	).progress()
	want := Progress{
		Planned: 7, Queued: 3, Running: 1, Done: 2, Failed: 1, Degraded: 1, Retrying: 1, Requests: 26,
		// the running one's ten, and for the three queued the mean of the five
		// sizes that are known: (3 + 10 + 8 + 3 + 12) / 5
		Remaining: 10 + 3*36/5,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	if got.Planned != got.Done+got.Failed+got.Outstanding() {
		t.Errorf("planned %d, done %d + failed %d + outstanding %d", got.Planned, got.Done, got.Failed, got.Outstanding())
	}
}

func TestETAIsTheLimitsOwnTime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		remaining int
		rate      float64
		want      time.Duration
	}{
		{0, 4.68, 0},
		{468, 4.68, 100 * time.Second},
		{10, 0, 0}, // Redis has not answered yet
	} {
		if got := (Progress{Remaining: c.remaining}).ETA(c.rate).Round(time.Millisecond); got != c.want {
			t.Errorf("ETA of %d requests at %g/s: got %s, want %s", c.remaining, c.rate, got, c.want)
		}
	}
}

func TestARoundEndsWithItsLastRecord(t *testing.T) {
	t.Parallel()
	done, failed, running := job.Record{Phase: job.Done}, job.Record{Phase: job.Failed}, job.Record{Phase: job.Running}
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

// What a record says of an earlier replay than the one that is waited for is
// no end.
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
		tally.take(c.record)
		if got := tally.ended(); got != c.want {
			t.Errorf("after replay %d %s: ended is %v, want %v", c.record.Replay, c.record.Phase, got, c.want)
		}
	}
}
