package round_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/audit"
	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring"
)

// An interrupted replay is ended by the next producer, whatever that producer was started
// for.
func TestABrokenOffReplayIsEnded(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(r *round.Runner, ctx context.Context, m job.Manifest) (outcome.Result, error){
		"resume": func(r *round.Runner, ctx context.Context, m job.Manifest) (outcome.Result, error) {
			return r.Resume(ctx, m.Round)
		},
		"replay": func(r *round.Runner, ctx context.Context, m job.Manifest) (outcome.Result, error) {
			result, did, err := r.Replay(ctx, m.Round, outcome.Selection{UIDs: []int{1}})
			if len(did.UIDs) > 0 || !cmp.Equal(did.Meanwhile, []int{1}) {
				return result, errors.New("it ran what the other had begun")
			}
			return result, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, jobstream.Config{})
			p, m, _ := failing(t, b)
			p.healed.Store(true)
			// This is the state when a producer has died after it opened one of two jobs
			// again, and before it published any.
			must.Do(t, b.bus.Rounds.CreateReplay(t.Context(), job.Replay{Round: m.Round, Number: 1, UIDs: []int{1, 2}, By: "dead"}))
			record, revision, err := b.bus.Records.Load(t.Context(), m.Round, 1)
			must.Do(t, err)
			opened, err := record.Replanned(1, "")
			must.Do(t, err)
			_, err = b.bus.Records.Update(t.Context(), opened, revision)
			must.Do(t, err)

			got, err := next(b.runner(t), deadline(t), m)
			must.Do(t, err)
			if !got.Complete || got.Revision != 2 {
				t.Errorf("complete %v, revision %d; want a complete second revision", got.Complete, got.Revision)
			}
			if want := undisturbed(t); bytesOf(t, got.Outcome) != want {
				t.Error("the outcome differs from the undisturbed one")
			}
			b.holds(t, m.Round)
		})
	}
}

// A round that is concluded again must not put back values that a later round has
// replaced.
func TestAReplayLeavesWhatLaterRoundsStored(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	p, m, _ := failing(t, b)
	p.healed.Store(true)
	later := b.plan(t, four()...)
	later.Round, later.PlannedAt = "zz-later", m.PlannedAt.Add(time.Hour)
	_, err := b.runner(t).Start(deadline(t), later)
	must.Do(t, err)
	before, err := b.bus.Miners.Evaluations(t.Context())
	must.Do(t, err)
	marked := before[2]
	marked.Merged[0].Title = "as the later round has it"
	origin := jobstream.Origin{Round: later.Round, PlannedAt: later.PlannedAt, Revision: 1}
	must.Do(t, b.bus.Miners.Change(t.Context(), origin, []scoring.StoredChange{{UID: 2, Evaluation: &marked}, {UID: 1}}))
	_, _, err = b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	after, err := b.bus.Miners.Evaluations(t.Context())
	must.Do(t, err)
	if _, there := after[1]; there || after[2].Merged[0].Title != marked.Merged[0].Title {
		t.Error("the replay of the earlier round has changed what the later one stored")
	}
}

// An unreadable plan counts as one without miners. The round is resumed and read as
// before, and the audit names the plan. It once failed everything that read the round.
func TestADamagedPlanCostsNoRound(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	_, m, first := failing(t, b)
	for _, value := range []string{"{", `{"version": 99}`} {
		_, err := b.bus.Bucket(job.BucketRounds).Put(t.Context(), job.ReplayKey(m.Round, first.Revision), []byte(value))
		must.Do(t, err)
		held, err := b.bus.Inventory(t.Context(), m.Round)
		must.Do(t, err)
		named := func(d audit.Discrepancy) bool { return d.Kind == audit.PlanUnreadable }
		if audit := audit.Of(held); !slices.ContainsFunc(audit.Discrepancies, named) {
			t.Errorf("%q: the audit has %v, want the plan named", value, audit.Discrepancies)
		}
		planned, err := b.bus.Rounds.Planned(t.Context(), m.Round)
		must.Do(t, err)
		failures, err := outcome.ReadFailures(t.Context(), b.bus, planned, true)
		if err != nil || len(failures.Ended) == 0 {
			t.Errorf("%q: failures %v, %v, want those of the round", value, failures, err)
		}
	}
	got, err := b.runner(t).Resume(deadline(t), m.Round)
	if err != nil || got.Revision != first.Revision+1 || got.Failed != first.Failed {
		t.Errorf("revision %d, %d failed, %v; want the next one, as the one before", got.Revision, got.Failed, err)
	}
}

// A lost record of a concluded round is a failure, and a replay mends it. Nothing else
// would ever make the record again.
func TestAReplayMakesALostRecordAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	b.work(t, always)
	m := b.plan(t, four()...)
	first := must.Get(b.runner(t).Start(deadline(t), m))(t)
	jobstreamtest.Remove(t, b.js, job.BucketRecords, job.RecordKey(m.Round, 2))
	lost := func() outcome.Failures { return must.Get(outcome.ReadFailures(t.Context(), b.bus, m, true))(t) }
	if got := lost(); got.Outstanding != 0 || got.Lost != 1 || len(got.Ended) != 1 || got.Ended[0].UID != 2 || got.Ended[0].Class != job.Damaged ||
		!strings.Contains(got.Ended[0].Error, "its record is gone") {
		t.Errorf("failures %+v, want miner 2, damaged, and none outstanding", got)
	}
	result, did, err := b.runner(t).Replay(deadline(t), m.Round, outcome.Selection{})
	must.Do(t, err)
	if result.Revision != first.Revision+1 || !result.Complete || !slices.Equal(did.UIDs, []int{2}) {
		t.Errorf("revision %d, complete %t, replayed %v; want the next one, complete, with miner 2", result.Revision, result.Complete, did.UIDs)
	}
	if got := lost(); len(got.Ended) > 0 {
		t.Errorf("failures %+v after the replay, want none", got)
	}
	b.holds(t, m.Round)
}
