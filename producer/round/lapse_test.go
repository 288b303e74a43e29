package round_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
)

const leased = 30 * time.Second

// Hand-outs as a producer finds them: every worker is busy, or one waits for a job.
var (
	busy = jobstream.HandOut{MaxDeliver: 20}
	idle = jobstream.HandOut{MaxDeliver: 20, Idle: true}
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// running is miner 1's record in the hands of a worker.
func running(beat int) job.Record {
	r := job.Plan("r1", 1, "")
	r.Phase, r.Deliveries = job.Running, 1
	r.Claim = &job.Claim{ID: "c", Worker: "w1", Sequence: 7, Delivery: 1, For: leased, Beat: beat}
	return r
}

func waiting() job.Record { return job.Plan("r1", 1, "") }

// seen is one record or look, at an instant of the producer's clock.
type seen struct {
	at     time.Duration
	record *job.Record       // nil for a look
	taken  bool              // the record is what this producer made of it
	out    jobstream.HandOut // of a look
	due    bool              // whether something is to be done then
}

func see(at time.Duration, r job.Record) seen          { return seen{at: at, record: &r} }
func take(at time.Duration, r job.Record) seen         { return seen{at: at, record: &r, taken: true} }
func quiet(at time.Duration, o jobstream.HandOut) seen { return seen{at: at, out: o} }
func due(at time.Duration, o jobstream.HandOut) seen   { return seen{at: at, out: o, due: true} }

// idly looks every second for the given time, and wants nothing to be done.
func idly(from, until time.Duration) (list []seen) {
	for at := from; at < until; at += time.Second {
		list = append(list, quiet(at, idle))
	}
	return list
}

// TestLeasesByTheProducersClock: the decision about a job depends only on its record, the
// workers that wait, and the instants at which they were seen.
func TestLeasesByTheProducersClock(t *testing.T) {
	t.Parallel()
	const second, late = time.Second, leased + round.Slack
	delayed := waiting()
	delayed.Failures, delayed.Failure = 1, &job.Failure{Class: job.Transient, Delay: 8 * second}
	own := running(1)
	own.Claim.For = 2 * second
	unsaid := running(1)
	unsaid.Claim.For = 0
	usedUp := running(1)
	usedUp.Phase, usedUp.Claim.Delivery = job.Planned, 20
	lapsed := must.Get(running(1).Lapsed("c", 1, time.Time{}))(t)
	former := running(1)
	former.Replay = 0
	done := running(1)
	done.Phase, done.Evaluation = job.Done, "key"
	for name, story := range map[string][]seen{
		"a silent claim lapses after its lease and the slack": {
			see(0, running(1)), quiet(late-1, busy), due(late, busy)},
		"a sign of life begins the lease anew": {
			see(0, running(1)), see(10*second, running(2)), quiet(10*second+late-1, busy), due(10*second+late, busy)},
		"the same record again is no sign of life": {
			see(0, running(1)), see(10*second, running(1)), due(late, busy)},
		"a claim says for how long it lasts": {
			see(0, own), quiet(2*second, busy), due(2*second+round.Slack, busy)},
		"one that does not lasts for the lease in force": {
			see(0, unsaid), quiet(late-1, busy), due(late, busy)},
		"a producer that takes over counts from what it sees first": {
			see(time.Hour, running(9)), quiet(time.Hour+late-1, busy), due(time.Hour+late, busy)},
		"an ended job has no lease": {see(0, running(1)), see(second, done), quiet(time.Hour, idle)},
		"a job that waits its turn is left alone, however long": {
			see(0, waiting()), quiet(late, busy), quiet(time.Hour, busy)},
		"so it is when workers have only just come to wait": {
			see(0, waiting()), quiet(time.Hour, busy), quiet(time.Hour+second, idle), quiet(time.Hour+second+late-1, idle)},
		"a job that waits for as long as workers do is withheld": append(append([]seen{see(0, waiting())},
			idly(0, late)...), due(late, idle)),
		"not if one of them was given something meanwhile": append(append([]seen{see(0, waiting())},
			idly(0, late-second)...), quiet(late-second, busy), quiet(late, idle)),
		"the delay of a failed job is its own": append(append([]seen{see(0, delayed)},
			idly(0, late+8*second)...), due(late+8*second, idle)),
		"a job that was taken back waits for one more look": {
			quiet(0, idle), take(second, lapsed), quiet(second, idle), due(2*second, idle)},
		"the watch tells of it afterwards": {
			quiet(0, idle), take(second, lapsed), see(second+1, lapsed), due(2*second, idle)},
		"while no worker waits it is as good as handed out": {
			quiet(0, busy), take(second, lapsed), quiet(time.Hour, busy), quiet(time.Hour+second, idle), due(time.Hour+2*second, idle)},
		"somebody claimed it": {
			quiet(0, idle), take(second, lapsed), see(second+1, running(1)), quiet(2*second, idle)},
		"used up deliveries are the reconciler's":  append([]seen{see(0, usedUp)}, idly(0, time.Minute)...),
		"a record of an earlier replay is history": {see(0, former), quiet(time.Hour, busy)},
	} {
		jobs := []job.Job{{Round: "r1", UID: 1}}
		if name == "a record of an earlier replay is history" {
			jobs[0].Replay = 1
		}
		lives := round.NewLives(jobs, leased)
		for _, s := range story {
			now := noon.Add(s.at)
			switch {
			case s.taken:
				lives.TakeBack(*s.record, now)
			case s.record != nil:
				lives.Note(*s.record, now)
			default:
				if got := lives.Look(s.out, now); len(got) == 1 != s.due {
					t.Errorf("%s: at %s the jobs that are due are %v, want one: %v", name, s.at, got, s.due)
				}
			}
		}
	}
}

// TestALapsedClaimIsTakenBackOrBuried: a job that kills every process must end, even if
// its message is replaced again and again.
func TestALapsedClaimIsTakenBackOrBuried(t *testing.T) {
	t.Parallel()
	with := func(lapses int, delivery uint64) job.Record {
		r := running(3)
		r.Lapses, r.Claim.Delivery = lapses, delivery
		return r
	}
	for name, c := range map[string]struct {
		record     job.Record
		maxDeliver int
		want       job.Phase
		died       string
	}{
		"first":                            {with(0, 1), 20, job.Planned, ""},
		"last but one":                     {with(18, 1), 20, job.Planned, ""},
		"as many lapses as deliveries":     {with(19, 1), 20, job.Failed, "20 deliveries are used up and none was settled: the processes that took it died"},
		"the last delivery of its message": {with(3, 20), 20, job.Failed, "20 deliveries are used up and none was settled: the processes that took it died"},
		"no limit":                         {with(100, 100), -1, job.Planned, ""},
	} {
		got, err := round.Lapse(c.record, *c.record.Claim, c.maxDeliver, noon)
		if err != nil || got.Phase != c.want || got.Unreported != 1 {
			t.Errorf("%s: %+v, %v; want it %s, with one attempt unreported", name, got, err, c.want)
		}
		if c.want == job.Failed && !cmp.Equal(got.Failure, &job.Failure{Class: job.Poison, Error: c.died, At: noon}) {
			t.Errorf("%s: failure %+v", name, got.Failure)
		}
	}
	if got, err := round.Lapse(running(4), *running(3).Claim, 20, noon); !errors.Is(err, job.ErrFenced) || got.Phase != job.Running {
		t.Errorf("after another sign of life: %+v, %v; want it left alone", got, err)
	}
}

// TestAnOutageIsNobodysSilence: a producer whose question waited for NATS once took the
// workers for dead, although they could show no sign of life meanwhile.
func TestAnOutageIsNobodysSilence(t *testing.T) {
	t.Parallel()
	lives := round.NewLives([]job.Job{{Round: "r1", UID: 1}}, leased)
	lives.Note(running(1), noon)
	if due := lives.Look(busy, noon.Add(20*time.Second)); len(due) > 0 {
		t.Errorf("within its lease: %v are due", due)
	}
	const outage = time.Minute
	lives.Blind(outage)
	if due := lives.Look(busy, noon.Add(20*time.Second+outage)); len(due) > 0 {
		t.Errorf("right after the outage: %v are due, want none", due)
	}
	if due := lives.Look(busy, noon.Add(leased+round.Slack+outage)); len(due) != 1 {
		t.Errorf("silent for its lease beside the outage: %v are due, want miner 1", due)
	}
}
