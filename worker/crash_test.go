package main_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/producer/round"
	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/crash/crashtest"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/mirrorsim"
	"mirrorfleet/shared/must"
)

// crashCase is one point at which workers are killed.
type crashCase struct {
	// name is the name of the constant in the sources.
	name  string
	point crash.Point
	// at are the endings whose jobs pass the point.
	at []ending
	// once says that the kill makes no request to the mirror be repeated.
	once bool
	// drains says that a worker passes the point when it is told to stop.
	drains bool
}

// ending is a way in which a job ends, with a world of one miner that makes its job end
// so.
type ending string

const (
	done       ending = "done"
	degraded   ending = "degraded"   // the answer with its files never comes
	transient  ending = "transient"  // its list fails in the first attempt
	permanent  ending = "permanent"  // its list is refused
	dead       ending = "dead"       // its list fails four times
	unread     ending = "unread"     // its message is no job
	recordless ending = "recordless" // its record was lost
)

// jobs are the endings of real jobs with a record.
var jobs = []ending{done, degraded, transient, permanent, dead}

// crashCases names every point of the worker with the endings that pass it.
var crashCases = []crashCase{
	{name: "RecordPlannedAnew", point: crash.RecordPlannedAnew, at: []ending{recordless}, once: true},
	{name: "Claimed", point: crash.Claimed, at: jobs, once: true},
	{name: "Expected", point: crash.Expected, at: []ending{done, degraded, transient}}, // whose lists are known
	{name: "EvaluationStored", point: crash.EvaluationStored, at: []ending{done, degraded, transient}},
	{name: "RecordDone", point: crash.RecordDone, at: []ending{done, degraded, transient}, once: true},
	{name: "FailureCounted", point: crash.FailureCounted, at: []ending{degraded, transient, dead}, once: true},
	{name: "DeadPublished", point: crash.DeadPublished, at: []ending{permanent, dead}},
	{name: "LeftoverStored", point: crash.LeftoverStored, at: []ending{permanent, dead}},
	{name: "RecordFailed", point: crash.RecordFailed, at: []ending{permanent, dead}, once: true},
	{name: "UnreadablePublished", point: crash.UnreadablePublished, at: []ending{unread}, once: true},
	{name: "UnreadableFailed", point: crash.UnreadableFailed, at: []ending{unread}, once: true},
	{name: "HandedBack", point: crash.HandedBack, at: []ending{done}, drains: true},
	{name: "Settled", point: crash.Settled, at: append(jobs, unread), once: true},
}

