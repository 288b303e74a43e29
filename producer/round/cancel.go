package round

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
)

// ErrCancel says that there is nothing to cancel as asked: the round is concluded, or a
// miner's job has ended, or it has none.
var ErrCancel = errors.New("nothing to cancel as asked")

// Cancelled is an order that is stored, and what it was found to apply to.
type Cancelled struct {
	Round string
	// Replay is the run that it applies to: 0 for the round itself.
	Replay int
	Order  job.CancelOrder
	// UIDs are the miners whose outstanding jobs it ends. Already are those of the asked
	// that were cancelled before, whether or not their jobs have ended.
	UIDs, Already []int

	replays map[int]int // by uid: which replay's end of each asked job counts
}

// ReplayOf is the replay in which the order ends the job of a miner that it names.
func (c Cancelled) ReplayOf(uid int) int { return c.replays[uid] }

// OrderCancel stores an order to end a round, or some of its jobs (order.UIDs), now. The
// producer that runs the round carries it out; FollowCancel does if there is none. If the
// order is stored, it is carried out whatever dies. ErrCancel if there is nothing to cancel.
func OrderCancel(ctx context.Context, bus *jobstream.Bus, round string, order job.CancelOrder) (Cancelled, error) {
	s, c, err := wouldCancel(ctx, bus, round, order)
	if err != nil {
		return Cancelled{}, err
	}
	if _, adds := s.cancel.With(order); !adds {
		return c, nil
	}
	if _, err := bus.Rounds.AddCancel(ctx, round, s.replay.Number, order); err != nil {
		return Cancelled{}, fmt.Errorf("storing the order to cancel round %s: %w", round, err)
	}
	crash.At(crash.CancelOrdered)
	return c, nil
}

// WouldCancel says what an order would end, and stores nothing. ErrCancel if there is nothing
// to cancel.
func WouldCancel(ctx context.Context, bus *jobstream.Bus, round string, order job.CancelOrder) (Cancelled, error) {
	_, c, err := wouldCancel(ctx, bus, round, order)
	return c, err
}

func wouldCancel(ctx context.Context, bus *jobstream.Bus, round string, order job.CancelOrder) (run, Cancelled, error) {
	s, err := openRun(ctx, bus, round)
	if err != nil {
		return s, Cancelled{}, err
	}
	c, err := s.choose(order)
	if err != nil {
		return s, c, fmt.Errorf("round %s: %w", round, err)
	}
	return s, c, nil
}

// run is one run of a round, which has not been concluded: the round itself or a replay.
type run struct {
	round   string
	replay  job.Replay
	jobs    []job.Job
	records map[int]job.Record
	cancel  job.Cancel
}

// openRun reads the run of a round that can be cancelled; ErrCancel if it is concluded.
func openRun(ctx context.Context, bus *jobstream.Bus, round string) (s run, err error) {
	m, err := bus.Rounds.Planned(ctx, round)
	if err != nil {
		return s, fmt.Errorf("reading the manifest of round %s: %w", round, err)
	}
	if m.SignedBy != "" && !bus.Signs() { // nobody would obey the order
		return s, fmt.Errorf("round %s: %w", round, ErrNoKey)
	}
	last, err := lastRevision(ctx, bus, round)
	if err != nil {
		return s, err
	}
	if last > 0 {
		s.replay, err = bus.Rounds.Replay(ctx, round, last)
		if errors.Is(err, jobstream.ErrNotFound) {
			return s, concluded(ctx, bus, round, last)
		}
		if err != nil {
			return s, fmt.Errorf("reading replay %d of round %s: %w", last, round, err)
		}
	}
	s.cancel, err = bus.Rounds.Cancel(ctx, round, s.replay.Number)
	if err != nil && !jobstream.Damaged(err) {
		return s, fmt.Errorf("reading the orders to cancel round %s: %w", round, err)
	}
	list, err := bus.Records.List(ctx, round)
	if err != nil {
		return s, fmt.Errorf("reading the records of round %s: %w", round, err)
	}
	s.round = round
	s.jobs = jobsOf(m, s.replay)
	s.records = job.RecordsByUID(list)
	return s, nil
}

