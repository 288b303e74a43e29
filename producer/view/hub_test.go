package view_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mirrorfleet/producer/view"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/lifetest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a round that a producer runs, of which a test changes the records.
type running struct {
	t   *testing.T
	bus *jobstream.Bus
	hub *view.Hub
	// miners are the uids from 1 on.
	miners int
}

func setup(t *testing.T, miners int) *running {
	t.Helper()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	r := &running{t: t, bus: bus, hub: view.NewHub(t.Context(), bus, jobstreamtest.Quiet()), miners: miners}
	t.Cleanup(r.hub.Close)
	raw := json.RawMessage(`{}`)
	m := job.Manifest{Round: "r1", Registry: raw, Languages: raw, Tokens: raw}
	for uid := 1; uid <= miners; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: fmt.Sprint("h", uid), GitHubID: fmt.Sprint(100 + uid)})
		must.Get(bus.Records.Plan(t.Context(), job.Plan("r1", uid, "")))(t)
	}
	must.Do(t, bus.Rounds.CreateManifest(t.Context(), m))
	must.Get(bus.Holders.Set(t.Context(), "r1", job.Holder{Name: "p1", For: time.Hour}, 0))(t)
	return r
}

// ends lets the producer leave the round, which ends it for whoever follows it.
func (r *running) ends() {
	r.t.Helper()
	_, revision, err := r.bus.Holders.Load(r.t.Context(), "r1")
	must.Do(r.t, err)
	must.Get(r.bus.Holders.Set(r.t.Context(), "r1", job.Holder{Name: "p1", For: time.Hour, Released: true}, revision))(r.t)
}

// step takes a miner's job one step further, as a worker would. Some attempts fail.
func (r *running) step(uid int) {
	r.t.Helper()
	record, revision, err := r.bus.Records.Load(r.t.Context(), "r1", uid)
	must.Do(r.t, err)
	switch claim := fmt.Sprint("c", record.Deliveries); {
	case record.Phase == job.Planned:
		claim = fmt.Sprint("c", record.Deliveries+1)
		record = must.Get(record.Claimed(job.Claim{ID: claim, Worker: "w1", Sequence: 1, Delivery: 1}))(r.t)
	case record.Phase == job.Running && uid%3 == 0 && record.Failures < job.MaxFailures-1:
		failure := job.Failure{Class: job.Transient, Error: "status 502", At: time.Now(), Delay: time.Second}
		record = must.Get(record.FailedAttempt(claim, job.Spent{}, failure))(r.t)
	case record.Phase == job.Running:
		record = must.Get(record.Committed(claim, 1, job.EvaluationKey("r1", uid, claim), uid%5 == 0, time.Now()))(r.t)
	default:
		return
	}
	must.Get(r.bus.Records.Update(r.t.Context(), record, revision))(r.t)
}

// viewer is what somebody knows of a round who has lost the connection from time to time.
type viewer struct {
	last   uint64
	miners map[int]view.MinerNow
	counts view.RoundProgress
	ended  int
}

// hears takes an event. One that the viewer had already is an error, unless the job runs or
// waits, and so is an ID that falls.
func (v *viewer) hears(t *testing.T, e view.Event) {
	t.Helper()
	if e.ID < v.last {
		t.Errorf("an event has the ID %d after %d", e.ID, v.last)
	}
	v.last = e.ID
	switch e.Type {
	case view.EventMiner:
		m := *e.Miner
		m.Doing = ""
		if (m.Phase == job.Done || m.Phase == job.Failed) && v.miners[m.UID] == m {
			t.Errorf("the end of miner %d is told twice", m.UID)
		}
		v.miners[m.UID] = m
	case view.EventProgress:
		v.counts = *e.Progress
	case view.EventEnd:
		v.ended++
	}
}

