package round

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/plural"
)

// collect follows the records until every job of the round has ended. The watch alone is
// not enough. After a reconnect it continues from the sequence number that it had reached;
// a stream that has lost its last messages then reuses numbers below that one, and the
// watch skips them. So the ended records that the reconciler lists count too.
func (w *work) collect(ctx context.Context, into *tally) error {
	w.cfg.Progress(into.progress())
	if into.ended() {
		return nil
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	changes, err := w.cfg.Bus.Records.Watch(watching, w.m.Round)
	if err != nil {
		return fmt.Errorf("watching the records: %w", err)
	}
	for open := true; open; {
		var record job.Record
		select {
		case record, open = <-changes:
			if open {
				w.took(ctx, record, into)
			}
		case ended := <-w.listed:
			for _, record := range ended {
				if !into.records[record.UID].Phase.Ended() {
					w.took(ctx, record, into)
				}
			}
		}
		if into.ended() {
			stop()
			for range changes { // its goroutine ends before this one
			}
			return nil
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("waiting for %s: %w", plural.Of(into.progress().Outstanding(), "job"), err)
	}
	return errors.New("the watch of the records ended")
}

// took counts a record, remembers it if its job has ended, and reports the progress.
func (w *work) took(ctx context.Context, record job.Record, into *tally) {
	into.take(record, time.Now())
	w.saw(record)
	w.see(ctx, record, into.progress())
}

// list passes the records of ended jobs to the collector. It returns when the collector
// has taken them, or has ended.
func (w *work) list(ctx context.Context, records []job.Record) {
	var ended []job.Record
	for _, record := range records {
		if record.Phase.Ended() {
			ended = append(ended, record)
		}
	}
	select {
	case w.listed <- ended:
	case <-ctx.Done():
	}
}
