package round

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// lookForOrders is how often the producer of a round looks for orders to cancel: one small
// read a second, and an operator waits no longer. It looks and does not watch, because a
// watch may miss what a restored stream has (collect).
const lookForOrders = time.Second

// errCancelled is the reason that the outcome gives for look-ups that were cut off.
var errCancelled = errors.New("the round is cancelled: it does not wait any longer")

// followOrders ends what operators cancel of this run, until ctx ends.
func (w *work) followOrders(ctx context.Context) {
	ticker := time.NewTicker(lookForOrders)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		w.tryToObey(ctx)
	}
}

// tryToObey obeys, and never ends the run: if something could not be read or ended, the
// next look tries again.
func (w *work) tryToObey(ctx context.Context) {
	if err := w.obey(ctx); err != nil && ctx.Err() == nil {
		w.cfg.Log.WarnContext(ctx, "could not carry out the order to cancel: trying again", "round", w.m.Round, "error", err)
	}
}

// obey ends the jobs that the orders name, in the way in which an overdue round ends them
// (giveUp).
func (w *work) obey(ctx context.Context) error {
	if err := w.readOrders(ctx); err != nil {
		return err
	}
	orders := w.orders()
	return w.giveUp(ctx, w.ordered(), func(record job.Record, now time.Time) job.Failure {
		order, _ := orders.Of(record.UID)
		return order.Failure(record, now)
	})
}

// readOrders reads the orders of this run, and remembers those that are new. Orders that
// the streams have lost since stay in force. Orders that cannot be read count as none: the
// operator who gave them sees that nothing ends, and gives them again.
func (w *work) readOrders(ctx context.Context) error {
	stored, err := w.cfg.Bus.Rounds.Cancel(ctx, w.m.Round, w.replay.Number)
	if jobstream.Damaged(err) {
		w.cfg.Log.WarnContext(ctx, "an order to cancel cannot be read: give it again", "round", w.m.Round, "error", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the orders to cancel round %s: %w", w.m.Round, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range stored.Orders {
		next, isNew := w.cancel.With(o)
		if !isNew {
			continue
		}
		w.cancel = next
		w.cfg.Log.WarnContext(ctx, "an operator cancels the round, or jobs of it", "round", w.m.Round, "replay", w.replay.Number,
			"whole", o.Whole(), "uids", o.UIDs, "by", o.By, "reason", o.Reason)
	}
	return nil
}

// orders are the orders as this process has seen them.
func (w *work) orders() job.Cancel {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cancel
}

// ordered are the jobs that the orders name and that this process has not seen end.
func (w *work) ordered() (jobs []job.Job) {
	orders := w.orders()
	for _, j := range w.jobs {
		if _, named := orders.Of(j.UID); !named {
			continue
		}
		if _, ended := w.end(j.UID, j.Replay); !ended {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// whileWanted returns a context for look-ups of maintainers that ends Config.MaintainerGrace
// after this process has seen that the whole round is cancelled. An overdue round has the
// same grace (lastLookUp). The caller must call stop, which waits for the goroutine.
func (w *work) whileWanted(ctx context.Context) (wanted context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		if !w.awaitWhole(ctx) {
			return
		}
		timer := time.NewTimer(w.cfg.MaintainerGrace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(errCancelled)
		case <-ctx.Done():
		}
	})
	return ctx, func() { cancel(nil); watch.Wait() }
}

// awaitWhole waits until the whole round is cancelled; false if ctx ends first.
func (w *work) awaitWhole(ctx context.Context) bool {
	ticker := time.NewTicker(lookForOrders)
	defer ticker.Stop()
	for !w.orders().Whole() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
		if err := w.readOrders(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Log.DebugContext(ctx, "could not read the orders to cancel: reading them again", "round", w.m.Round, "error", err)
		}
	}
	return true
}
