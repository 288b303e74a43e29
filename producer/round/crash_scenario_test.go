package round_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/crash/crashtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/must"
	"mirrorfleet/worker/lease"
)

// scenario names what a producer that will be killed finds and does.
type scenario string

const (
	fresh       scenario = "fresh"        // a round from its manifest to its outcome
	replayed    scenario = "replayed"     // a replay of one dead and one degraded miner
	lostMessage scenario = "lost message" // one message vanishes in mid-round
	lostRecord  scenario = "lost record"  // one record does
	lostBoth    scenario = "lost both"    // both do
	noManifest  scenario = "no manifest"  // the manifest does
	noSnapshot  scenario = "no snapshot"  // the state that the round began with does
	badRecord   scenario = "bad record"   // one record is overwritten with rubbish
	noEvidence  scenario = "no evidence"  // one evaluation of a job that is done vanishes
	passedOver  scenario = "passed over"  // a message was passed over by the consumer
	silent      scenario = "silent"       // miner 2's worker died, and the server withholds the message
	usedUp      scenario = "used up"      // miner 2's deliveries are used up, and the server says so
	unadvised   scenario = "unadvised"    // … and nobody has heard the server
	cancelled   scenario = "cancelled"    // miner 1 is done, a worker is at miner 2's job, and nobody runs the round
	cutShort    scenario = "cut short"    // a replay of two miners is planned, and one of them is open
	unheard     scenario = "unheard"      // they are another round's, and the record is lost
)

// another is the name of a second round.
const another = "another"

// ending is the part of a scenario's result that a kill must not change.
type ending struct {
	Killed bool
	// Outcome and Stored are the outcome and the values that are stored for later rounds.
	Outcome, Stored string

	Complete bool
	Revision int

	Planned, Done, Failed, Letters, Degraded int
	// Evaluated and Failures are counted by uid.
	Evaluated, Failures map[int]int
	// LookUps are the requests for maintainers, and Counted those in the outcome.
	// Messages counts all messages that were ever queued.
	LookUps  int64
	Counted  int
	Messages uint64
}

// counted is a handler that counts its calls for each job.
type counted struct {
	mu      sync.Mutex
	times   map[minerOf]int
	handler lease.Handler
}

type minerOf struct {
	round string
	uid   int
}

func count(handler lease.Handler) *counted {
	return &counted{times: map[minerOf]int{}, handler: handler}
}

func (c *counted) handle(ctx context.Context, j job.Job, a job.Attempt) (job.Evaluation, error) {
	c.mu.Lock()
	c.times[minerOf{j.Round, j.UID}]++
	c.mu.Unlock()
	return c.handler(ctx, j, a)
}

// stage is a scenario that is set up, so that its producer can run.
type stage struct {
	*bundle

	m job.Manifest
	// first is the round whose producer is killed, if it is not m.
	first *job.Manifest
	work  *counted
	env   []string
	// dead is called when the first producer has died.
	dead func()
}

// run plays the scenario with one producer in the given environment, or with several that
// are killed one after the other, and then with one that nobody kills.
func (s scenario) run(t *testing.T, env ...string) ending {
	t.Helper()
	st := s.stage(t)
	m := st.m
	if st.first != nil {
		m = *st.first
	}
	if len(env) == 0 {
		st.dead() // no producer will be killed: a job that waits for that need not wait
	}
	kills := 0
	for kills < crashtest.Kills(t) && !st.produce(t, m, 0, append(env, st.env...)...) {
		kills++
		st.dead()
	}
	killed := kills > 0
	if st.first != nil && !st.produce(t, m, 0) || (killed || st.first != nil) && !st.produce(t, st.m, 0, st.env...) {
		t.Fatal("another producer than the first was killed")
	}
	e := st.ending(t)
	e.Killed = killed
	return e
}

// held evaluates a job once an event has happened.
func held(ctx context.Context, over <-chan struct{}, j job.Job, a job.Attempt) (job.Evaluation, error) {
	select {
	case <-over:
		return always(ctx, j, a)
	case <-ctx.Done():
		return job.Evaluation{}, ctx.Err()
	}
}

// awaitAdvisory waits for the server's advisory that deliveries are used up.
func (b *bundle) awaitAdvisory(t *testing.T) jetstream.Stream {
	t.Helper()
	for ctx := deadline(t); ; {
		if got, err := b.bus.Queue.Fetch(ctx, 1, 50*time.Millisecond); err != nil || len(got) > 0 {
			t.Fatalf("%d deliveries, %v; want no more", len(got), err)
		}
		stream, err := b.js.Stream(ctx, job.StreamAdvisory)
		must.Do(t, err)
		if stream.CachedInfo().State.Msgs > 0 {
			return stream
		}
	}
}

// poll looks repeatedly until a condition holds.
func poll(ctx context.Context, holds func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ending reads the scenario's result, and wants the audit to hold.
func (st stage) ending(t *testing.T) ending {
	t.Helper()
	ctx := deadline(t)
	latest, err := outcome.Latest(ctx, st.bus, st.m.Round)
	must.Do(t, err)
	letters, err := st.bus.Letters.List(ctx, st.m.Round)
	must.Do(t, err)
	records, err := st.bus.Records.List(ctx, st.m.Round)
	must.Do(t, err)
	stream, err := st.js.Stream(ctx, job.StreamJobs)
	must.Do(t, err)
	kept, err := st.bus.Miners.Evaluations(ctx)
	must.Do(t, err)
	stored, err := json.Marshal(kept)
	must.Do(t, err)
	e := ending{
		Outcome: bytesOf(t, latest.Outcome), Stored: string(stored), Complete: latest.Complete, Revision: latest.Revision,
		Planned: latest.Planned, Done: latest.Done, Failed: latest.Failed,
		Letters: len(letters), Degraded: len(latest.Degraded), Failures: map[int]int{}, Evaluated: map[int]int{},
		LookUps: st.lookUps.Load(), Counted: latest.LookUps, Messages: stream.CachedInfo().State.LastSeq,
	}
	for _, record := range records {
		e.Failures[record.UID] = record.Failures
	}
	st.work.mu.Lock()
	defer st.work.mu.Unlock()
	for key, n := range st.work.times {
		if key.round == st.m.Round {
			e.Evaluated[key.uid] = n
		}
	}
	st.holds(t, st.m.Round)
	return e
}
