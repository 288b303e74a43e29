package warmup_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/producer/warmup"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/jobstream/jobstreamtest"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/scoring/input"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const miners = 3

func manifest() job.Manifest {
	m := job.Manifest{
		Round: "warm", AsOf: time.Now(), Mirror: "http://x", Registry: []byte(`{}`), Languages: []byte(`{}`), Tokens: []byte(`{}`),
	}
	for uid := 1; uid <= miners; uid++ {
		m.Miners = append(m.Miners, input.Miner{UID: uid, Hotkey: "h", GitHubID: string(rune('0' + uid))})
	}
	return m
}

// A warm-up ends for one reason, which is told; whatever it is, nothing of it is left, and
// nothing is in the queue of jobs.
func TestHowAWarmUpEnds(t *testing.T) {
	t.Parallel()
	queue := func(ctx context.Context, b *jobstream.Bus) error {
		return b.Queue.Publish(ctx, job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: time.Now()})
	}
	for name, c := range map[string]struct {
		// act is what happens when the miners are there.
		act  func(ctx context.Context, b *jobstream.Bus, end context.CancelCauseFunc) error
		time time.Duration
		why  string
		left int
	}{
		"done": {func(ctx context.Context, b *jobstream.Bus, _ context.CancelCauseFunc) error {
			got, err := b.WarmUps.Fetch(ctx, miners)
			for _, d := range got {
				err = d.Ack(ctx)
			}
			return err
		}, time.Hour, job.WarmUpDone, 0},
		"a job": {func(ctx context.Context, b *jobstream.Bus, _ context.CancelCauseFunc) error { return queue(ctx, b) }, time.Hour, job.WarmUpRound, miners},
		"a round": {func(ctx context.Context, b *jobstream.Bus, _ context.CancelCauseFunc) error {
			_, err := b.WarmUps.End(ctx, "", job.WarmUpRound, time.Now())
			return err
		}, time.Hour, job.WarmUpRound, miners},
		"the turn": {func(_ context.Context, _ *jobstream.Bus, end context.CancelCauseFunc) error {
			end(schedule.ErrTurn)
			return nil
		}, time.Hour, job.WarmUpTurn, miners},
		"a signal": {func(_ context.Context, _ *jobstream.Bus, end context.CancelCauseFunc) error {
			end(nil)
			return nil
		}, time.Hour, job.WarmUpStopped, miners},
		"its time": {nil, 500 * time.Millisecond, job.WarmUpOver, miners},
		"another": {func(ctx context.Context, b *jobstream.Bus, _ context.CancelCauseFunc) error {
			return b.WarmUps.Begin(ctx, job.WarmUp{ID: "other", Until: time.Now().Add(time.Hour)}, manifest())
		}, time.Hour, job.WarmUpReplaced, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
			ctx, end := context.WithCancelCause(t.Context())
			defer end(nil)
			acted := make(chan error, 1)
			last, err := warmup.Run(ctx, warmup.Config{
				Bus: bus, Inputs: manifest(), Until: time.Now().Add(c.time), Share: 1, Watch: 20 * time.Millisecond,
				Progress: func(left, all int) {
					if left == miners && all == miners && len(acted) == 0 && c.act != nil {
						acted <- c.act(t.Context(), bus, end)
					}
				},
			})
			must.Do(t, err)
			if last.Why != c.why || last.Left != c.left || last.Miners != miners {
				t.Errorf("it ended as %+v, want %q with %d left of %d", last, c.why, c.left, miners)
			}
			if c.act != nil {
				must.Do(t, <-acted)
			}
			if left := must.Get(bus.WarmUps.Left(t.Context()))(t); left != 0 {
				t.Errorf("%d messages are left in the stream, want none", left)
			}
			if stands := must.Get(bus.WarmUps.Last(t.Context()))(t); stands.Live(time.Now()) != (c.why == job.WarmUpReplaced) {
				t.Errorf("it stands as %+v", stands)
			}
		})
	}
}

// While a job of any round is in the queue, no warm-up begins; one whose time is over by
// then is none.
func TestNoWarmUpBeginsBesideARound(t *testing.T) {
	t.Parallel()
	bus, _ := jobstreamtest.Open(t, jobstreamtest.Start(t).NATSURL(), jobstream.Config{})
	must.Do(t, bus.Queue.Publish(t.Context(), job.Job{Round: "r1", UID: 1, Hotkey: "h", GitHubID: "1", AsOf: time.Now()}))
	cfg := warmup.Config{Bus: bus, Inputs: manifest(), Until: time.Now().Add(300 * time.Millisecond), Share: 1, Watch: 20 * time.Millisecond}
	if last := must.Get(warmup.Run(t.Context(), cfg))(t); last.ID != "" {
		t.Errorf("a warm-up was begun: %+v", last)
	}
	if last := must.Get(bus.WarmUps.Last(t.Context()))(t); last.ID != "" {
		t.Errorf("there is a warm-up: %+v", last)
	}
}
