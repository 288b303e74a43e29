package round

import (
	"context"
	"errors"
	"fmt"
)

// collect follows the records until every job of the round has ended.
func (w *work) collect(ctx context.Context, into *tally) error {
	r := w.Runner
	r.cfg.Progress(into.progress())
	if into.ended() {
		return nil
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changes, err := r.cfg.Bus.WatchRecords(watching, w.m.Round)
	if err != nil {
		return fmt.Errorf("watching the records: %w", err)
	}
	for record := range changes {
		into.take(record)
		w.saw(record)
		r.see(ctx, record, into.progress())
		if into.ended() {
			stop()
			for range changes { // its goroutine ends before this one
			}
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for %d jobs: %w", into.progress().Outstanding(), err)
	}
	return errors.New("the watch of the records ended")
}
