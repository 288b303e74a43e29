package session

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nuid"

	"mirrorfleet/producer/schedule"
	"mirrorfleet/shared/command"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/telemetry"
)

// signs show this process to others while it serves, or stands by for a round. Nothing depends
// on them: one that fails is dropped, and the log has the first failure and the return.
type signs struct {
	presence jobstream.Presence
	log      *slog.Logger
	// process is the key. It is new after each start, so a process that died stays visible beside
	// its successor.
	process string
	trouble func() error

	// The rest belongs to the goroutine that shows signs, and to the last word after it.
	of     job.Producer
	failed bool // the last sign was dropped
}

// showSigns shows this process until stop is called, which also stores its last word. round
// is the only one that the process is there for, "" for the schedule. trouble says why no turn
// can begin.
func (s *Session) showSigns(ctx context.Context, round string, trouble func() error) (stop func()) {
	ctx = context.WithoutCancel(ctx) // until the process ends, and not only until it is told to
	host, err := os.Hostname()
	if err != nil {
		s.cfg.Log.DebugContext(ctx, "no host name for the signs of life", "error", err)
	}
	w := &signs{
		presence: s.fleet.Bus.Presence,
		log:      s.cfg.Log,
		process:  nuid.Next(),
		trouble:  trouble,
		of: job.Producer{
			Name:    s.name,
			Build:   command.Build(),
			Host:    host,
			Round:   round,
			Started: time.Now().UTC(),
		},
	}
	showing, end := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() {
		ticker := time.NewTicker(job.WorkerSignEvery)
		defer ticker.Stop()
		for {
			w.show(showing)
			select {
			case <-ticker.C:
			case <-showing.Done():
				return
			}
		}
	})
	return func() {
		end()
		work.Wait()
		w.of.Left = "stopped"
		w.show(ctx)
	}
}

// show makes and stores one sign.
func (w *signs) show(ctx context.Context) {
	w.of.At = time.Now().UTC()
	w.of.PutOff = putOff(w.trouble(), w.of.PutOff, w.of.At)
	err := w.presence.ShowProducer(ctx, w.process, w.of)
	switch {
	case ctx.Err() != nil:
		return // the process ends, which is no failure
	case err != nil && !w.failed:
		w.log.WarnContext(ctx, "signs of life are dropped: producer rounds does not show this process as it is", "error", err)
	case err == nil && w.failed:
		w.log.InfoContext(ctx, "signs of life are stored again")
	}
	w.failed = err != nil
}

// putOff returns what delays the next turn, in place of the former delay; nil means nothing.
// The delay counts from the first reason, whatever the reasons in between.
func putOff(trouble error, before *job.PutOff, now time.Time) *job.PutOff {
	if trouble == nil {
		return nil
	}
	off := &job.PutOff{Input: postponedBy(trouble), Why: telemetry.Scrub(trouble.Error()), Since: now}
	if postponed, is := errors.AsType[*schedule.PostponedError](trouble); is {
		off.Why = telemetry.Scrub(postponed.Err.Error())
	}
	if before != nil {
		off.Since = before.Since
	}
	return off
}
