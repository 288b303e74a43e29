package round //nolint:testpackage // the tally is the round's own; only its figures leave the package

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
)

func records(list ...job.Record) tally {
	t := tally{}
	for i, r := range list {
		r.UID = i
		t[i] = r
	}
	return t
}

func TestProgressCountsEveryJobOnce(t *testing.T) {
	t.Parallel()
	got := records(
		job.Record{Phase: job.Planned},
		job.Record{Phase: job.Planned, Failures: 1, Requests: 3},
		job.Record{Phase: job.Running, Expected: 10},
		job.Record{Phase: job.Done, Requests: 8},
		job.Record{Phase: job.Done, Requests: 3, Degraded: true},
		job.Record{Phase: job.Failed, Requests: 12},
	).progress()
	want := Progress{
		Planned: 6, Queued: 2, Running: 1, Done: 2, Failed: 1, Degraded: 1, Retrying: 1, Requests: 26,
		// the running one's ten, and for the two queued the mean of the five
		// sizes that are known: (3 + 10 + 8 + 3 + 12) / 5
		Remaining: 10 + 2*36/5,
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
		t    tally
		jobs int
		want bool
	}{
		{"nothing planned", tally{}, 0, true},
		{"a record not yet made", records(done), 2, false},
		{"one still runs", records(done, running), 2, false},
		{"all ended", records(done, failed), 2, true},
	} {
		if got := c.t.ended(c.jobs); got != c.want {
			t.Errorf("%s: ended is %v, want %v", c.name, got, c.want)
		}
	}
}
