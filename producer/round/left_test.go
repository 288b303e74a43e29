package round //nolint:testpackage // the tally is the round's own; only its figures leave the package

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"mirrorfleet/producer/estimate"
	"mirrorfleet/shared/job"
)

// The simulated rounds have the usual limit and lease.
const (
	simRate  = 4.68
	simBeat  = 30 * time.Second / job.SignsPerLease
	simLimit = 50
)

const simInterval = 213675 * time.Microsecond // 1/simRate

// simJob is one job of a simulated round.
type simJob struct {
	uid, size, made int // requests in all; those of the running attempt
	record          job.Record
	running         bool
	beat            time.Time // when it shows its next sign of life
	again           time.Time // when its next attempt may begin
	failAt          int       // the request that fails its first attempt; 0 for none
}

// simulation is a round in virtual time. The limit grants one permit after the other to
// the running jobs in turn, and each job reports as a worker does.
type simulation struct {
	now   time.Time
	tally *tally
	meter estimate.Meter
	jobs  []*simJob
	// slots is how many jobs may run at once, and busy how many do.
	slots, busy int
	// cools is when a cool-down begins, zero for never. Until rests, nothing is granted.
	cools, rests time.Time
	cooled       time.Time // when it began
	granted      int64
	turn         int
	random       *rand.Rand
}

func simulate(seed uint64, jobs, slots int, failures bool) *simulation {
	s := &simulation{now: noon, slots: slots, random: rand.New(rand.NewPCG(seed, 1))}
	var list []job.Job
	for uid := range jobs {
		list = append(list, job.Job{UID: uid})
		one := &simJob{uid: uid, size: estimate.LookUps + int(s.random.ExpFloat64()*20), record: job.Plan("r", uid, "")}
		if failures && s.random.IntN(20) == 0 {
			one.failAt = 2 + s.random.IntN(one.size-1)
		}
		s.jobs = append(s.jobs, one)
	}
	s.tally = newTally(list)
	return s
}

func (s *simulation) tell(one *simJob, r job.Record) {
	one.record = r
	s.tally.take(r, s.now)
}

func must(r job.Record, err error) job.Record {
	if err != nil {
		panic(err)
	}
	return r
}

// step lets one request pass, if any job has one.
func (s *simulation) step() {
	s.now = s.now.Add(simInterval)
	if !s.cools.IsZero() && !s.now.Before(s.cools) {
		s.cools = time.Time{}
		s.cooled = s.now
		s.rests = s.now.Add(30 * time.Second)
	}
	for _, one := range s.jobs {
		if !one.running && !one.record.Phase.Ended() && !s.now.Before(one.again) && s.busy < s.slots {
			s.busy++
			one.running = true
			one.made = 0
			one.beat = s.now.Add(simBeat)
			s.tell(one, must(one.record.Claimed(job.Claim{ID: fmt.Sprint(one.uid, one.record.Deliveries), Delivery: uint64(one.record.Deliveries + 1)})))
		}
	}
	if s.busy > 0 && !s.now.Before(s.rests) {
		s.request()
	}
	for _, one := range s.jobs {
		if one.running && !s.now.Before(one.beat) {
			one.beat = s.now.Add(simBeat)
			s.tell(one, must(one.record.Beaten(one.record.Claim.ID, s.sign(one))))
		}
	}
}

func (s *simulation) sign(one *simJob) job.Sign {
	if one.made == 0 {
		return job.Sign{Left: -1}
	}
	return job.Sign{Left: one.size - one.made}
}