// lastRevision is the number of a round's last outcome; 0 if it has none.
func lastRevision(ctx context.Context, bus *jobstream.Bus, round string) (int, error) {
	revisions, err := bus.Outcomes.Revisions(ctx, round)
	if err != nil {
		return 0, fmt.Errorf("listing the outcomes of round %s: %w", round, err)
	}
	if len(revisions) == 0 {
		return 0, nil
	}
	return revisions[len(revisions)-1], nil
}

// concluded refuses to cancel a round that is concluded, and says whether it was cancelled.
func concluded(ctx context.Context, bus *jobstream.Bus, round string, revision int) error {
	how := ""
	if c, err := bus.Rounds.Cancel(ctx, round, revision-1); err == nil && c.Whole() {
		order, _ := c.Of(-1)
		how = ", because it was " + order.String()
	}
	return fmt.Errorf("%w: round %s is concluded, with revision %d%s", ErrCancel, round, revision, how)
}

// choose decides what an order applies to. A job that has ended in another way, or is not
// in the round, is an error that lists what can be cancelled.
func (s run) choose(order job.CancelOrder) (Cancelled, error) {
	c := Cancelled{
		Round:   s.round,
		Replay:  s.replay.Number,
		Order:   order,
		UIDs:    []int{},
		Already: []int{},
		replays: map[int]int{},
	}
	asked := order.UIDs
	open := s.open()
	if order.Whole() {
		asked = open
	}
	for _, uid := range asked {
		at := slices.IndexFunc(s.jobs, func(j job.Job) bool { return j.UID == uid })
		if at < 0 {
			return c, fmt.Errorf("%w: miner %d has no job in the round; %s", ErrCancel, uid, outstanding(open))
		}
		record := s.records[uid]
		_, before := s.cancel.Of(uid)
		isOpen := slices.Contains(open, uid)
		switch {
		case before, !isOpen && record.Failure != nil && record.Phase == job.Failed && record.Failure.Class == job.Cancelled:
			c.Already = append(c.Already, uid)
		case !isOpen:
			return c, fmt.Errorf("%w: the job of miner %d %s; %s", ErrCancel, uid, became(record), outstanding(open))
		default:
			c.UIDs = append(c.UIDs, uid)
		}
		c.replays[uid] = s.jobs[at].Replay
	}
	return c, nil
}

// open are the miners whose jobs have not ended in this run, by uid.
func (s run) open() []int {
	uids := []int{}
	for _, j := range s.jobs {
		if record, there := s.records[j.UID]; !there || !record.Phase.Ended() || record.Replay < j.Replay {
			uids = append(uids, j.UID)
		}
	}
	slices.Sort(uids)
	return uids
}

// became says how a job has ended.
func became(r job.Record) string {
	switch {
	case r.Phase == job.Failed && r.Failure != nil:
		return "is dead already (" + string(r.Failure.Class) + ")"
	case r.Degraded:
		return "is done already, with a degraded evaluation"
	}
	return "is done already"
}

// maxNamed bounds how many miners an error lists.
const maxNamed = 50

// outstanding lists for an error what can be cancelled.
func outstanding(uids []int) string {
	if len(uids) == 0 {
		return "no job is outstanding"
	}
	return "outstanding: " + plural.Some(uids, maxNamed)
}

// FollowCancel waits until an order is carried out: the run that it applies to is concluded,
// or all its jobs have ended. While another producer runs the round, this one stands by.
// When nobody does, it carries the order out itself. After an order for the whole round it
// also concludes the round, which takes no worker.
func (r *Runner) FollowCancel(ctx context.Context, c Cancelled) error {
	waiting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	standing := make(chan struct{}) // closed when this producer stands by no longer
	var watch sync.WaitGroup
	watch.Go(func() { r.awaitCarriedOut(waiting, c, standing, stop) })
	follower := *r
	follower.cfg.waits = true
	_, err := follower.holding(waiting, c.Round, func(ctx context.Context) (outcome.Result, error) {
		select {
		case <-standing:
		default:
			close(standing)
		}
		return r.carryOut(ctx, c)
	})
	stop(nil)
	watch.Wait()
	if errors.Is(context.Cause(waiting), errCarriedOut) {
		return nil
	}
	return err
}

