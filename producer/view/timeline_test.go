package view_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
)

// Attempts that overlap stand in rows of their own, one that begins after another one in the
// first row that is free. A replay's round has the replay alone.
func TestTheTimeline(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	attempt := func(worker string, from, to, replay int) job.EndedAttempt {
		return job.EndedAttempt{Worker: worker, Began: at(from), Ended: at(to), Replay: replay, Ending: job.EndedCommitted}
	}
	one := func(uid, replay int, attempts ...job.EndedAttempt) job.Record {
		return job.Record{UID: uid, Replay: replay, Phase: job.Done, Deliveries: len(attempts), Attempts: attempts}
	}
	runs := one(4, 0, attempt("w2", 0, 1, 0))
	runs.Phase, runs.Claim = job.Running, &job.Claim{Worker: "w1", Since: at(6)}
	for name, c := range map[string]struct {
		records []job.Record
		want    []string
	}{
		"nothing": {[]job.Record{job.Plan("r", 1, "")}, nil},
		"side by side and one after the other": {
			[]job.Record{one(1, 0, attempt("w1", 0, 5, 0)), one(2, 0, attempt("w1", 1, 3, 0)), one(3, 0, attempt("w1", 3, 8, 0)), runs},
			[]string{"w1/1: 1 0-5 4 6-10", "w1/2: 2 1-3 3 3-8", "w2/1: 4 0-1"},
		},
		"the clock of whoever noticed the end is behind": {[]job.Record{one(1, 0, attempt("w1", 5, 2, 0))}, []string{"w1/1: 1 5-5"}},
		"a replay": {[]job.Record{one(1, 1, attempt("w1", 0, 5, 0), attempt("w1", 50, 51, 1)), one(2, 0, attempt("w1", 1, 3, 0))}, []string{"w1/1: 1 50-51"}},
	} {
		var got []string
		timeline := view.TimelineOf(c.records, map[int]time.Duration{1: time.Minute}, at(10))
		for _, row := range timeline.Rows {
			text := fmt.Sprintf("%s/%d:", row.Worker, row.Slot)
			for _, a := range row.Attempts {
				text += fmt.Sprintf(" %d %.0f-%.0f", a.UID, a.Began.Sub(began).Seconds(), a.Over(at(10)).Sub(began).Seconds())
				if usual := a.Usual == time.Minute; usual != (a.UID == 1) {
					t.Errorf("%s: miner %d usually takes %v", name, a.UID, a.Usual)
				}
			}
			got = append(got, text)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