// A viewer that loses its connection at any place, also between two events that were seen
// together, and comes back with the ID of its last event, knows in the end what one knows that
// was there all the time, and was told nothing twice. That holds while another viewer stays, so
// that one look serves both, and when each connection begins a look of its own.
func TestResumptionIsExact(t *testing.T) {
	t.Parallel()
	for name, stays := range map[string]bool{"another viewer stays": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, 40)
			random := rand.New(rand.NewPCG(1, 2)) // so that a failure can be repeated
			ctx := t.Context()
			connections := 100
			if stays {
				other := must.Get(r.hub.Subscribe(ctx, "r1", 0))(t)
				defer other.Close()
				connections = 15 // each waits for the next look
			}
			v := &viewer{miners: map[int]view.MinerNow{}}
			connect := func(lost bool) error {
				s := must.Get(r.hub.Subscribe(ctx, "r1", v.last))(t)
				defer s.Close()
				for looks := 1; ; looks++ {
					events, err := s.Next(ctx, time.Second)
					for _, e := range events {
						if v.hears(t, e); lost && random.IntN(8) == 0 {
							return nil
						}
					}
					if err != nil || lost && (looks == 2 || !stays) {
						return err
					}
				}
			}
			for range connections {
				for range random.IntN(12) {
					r.step(1 + random.IntN(r.miners))
				}
				must.Do(t, connect(true))
			}
			for uid := 1; uid <= r.miners; uid++ {
				for range 2 * job.MaxFailures {
					r.step(uid)
				}
			}
			r.ends()
			if err := connect(false); !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v, want EOF", err)
			}
			r.compare(v)
		})
	}
}

// compare compares what a viewer knows with what one knows that has never been away.
func (r *running) compare(v *viewer) {
	r.t.Helper()
	whole := &viewer{miners: map[int]view.MinerNow{}}
	f := must.Get(view.NewFollow(r.t.Context(), r.bus, "r1", time.Now()))(r.t)
	must.Get(f.Run(r.t.Context(), func(e view.Event) error { whole.hears(r.t, e); return nil }))(r.t)
	if diff := cmp.Diff(whole, v, cmp.AllowUnexported(viewer{})); diff != "" || len(v.miners) != r.miners || v.counts.Done != r.miners {
		r.t.Errorf("what the viewer knows (-want +got):\n%s", diff)
	}
}

// However many view a round, it is followed once, and when the last one leaves it is not
// followed any more. There is room for so many and no more.
func TestViewersShareOneLook(t *testing.T) {
	t.Parallel()
	r := setup(t, 3)
	r.step(1)
	before := r.hub.Following()
	var all []*view.Subscription
	for range view.MaxViewers {
		s := must.Get(r.hub.Subscribe(t.Context(), "r1", 0))(t)
		events := must.Get(s.Next(t.Context(), time.Minute))(t)
		if len(events) != 2 || events[0].Miner == nil || events[0].Miner.Phase != job.Running || events[1].Progress == nil {
			t.Fatalf("a viewer is told %+v, want the miner that runs, and the counts", events)
		}
		all = append(all, s)
	}
	if _, err := r.hub.Subscribe(t.Context(), "r1", 0); !errors.Is(err, view.ErrViewers) {
		t.Errorf("one viewer more: %v, want that there is no room", err)
	}
	r.step(1)
	for _, s := range all {
		events := must.Get(s.Next(t.Context(), time.Minute))(t)
		if len(events) != 2 || events[0].Miner.Phase != job.Done {
			t.Errorf("a viewer is told %+v, want that the miner is done", events)
		}
		if m := s.Moment(t.Context(), time.Now()); m.Progress.Done != 1 || len(m.Miners) != 3 {
			t.Errorf("the moment is %+v, want one done of three", m)
		}
	}
	if n := r.hub.Following(); before != 0 || n != 1 {
		t.Errorf("%d and then %d looks for %d viewers, want 0 and 1", before, n, view.MaxViewers)
	}
	for _, s := range all {
		s.Close()
		s.Close()
	}
	if n := r.hub.Following(); n != 0 {
		t.Errorf("%d looks without viewers, want none", n)
	}
	must.Get(r.hub.Subscribe(t.Context(), "r1", 0))(t).Close()
}