// errCarriedOut ends a producer's wait: another one has carried out its order.
var errCarriedOut = errors.New("the order is carried out")

// awaitCarriedOut looks, while this producer stands by, whether another one has carried the
// order out, and then ends the standing by.
func (r *Runner) awaitCarriedOut(ctx context.Context, c Cancelled, standing <-chan struct{}, stop context.CancelCauseFunc) {
	ticker := time.NewTicker(lookForOrders)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-standing:
			return
		case <-ctx.Done():
			return
		}
		done, err := r.carriedOut(ctx, c)
		if err != nil {
			stop(err) // unless ctx has ended: then it has its cause
			return
		}
		if done {
			stop(errCarriedOut)
			return
		}
	}
}

// carriedOut reports whether the run that an order applies to is concluded, or the jobs that
// it names have ended.
func (r *Runner) carriedOut(ctx context.Context, c Cancelled) (bool, error) {
	last, err := lastRevision(ctx, r.cfg.Bus, c.Round)
	if err != nil || last > c.Replay || c.Order.Whole() {
		return last > c.Replay, err
	}
	list, err := r.cfg.Bus.Records.List(ctx, c.Round)
	if err != nil {
		return false, fmt.Errorf("reading the records of round %s: %w", c.Round, err)
	}
	records := job.RecordsByUID(list)
	for uid, replay := range c.replays {
		if record, there := records[uid]; !there || !record.Phase.Ended() || record.Replay < replay {
			return false, nil
		}
	}
	return true, nil
}

// carryOut carries out the orders of a round as its producer. It concludes the round if all
// of it is cancelled, or if nothing is outstanding any more; otherwise it leaves the other
// jobs to the producer that resumes the round.
func (r *Runner) carryOut(ctx context.Context, c Cancelled) (outcome.Result, error) {
	if done, err := r.carriedOut(ctx, c); done || err != nil {
		return outcome.Result{}, err
	}
	m, err := r.manifest(ctx, c.Round, known{})
	if err != nil {
		return outcome.Result{}, err
	}
	replay := job.Replay{Round: c.Round}
	if c.Replay > 0 {
		if replay, err = r.cfg.Bus.Rounds.Replay(ctx, c.Round, c.Replay); err != nil {
			return outcome.Result{}, fmt.Errorf("reading replay %d of round %s: %w", c.Replay, c.Round, err)
		}
	}
	if !c.Order.Whole() {
		open, err := r.endOrdered(ctx, m, replay)
		if err != nil || open > 0 {
			r.cfg.Log.InfoContext(ctx, "the cancelled jobs have ended: the others wait until a producer resumes the round",
				"round", c.Round, "outstanding", plural.Of(open, "job"))
			return outcome.Result{}, err
		}
	}
	return r.run(ctx, m, replay)
}

// endOrdered ends the jobs that the orders name, and nothing else. It returns how many of
// the run are still open. The snapshot is stored before any record, as in run.
func (r *Runner) endOrdered(ctx context.Context, m known, replay job.Replay) (open int, err error) {
	w, err := r.newWork(m, replay)
	if err != nil {
		return 0, err
	}
	if err := w.snapshot(ctx); err != nil {
		return 0, err
	}
	if err := w.obey(ctx); err != nil {
		return 0, err
	}
	list, err := r.cfg.Bus.Records.List(ctx, m.Round)
	if err != nil {
		return 0, fmt.Errorf("reading the records of round %s: %w", m.Round, err)
	}
	left := run{jobs: w.jobs, records: job.RecordsByUID(list)}
	return len(left.open()), nil
}
