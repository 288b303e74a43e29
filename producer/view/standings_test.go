package view_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/roundtest"
	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
)

// What is kept of a concluded round is shown only while it is what is stored: after each
// change, damage and loss the next look is the one of somebody who keeps nothing.
func TestWhatIsKeptOfARoundIsNeverStale(t *testing.T) {
	t.Parallel()
	fleet := roundtest.Start(t)
	bus, nc := jobstreamtest.Open(t, fleet.NATS, jobstream.Config{})
	_, js := jobstreamtest.Connect(t, fleet.NATS, nil)
	r := fleet.Incomplete(t, roundtest.Now)
	records, rounds := bus.Bucket(job.BucketRecords), bus.Bucket(job.BucketRounds)
	one, two := job.RecordKey(r.Round, 1), job.RecordKey(r.Round, 2)
	first := must.Get(records.Get(t.Context(), one))(t).Value()

	kept := view.NewStandings()
	looks := func(what string) (view.Round, string) {
		t.Helper()
		got, gotErr := kept.Of(t.Context(), bus, r.Round, roundtest.Now)
		want, wantErr := view.RoundOf(t.Context(), bus, r.Round, roundtest.Now)
		list := must.Get(kept.List(t.Context(), bus, "", 0, roundtest.Now))(t)
		wantList := must.Get(view.ListOf(t.Context(), bus, "", 0, roundtest.Now))(t)
		if diff := cmp.Diff(told(t, want), told(t, got)) + cmp.Diff(text(wantErr), text(gotErr)) + cmp.Diff(wantList, list); diff != "" {
			t.Errorf("%s: what is kept differs from what is stored (-stored +kept):\n%s", what, diff)
		}
		return got, text(gotErr)
	}
	fails := func(what string, uid int, reason string) {
		t.Helper()
		got, _ := looks(what)
		for _, f := range got.Failures {
			if f.UID == uid && f.Class == job.Damaged && (reason == "" || cmp.Equal(f.Error, reason)) {
				return
			}
		}
		t.Errorf("%s: the failures are %+v, want the record of miner %d among them", what, got.Failures, uid)
	}

	looks("the first look")
	before := nc.Stats().OutMsgs
	must.Get(kept.Of(t.Context(), bus, r.Round, roundtest.Now))(t)
	if asked := nc.Stats().OutMsgs - before; asked > 8 { // two marks, the dead letter and the orders
		t.Errorf("a look at what has not changed took %d requests, want 8 at most", asked)
	}
	must.Get(records.PutString(t.Context(), one, "{"))(t)
	fails("a damaged record", 1, "")
	must.Get(records.Put(t.Context(), one, first))(t)
	if got, _ := looks("a record that was put back"); len(got.Failures) != 1 {
		t.Errorf("the failures are %+v, want the one of miner 2", got.Failures)
	}
	must.Do(t, records.Delete(t.Context(), one))
	fails("a record that somebody deleted", 1, "its record is gone, so the result of its job is unknown")
	must.Get(records.Put(t.Context(), one, first))(t)
	looks("a record that was put back again")
	jobstreamtest.Remove(t, js, job.BucketRecords, two)
	fails("a record that is lost", 2, "its record is gone, so the result of its job is unknown")

	fleet.Sick.Store(0)
	_, _, err := fleet.Runner(t).Replay(roundtest.Deadline(t), r.Round, outcome.Selection{})
	must.Do(t, err)
	if got, _ := looks("a new revision"); got.Revision != 2 || !got.Complete || len(got.Failures) != 0 {
		t.Errorf("after the replay the round is %+v", got)
	}
	must.Get(rounds.PutString(t.Context(), job.OutcomeKey(r.Round, 2), "rubbish"))(t)
	if got, _ := looks("a damaged outcome"); got.State != view.Damaged {
		t.Errorf("with a damaged outcome the round is %s", got.State)
	}
	must.Do(t, rounds.Delete(t.Context(), job.OutcomeKey(r.Round, 2)))
	if got, _ := looks("an outcome that somebody deleted"); got.State != view.Damaged {
		t.Errorf("with a deleted outcome the round is %s", got.State)
	}
	jobstreamtest.Remove(t, js, job.BucketRounds, job.OutcomeKey(r.Round, 2))
	if got, _ := looks("an outcome that is lost"); got.Revision != 1 {
		t.Errorf("without its last outcome the round is %+v", got)
	}
	must.Do(t, js.DeleteStream(t.Context(), "KV_"+job.BucketRecords))
	must.Do(t, bus.Restore(t.Context()))
	fails("a bucket made anew", 1, "")
	jobstreamtest.Remove(t, js, job.BucketRounds, job.ManifestKey(r.Round))
	if _, err := looks("a plan that is lost"); err == "" {
		t.Error("a round without a plan is shown")
	}
}

// While a round is replayed its jobs are counted as they stand. Its last outcome says of them
// only how they ended before.
func TestARoundThatIsReplayedIsCountedAnew(t *testing.T) {
	t.Parallel()
	fleet := roundtest.Start(t)
	r := fleet.Incomplete(t, roundtest.Now)
	kept := view.NewStandings()
	counts := func() string {
		t.Helper()
		s := must.Get(kept.List(t.Context(), fleet.Bus, "", 0, roundtest.Now))(t).Rounds[0]
		return fmt.Sprintf("%s: %d done, %d failed, %d to do of %d", s.State, s.Done, s.Failed, s.Outstanding, s.Planned)
	}
	if got, want := counts(), "concluded: 1 done, 1 failed, 0 to do of 2"; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	fleet.Replaying(t, r.Round, roundtest.Now)
	if got, want := counts(), "replaying: 1 done, 0 failed, 1 to do of 2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// told is what the API says of a round.
func told(t *testing.T, r view.Round) string {
	t.Helper()
	return string(must.Get(json.MarshalIndent(r, "", " "))(t))
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