// Whoever comes back is told of what runs or waits for a retry also if its record has not changed,
// for what it waits for has, but not of what has ended or was never begun.
func TestWhatRunsIsToldAgain(t *testing.T) {
	t.Parallel()
	r := setup(t, 5)
	for _, uid := range []int{1, 2, 2, 3, 3} { // 1 runs, 2 is done, 3 waits for a retry
		r.step(uid)
	}
	const last = 10 // five plans, five steps
	s := must.Get(r.hub.Subscribe(t.Context(), "r1", last))(t)
	defer s.Close()
	var told []string
	for _, e := range must.Get(s.Next(t.Context(), time.Minute))(t) {
		about := string(e.Type)
		if e.Miner != nil {
			about = fmt.Sprint(e.Miner.UID, " ", e.Miner.Phase)
		}
		told = append(told, fmt.Sprint(e.ID, " ", about))
	}
	if diff := cmp.Diff([]string{"10 1 running", "10 3 planned", "10 progress"}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// A viewer that takes nothing keeps nobody waiting, and finds the round as it stands when it
// comes back: what was replaced in the meantime is not kept for it.
func TestASlowViewerIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	r := setup(t, 6)
	slow := must.Get(r.hub.Subscribe(t.Context(), "r1", 0))(t)
	defer slow.Close()
	quick := must.Get(r.hub.Subscribe(t.Context(), "r1", 0))(t)
	defer quick.Close()
	for range 3 {
		for uid := 1; uid <= r.miners; uid++ {
			r.step(uid)
		}
		must.Get(quick.Next(t.Context(), time.Minute))(t)
	}
	r.ends()
	for {
		if _, err := quick.Next(t.Context(), time.Minute); err != nil {
			break
		}
	}
	events := must.Get(slow.Next(t.Context(), time.Minute))(t)
	if len(events) != r.miners+2 || events[len(events)-1].Type != view.EventEnd {
		t.Errorf("it is told %+v, want one event for each miner, the counts and the end", events)
	}
	if _, err := slow.Next(t.Context(), time.Minute); !errors.Is(err, io.EOF) {
		t.Errorf("then %v, want EOF", err)
	}
}

// An ID of a stream that was since set back says nothing: the viewer is told everything. A round
// that does not exist is refused, with those that do, and so is everything after the end.
func TestWhatCannotBeViewed(t *testing.T) {
	t.Parallel()
	r := setup(t, 2)
	r.step(1)
	s := must.Get(r.hub.Subscribe(t.Context(), "r1", 1_000_000))(t)
	defer s.Close()
	if events := must.Get(s.Next(t.Context(), time.Minute))(t); len(events) != 2 || events[1].ID != 3 {
		t.Errorf("with an ID that is ahead: %+v, want the miner that runs, and the counts up to 3", events)
	}
	if _, err := r.hub.Subscribe(t.Context(), "r9", 0); !errors.Is(err, view.ErrNoRound) {
		t.Errorf("of a round that is not there: %v", err)
	}
	if events, err := s.Next(t.Context(), time.Millisecond); len(events) > 0 || err != nil {
		t.Errorf("while nothing changes: %v, %v; want nothing", events, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("of a viewer that has gone: %v", err)
	}
	r.hub.Close()
	if _, err := s.Next(t.Context(), time.Minute); !errors.Is(err, view.ErrHubClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.hub.Subscribe(t.Context(), "r1", 0); !errors.Is(err, view.ErrHubClosed) {
		t.Errorf("a new viewer after Close: %v", err)
	}
}

func TestHubsStop(t *testing.T) {
	t.Parallel()
	r := setup(t, 2)
	lifetest.Stress(t, 20, func(ctx context.Context) (func() error, error) {
		hub := view.NewHub(ctx, r.bus, jobstreamtest.Quiet())
		_, err := hub.Subscribe(ctx, "r1", 0) // which nobody closes
		return func() error { hub.Close(); return nil }, err
	})
}