// TestEveryCrashPointHasACase reads the list of points from the sources.
func TestEveryCrashPointHasACase(t *testing.T) {
	t.Parallel()
	marks := must.Get(crashtest.Marks(filepath.Join("..", "worker")))(t)
	var names []string
	for _, c := range crashCases {
		names = append(names, c.name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(marks, names); diff != "" {
		t.Errorf("points marked in the sources (-) and points with a case (+):\n%s", diff)
	}
}

// crashLease is short, and yet long enough for a busy machine: a lease that is lost to a
// stall costs requests.
const crashLease = 3 * time.Second

// TestCrash kills real worker processes at every point, for every ending that passes it,
// and starts others. It wants the undisturbed outcome. The rounds run side by side,
// because they mostly wait for leases and between tries.
func TestCrash(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	rounds := map[string]settled{}
	runs := map[string]func(t *testing.T){}
	add := func(name string, e ending, c *crashCase) {
		runs[name] = func(t *testing.T) {
			t.Helper()
			got := crashRun(t, e, c)
			mu.Lock()
			defer mu.Unlock()
			rounds[name] = got
		}
	}
	for _, e := range append(jobs, unread, recordless) {
		add(string(e), e, nil)
	}
	for _, c := range crashCases {
		for _, e := range c.at {
			add(string(c.point)+" "+string(e), e, &c)
		}
	}
	crashtest.SideBySide(t, 12, runs)
	if t.Failed() {
		return // a round is missing
	}
	for _, c := range crashCases {
		for _, e := range c.at {
			name := string(c.point) + " " + string(e)
			c.check(t, name, rounds[string(e)], rounds[name])
		}
	}
}

// settled is the result of a round.
type settled struct {
	outcome  []byte
	result   outcome.Result
	record   job.Record
	requests int
	kills    int
}

// crashRun runs the round of an ending's one miner. If a case is given, it first kills
// workers at the case's point, and then lets one end the round.
func crashRun(t *testing.T, e ending, c *crashCase) settled {
	t.Helper()
	b := setup(t, e.world(), crashLease)
	b.front.refuse(1, e == permanent)
	compared := b.compared()
	concluding := b.start(func(cfg *round.Config) { cfg.Reconcile = patience })
	b.until("the job is published", func() bool { return b.messages() == 1 })
	compared()
	e.spoil(b)
	kills := 0
	for c != nil && kills < crashtest.Kills(t) && c.kill(b, fmt.Sprintf("victim-%d", kills+1)) {
		kills++
	}
	b.front.release(everybody)
	last := b.begin("last")
	result := b.result(concluding)
	b.until("the stream is empty", func() bool { return b.messages() == 0 })
	b.drained(last)
	outcome, err := json.Marshal(result.Outcome)
	b.must(err)
	b.accounted()
	return settled{outcome, result, b.record(1), b.front.asked()[1], kills}
}

// compared returns a function that waits for the producer's first comparison of records
// with messages. By then the producer has mended what it could, and later damage is left
// to the workers. Its next comparison comes too late for the test.
func (b *bundle) compared() func() {
	b.t.Helper()
	nc, err := nats.Connect(b.natsURL)
	b.must(err)
	b.t.Cleanup(nc.Close)
	// A comparison looks twice for messages that no worker is given: with those that are
	// held, and at its end.
	looks, err := nc.SubscribeSync("$JS.API.STREAM.MSG.GET." + job.StreamJobs)
	b.must(err)
	b.must(nc.Flush())
	return func() {
		b.t.Helper()
		for range 2 {
			_, err := looks.NextMsgWithContext(b.ctx)
			b.must(err)
		}
	}
}

// world is a world of one miner.
func (e ending) world() *mirrorsim.World {
	w := small(1, 1)
	switch e {
	case degraded:
		w.Fails["files:"+mirrorsim.FilesKey("acme/widgets", 100)] = mirrorsim.Failure{Times: -1, Fault: "500"}
	case transient:
		w.Fails["pulls:1001"] = mirrorsim.Failure{Times: 3, Fault: "502"}
	case dead:
		w.Fails["pulls:1001"] = mirrorsim.Failure{Times: -1, Fault: "500"}
	case done, permanent, unread, recordless:
	}
	return w
}

// spoil does the damage that an ending needs, when its job is in the stream.
func (e ending) spoil(b *bundle) {
	switch e {
	case recordless:
		jobstreamtest.Remove(b.t, b.js, job.BucketRecords, job.RecordKey("r1", 1))
	case unread:
		stream, err := b.js.Stream(b.ctx, job.StreamJobs)
		b.must(err)
		b.must(stream.Purge(b.ctx))
		_, err = b.js.Publish(b.ctx, job.Subject("r1", 1), []byte(`{"version": 99}`))
		b.must(err)
	case done, degraded, transient, permanent, dead:
	}
}

// kill runs a worker until it dies at the point. It returns false if the stream is empty
// first: then no worker can reach the point any more.
func (c *crashCase) kill(b *bundle, name string) bool {
	b.t.Helper()
	if b.messages() == 0 { // settled before the last one died
		return false
	}
	var args []string
	if c.drains {
		b.front.hold(everybody)
		args = []string{"--grace", "1ms"}
	}
	asked := b.front.asked()[1]
	p := b.work(name, []string{crash.Env + "=" + crash.Setting(c.point, 1)}, args...)
	if c.drains {
		b.until("a request is under way", func() bool { return b.front.asked()[1] > asked })
		b.signal(p, sigTerm)
	}
	over := false
	b.until(name+" dies, or the stream is empty", func() bool {
		select {
		case <-p.done:
			return true
		default:
			over = b.messages() == 0
			return over
		}
	})
	if over && c.point != crash.Settled { // at Settled the stream may be empty just before the worker dies
		b.drained(p)
		return false
	}
	b.ended(p)
	if !p.killed() {
		b.t.Fatalf("%s ended with %v, want it killed\n%s", name, p.ProcessState, p.log)
	}
	return true
}

// check compares a round with the undisturbed one.
func (c *crashCase) check(t *testing.T, name string, want, got settled) {
	t.Helper()
	if got.kills == 0 {
		t.Errorf("%s: no worker died", name)
	}
	if string(got.outcome) != string(want.outcome) {
		t.Errorf("%s: the outcome differs from that of the undisturbed round:\n%s\n%s", name, got.outcome, want.outcome)
	}
	if got.result.Done != want.result.Done || got.result.Failed != want.result.Failed ||
		len(got.result.DeadLetters) != len(want.result.DeadLetters) || len(got.result.Degraded) != len(want.result.Degraded) {
		t.Errorf("%s: done %d, failed %d, dead letters %d, degraded %d; undisturbed %d, %d, %d, %d", name,
			got.result.Done, got.result.Failed, len(got.result.DeadLetters), len(got.result.Degraded),
			want.result.Done, want.result.Failed, len(want.result.DeadLetters), len(want.result.Degraded))
	}
	if got.record.Phase != want.record.Phase || got.record.Failures != want.record.Failures || got.record.Degraded != want.record.Degraded {
		t.Errorf("%s: the record is %+v, undisturbed %+v", name, got.record, want.record)
	}
	c.checkRequests(t, name, want, got)
}

// attempt is the largest number of requests in one attempt: a list, two look-ups of
// issues, and one pull request's files, with one of them sent three times.
const attempt = 4 + 2

// checkRequests wants no request repeated whose result was committed, and at most one
// attempt's requests repeated for each kill.
func (c *crashCase) checkRequests(t *testing.T, name string, want, got settled) {
	t.Helper()
	maximum := want.requests
	if !c.once {
		maximum += got.kills * attempt
	}
	// A lease that was lost to a stall of the machine is no fault. The records show it.
	if lost := got.record.Deliveries - want.record.Deliveries - got.kills; lost > 0 {
		t.Logf("%s: %d deliveries more than kills", name, lost)
		maximum += lost * attempt
	}
	if got.requests < want.requests || got.requests > maximum {
		t.Errorf("%s: %d requests after %d kills, want %d to %d", name, got.requests, got.kills, want.requests, maximum)
	}
}

// accounted wants every miner's job to have ended exactly once, and every evaluation that
// a record names to be in the bucket.
func (b *bundle) accounted() {
	b.t.Helper()
	seen := map[int]int{}
	for _, r := range b.records() {
		seen[r.UID]++
		if !r.Phase.Ended() {
			b.t.Errorf("record %+v has not ended", r)
		}
		if r.Evaluation != "" {
			if _, err := b.bus.Evaluations.Load(b.ctx, r.Evaluation); err != nil {
				b.t.Error(err)
			}
		}
	}
	for _, m := range b.manifest.Miners {
		if seen[m.UID] != 1 {
			b.t.Errorf("miner %d has %d records, want one", m.UID, seen[m.UID])
		}
	}
}
