package round_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"mirrorfleet/producer/round"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/must"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

func (b *bundle) leading(name string) round.Config {
	return round.Config{Bus: b.bus, Name: name, Hold: 5 * time.Second, Log: slog.New(slog.DiscardHandler)}
}

// One producer leads; another stands by until the first has ended, and follows
// nobody, for that one has gone in order.
func TestOneProducerLeads(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx := deadline(t)
	first, stopFirst := context.WithCancel(ctx)
	leads, said, ends := make(chan string, 2), &telemetrytest.Log{}, make(chan error, 2)
	go func() {
		ends <- round.Lead(first, b.leading("first"), func(ctx context.Context, follows string) error {
			leads <- "first after " + follows
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	if got := <-leads; got != "first after " {
		t.Errorf("got %q, want the first", got)
	}
	standby := b.leading("second")
	standby.Log = slog.New(slog.NewTextHandler(said, nil))
	go func() {
		ends <- round.Lead(ctx, standby, func(_ context.Context, follows string) error {
			leads <- "second after " + follows
			return nil
		})
	}()
	said.Await(ctx, t, "standing by")
	select {
	case got := <-leads:
		t.Fatalf("%s leads beside the first", got)
	default:
	}
	stopFirst()
	if got := <-leads; got != "second after " {
		t.Errorf("got %q, want the second, after nobody", got)
	}
	if one, two := <-ends, <-ends; !errors.Is(errors.Join(one, two), context.Canceled) || one != nil && two != nil {
		t.Errorf("they ended with %v and %v, want one stopped and one done", one, two)
	}
}

// Who follows a leader that died is told its name, and takes what it held at
// once; what others hold is waited for.
func TestWhoFollowsTakesWhatTheLeaderHeld(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, m := deadline(t), b.plan(t, four()[0])
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, m))
	hold := func(what, name string, for_ time.Duration) {
		if _, err := b.bus.Holders.Set(ctx, what, job.Holder{Name: name, For: for_, Since: time.Now()}, 0); err != nil {
			t.Fatal(err)
		}
	}
	hold(job.Schedule, "dead/1a2b3c", 300*time.Millisecond)
	hold(m.Round, "dead/4d5e6f", time.Hour)
	err := round.Lead(ctx, b.leading("heir"), func(ctx context.Context, follows string) error {
		if follows != "dead" {
			t.Errorf("the heir follows %q, want dead", follows)
		}
		result, err := b.runner(t, func(c *round.Config) { c.Follows = follows }).Resume(ctx, m.Round)
		if err == nil && result.Revision != 1 {
			t.Errorf("revision %d, want the round concluded", result.Revision)
		}
		return err
	})
	must.Do(t, err)

	other := later(m, "others")
	must.Do(t, b.bus.Rounds.CreateManifest(ctx, other))
	hold(other.Round, "deadly/1", 300*time.Millisecond) // not the one that is followed: its time is waited for
	said := &telemetrytest.Log{}
	_, err = b.runner(t, func(c *round.Config) {
		c.Follows, c.Log = "dead", slog.New(slog.NewTextHandler(said, nil))
	}).Resume(ctx, other.Round)
	must.Do(t, err)
	said.Await(ctx, t, "standing by")
}

// A leader that was silent for too long is taken over from: its work ends, and it
// stands by again.
func TestALeaderThatStallsIsTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t, jobstream.Config{})
	ctx, times := deadline(t), 0
	err := round.Lead(ctx, b.leading("stalled"), func(ctx context.Context, _ string) error {
		if times++; times == 2 {
			return nil
		}
		holder, revision, err := b.bus.Holders.Load(ctx, job.Schedule)
		if err != nil {
			return err
		}
		holder.Name, holder.Released = "other/1", true // it has come, led and ended
		for {
			if _, err = b.bus.Holders.Set(ctx, job.Schedule, holder, revision); !errors.Is(err, jobstream.ErrConflict) {
				break
			}
			if _, revision, err = b.bus.Holders.Load(ctx, job.Schedule); err != nil {
				return err
			}
		}
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), round.ErrHoldLost) {
			t.Errorf("the work ended because of %v, want ErrHoldLost", context.Cause(ctx))
		}
		return context.Cause(ctx)
	})
	if err != nil || times != 2 {
		t.Errorf("led %d times, %v; want twice", times, err)
	}
}
