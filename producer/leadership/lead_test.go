package leadership_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"mirrorfleet/producer/leadership"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry/telemetrytest"
)

// One producer leads; another stands by until the first has ended, and follows
// nobody, for that one has gone in order.
func TestOneProducerLeads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := deadline(t)
	first, stopFirst := context.WithCancel(ctx)
	leads := make(chan string, 2)
	said := &telemetrytest.Log{}
	ends := make(chan error, 2)
	go func() {
		ends <- leadership.Lead(first, b.leading("first"), job.Schedule, func(ctx context.Context, follows string) error {
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
		ends <- leadership.Lead(ctx, standby, job.Schedule, func(_ context.Context, follows string) error {
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

// A leader that was silent for too long is taken over from: its work ends, and it
// stands by again.
func TestALeaderThatStallsIsTakenOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, times := deadline(t), 0
	err := leadership.Lead(ctx, b.leading("stalled"), job.Schedule, func(ctx context.Context, _ string) error {
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
		if !errors.Is(context.Cause(ctx), leadership.ErrLost) {
			t.Errorf("the work ended because of %v, want ErrLost", context.Cause(ctx))
		}
		return context.Cause(ctx)
	})
	if err != nil || times != 2 {
		t.Errorf("led %d times, %v; want twice", times, err)
	}
}
