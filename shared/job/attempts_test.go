package job_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
)

// ranFor is how long each attempt of these tests runs.
const ranFor = time.Minute

// next claims a job for its next attempt, which begins an hour after the one before.
func next(t *testing.T, r job.Record) job.Record {
	t.Helper()
	n := r.Deliveries + 1
	return must.Get(r.Claimed(job.Claim{
		ID:       "c",
		Worker:   fmt.Sprintf("w%d", n),
		Since:    at.Add(time.Duration(n) * time.Hour),
		Sequence: 1,
		Delivery: uint64(n),
		Replay:   r.Replay,
	}))(t)
}

// ended is when the running attempt of next ends.
func ended(r job.Record) time.Time { return r.Claim.Since.Add(ranFor) }

// Each way in which an attempt can end is listed, with what it reported, and a replay keeps
// the attempts before it.
func TestEveryEndOfAnAttemptIsListed(t *testing.T) {
	t.Parallel()
	failure := func(r job.Record, class job.Class) job.Failure {
		return job.Failure{Class: class, Error: "502", At: ended(r)}
	}
	spent := func(r job.Record) job.Spent { return job.Spent{Requests: 5, Left: -1, At: ended(r)} }
	for _, c := range []struct {
		name   string
		end    func(job.Record) (job.Record, error)
		want   job.Ending
		class  job.Class
		text   string
		silent bool // without a report
	}{
		{"committed", func(r job.Record) (job.Record, error) { return r.Committed("c", 5, "key", false, ended(r)) }, job.EndedCommitted, "", "", false},
		{"degraded", func(r job.Record) (job.Record, error) { return r.Committed("c", 5, "key", true, ended(r)) }, job.EndedDegraded, "", "", false},
		{"failed", func(r job.Record) (job.Record, error) {
			return r.FailedAttempt("c", spent(r), failure(r, job.Transient))
		}, job.EndedFailed, job.Transient, "502", false},
		{"dead", func(r job.Record) (job.Record, error) { return r.Buried("c", 5, "", failure(r, job.Permanent)) }, job.EndedDead, job.Permanent, "502", false},
		{"handed back", func(r job.Record) (job.Record, error) { return r.HandedBack("c", spent(r), "") }, job.EndedHandedBack, "", "", false},
		{"refused", func(r job.Record) (job.Record, error) { return r.HandedBack("c", spent(r), "another mirror") }, job.EndedHandedBack, "", "another mirror", false},
		{"lapsed", func(r job.Record) (job.Record, error) { return r.Lapsed("c", 0, ended(r)) }, job.EndedLapsed, "", "", true},
		{"taken by a later delivery", func(r job.Record) (job.Record, error) {
			return r.Claimed(job.Claim{ID: "later", Worker: "w", Sequence: 1, Delivery: 99, Since: ended(r), Replay: r.Replay})
		}, job.EndedLapsed, "", "", true},
		{"exhausted", func(r job.Record) (job.Record, error) { return r.Exhausted(r.Replay, 1, failure(r, job.Poison)) }, "poison", job.Poison, "502", true},
		{"overdue", func(r job.Record) (job.Record, error) { return r.GivenUp(r.Replay, failure(r, job.Overdue)) }, "overdue", job.Overdue, "502", true},
		{"cancelled", func(r job.Record) (job.Record, error) { return r.GivenUp(r.Replay, failure(r, job.Cancelled)) }, "cancelled", job.Cancelled, "502", true},
		{"damaged", func(r job.Record) (job.Record, error) { return r.DeclaredDamaged(failure(r, job.Damaged)), nil }, "damaged", job.Damaged, "502", true},
	} {
		// A replay whose first attempt had failed before.
		first := must.Get(next(t, job.Plan("r1", 7, "t0")).Buried("c", 3, "", job.Failure{Class: job.Permanent, Error: "404", At: at}))(t)
		r := next(t, must.Get(first.Replanned(1, "t1"))(t))
		running := next(t, must.Get(r.FailedAttempt("c", job.Spent{Requests: 1}, job.Failure{Class: job.Transient, Error: "500", At: ended(r)}))(t))
		before := must.Get(json.Marshal(running))(t)
		got := must.Get(c.end(running))(t)
		requests := 5
		want := job.EndedAttempt{
			Replay: 1, Delivery: 3, Worker: "w3", Began: at.Add(3 * time.Hour), Ended: at.Add(3*time.Hour + ranFor),
			Ending: c.want, Requests: &requests, Class: c.class, Error: c.text, Trace: "t1",
		}
		if c.silent {
			want.Requests = nil
		}
		if len(got.Attempts) != 3 || got.Unlisted() != 0 {
			t.Fatalf("%s: %d attempts listed, %d not, want all 3", c.name, len(got.Attempts), got.Unlisted())
		}
		if diff := cmp.Diff(want, got.Attempts[2]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if first := got.Attempts[0]; first.Replay != 0 || first.Trace != "t0" || first.Ending != job.EndedDead {
			t.Errorf("%s: the attempt before the replay is listed as %+v", c.name, first)
		}
		if diff := cmp.Diff(decodeAgain(t, got), got); diff != "" {
			t.Errorf("%s: reads back differently: %s", c.name, diff)
		}
		if after := must.Get(json.Marshal(running))(t); string(after) != string(before) {
			t.Errorf("%s changed the record that it began with", c.name)
		}
	}
}

// Whoever ends a job without an attempt lists none: nobody ran it.
func TestAJobThatNobodyRunsListsNoAttempt(t *testing.T) {
	t.Parallel()
	overdue := must.Get(job.Plan("r1", 7, "t").GivenUp(0, job.Failure{Class: job.Overdue, At: at}))(t)
	if len(overdue.Attempts) != 0 || overdue.Unlisted() != 0 {
		t.Errorf("%d attempts listed, %d not, want none", len(overdue.Attempts), overdue.Unlisted())
	}
	done := must.Get(next(t, job.Plan("r1", 7, "t")).Committed("c", 1, "key", false, at))(t)
	if lost := done.DeclaredDamaged(job.Failure{Class: job.Damaged, At: at}); len(lost.Attempts) != 1 || lost.Attempts[0].Ending != job.EndedCommitted {
		t.Errorf("a job whose evaluation is lost lists %+v, want the attempt as it ended", lost.Attempts)
	}
}

// However often a job runs, and whatever its workers say, the list stays short: the last
// attempts are listed and the rest counted. A heartbeat writes all of it.
func TestTheListOfAttemptsIsBounded(t *testing.T) {
	t.Parallel()
	const ran = 3 * job.MaxAttempts
	hostile := strings.Repeat("\x1b\u202e\"<", 1<<16)
	r := job.Plan("r1", 7, strings.Repeat("a", 32))
	for range ran {
		r = next(t, r)
		r.Claim.Worker = hostile
		r = must.Get(r.FailedAttempt("c", job.Spent{Requests: math.MaxInt}, job.Failure{Class: job.Transient, Error: hostile, At: at}))(t)
		r.Failures = 0
	}
	if len(r.Attempts) != job.MaxAttempts || r.Unlisted() != ran-job.MaxAttempts || r.Attempts[job.MaxAttempts-1].Delivery != ran {
		t.Errorf("%d attempts listed, %d not, want the last %d of %d", len(r.Attempts), r.Unlisted(), job.MaxAttempts, ran)
	}
	// The server takes 1 MiB; what is small is written fast.
	if size := len(must.Get(json.Marshal(r.Attempts))(t)); size > 100<<10 {
		t.Errorf("the list takes %d bytes, want 100 KiB at most", size)
	}
	r.Claim.Worker, r.Requests = "w", 0
	r.Failure = nil
	if diff := cmp.Diff(r, decodeAgain(t, r)); diff != "" {
		t.Errorf("reads back differently: %s", diff)
	}
}

// A list that no build writes is cut where it is read.
func TestAListThatIsTooLongIsCut(t *testing.T) {
	t.Parallel()
	long, below := strings.Repeat("\x01", 1<<12), -7
	r := job.Record{Version: job.Version, Phase: job.Planned, Deliveries: 3}
	for range 2 * job.MaxAttempts {
		r.Attempts = append(r.Attempts, job.EndedAttempt{Ending: job.Ending(long), Worker: long, Error: long, Trace: long, Class: job.Class(long), Requests: &below})
	}
	got := decodeAgain(t, r)
	if size := len(must.Get(json.Marshal(got))(t)); len(got.Attempts) != job.MaxAttempts || size > 100<<10 || *got.Attempts[0].Requests != 0 {
		t.Errorf("%d attempts of %d bytes with %d requests, want few", len(got.Attempts), size, *got.Attempts[0].Requests)
	}
	if got.Unlisted() != 0 {
		t.Errorf("%d are not listed, want never less than 0", got.Unlisted())
	}
}

// A record of a build that listed no attempts tells how many there were.
func TestAttemptsOfAnEarlierBuildAreCounted(t *testing.T) {
	t.Parallel()
	r := next(t, job.Record{Version: job.Version, Round: "r1", UID: 7, Phase: job.Planned, Deliveries: 3})
	if got := r.Unlisted(); got != 3 {
		t.Errorf("%d attempts before the running one are not listed, want 3", got)
	}
}