// request sends one request of the next job in turn.
func (s *simulation) request() {
	for {
		s.turn = (s.turn + 1) % len(s.jobs)
		if s.jobs[s.turn].running {
			break
		}
	}
	one := s.jobs[s.turn]
	s.granted++
	one.made++
	id := one.record.Claim.ID
	switch one.made {
	case one.failAt:
		wait := 2 * time.Second
		s.busy--
		one.running = false
		one.again = s.now.Add(wait)
		one.failAt = 0
		s.tell(one, must(one.record.FailedAttempt(id, job.Spent{Requests: one.made, Left: one.size - one.made + 1},
			job.Failure{Class: job.Transient, Error: "502", Delay: wait})))
		one.size = estimate.LookUps + one.record.Left // the cache has the rest
	case one.size:
		s.busy--
		one.running = false
		s.tell(one, must(one.record.Committed(id, one.made, "key", false, time.Time{})))
	case 1: // the list
		s.tell(one, must(one.record.Expecting(id, one.size, s.sign(one))))
	}
}

// listed says whether each miner's list is known, or was known in a former attempt.
func (s *simulation) listed() bool {
	return !slices.ContainsFunc(s.jobs, func(one *simJob) bool {
		r := one.record
		return !r.Phase.Ended() && r.Expected == 0 && r.Left == 0
	})
}

// moment is an estimate and the instant at which it was made.
type moment struct {
	at     time.Time
	left   time.Duration
	listed bool
}

// play runs the round and estimates every second, as the display does.
func (s *simulation) play() (moments []moment) {
	reading := s.now
	for !s.tally.ended() {
		s.step()
		if s.now.Before(reading) {
			continue
		}
		reading = reading.Add(time.Second)
		rest := max(0, s.rests.Sub(s.now))
		s.meter.Read(estimate.Reading{
			Granted: s.granted, Rate: simRate, Limit: simLimit, Window: 10 * time.Second, Rests: rest > 0,
		}, s.now)
		if left, known := s.tally.progress().Work.Left(s.now, &s.meter, rest); known {
			moments = append(moments, moment{s.now, left, s.listed()})
		}
	}
	return moments
}

// near says whether an estimate is within a quarter of the true time, or within the
// slack.
func (m moment) near(end time.Time, slack time.Duration) bool {
	actual := end.Sub(m.at)
	return (m.left - actual).Abs() <= max(actual/4, slack)
}

// Once each miner's list is known, the estimate is within a quarter of the true time
// left. This holds for rounds of many sizes, with a cool-down in the middle of every
// other one. Near the end the tolerance is the time between two looks, because nothing
// foresees an attempt that fails there.
func TestTheTimeLeftIsWithinAQuarter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		failures bool
		slack    time.Duration
	}{
		"no attempt fails":    {false, 3 * time.Second},
		"some attempts do so": {true, 5 * time.Second},
	} {
		checked := 0
		for seed := range uint64(60) {
			random := rand.New(rand.NewPCG(seed, 2))
			s := simulate(seed, 1+random.IntN(256), 4+random.IntN(60), c.failures)
			if seed%2 == 0 {
				s.cools = noon.Add(time.Duration(random.IntN(600)) * time.Second)
			}
			for _, m := range s.play() {
				if !m.listed || m.at.Before(s.cooled) { // nobody foresees a cool-down
					continue
				}
				checked++
				if !m.near(s.now, c.slack) {
					t.Errorf("%s, seed %d, %d jobs in %d slots: %s before the end, %s left", name, seed, len(s.jobs), s.slots, s.now.Sub(m.at), m.left)
				}
			}
		}
		if checked < 1000 {
			t.Errorf("%s: %d estimates were checked, want more than a thousand", name, checked)
		}
	}
}

// Before that, the jobs that have begun stand for the others. In a round of the usual
// size, the estimate is off by half at most from the fourth minute on.
func TestTheTimeLeftBeforeEachListIsKnown(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		s := simulate(seed, 256, 32, true)
		for _, m := range s.play() {
			actual := s.now.Sub(m.at)
			if m.at.Sub(noon) > 3*time.Minute && (m.left-actual).Abs() > max(actual/2, 5*time.Second) {
				t.Errorf("seed %d: %s before the end, %s left", seed, actual, m.left)
			}
		}
	}
}
