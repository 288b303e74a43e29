package web

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/telemetry"
)

// replayed is the last replay of a round that this process was asked for.
type replayed struct {
	State     string    `json:"state"` // running, ended, failed
	StartedAt time.Time `json:"started_at"`
	// UIDs were run again; Revision is the outcome that came of it.
	UIDs     []int  `json:"uids,omitempty"`
	Revision int    `json:"revision,omitempty"`
	Error    string `json:"error,omitempty"`
}

const (
	running = "running"
	ended   = "ended"
	failed  = "failed"
)

// maxKept bounds what is remembered of replays that have ended; a month of
// rounds is less.
const maxKept = 1000

// replays owns the replays that the API has started.
type replays struct {
	work Replayer
	log  *slog.Logger
	ctx  context.Context //nolint:containedctx // the life of the replays, which outlast the requests for them
	quit context.CancelFunc
	wait sync.WaitGroup

	mu     sync.Mutex
	closed bool
	byName map[string]replayed
}

func newReplays(ctx context.Context, work Replayer, log *slog.Logger) *replays {
	ctx, quit := context.WithCancel(ctx)
	return &replays{work: work, log: log, ctx: ctx, quit: quit, byName: map[string]replayed{}}
}

// atOnce is how many rounds are replayed by one process at once. One would do:
// they share one limit.
const atOnce = 4

// start begins a replay, unless one of the round is under way here. One of
// another process is stood by for, and its round's hold sees to that.
func (s *replays) start(name string, selection outcome.Selection) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byName[name].State == running {
		return &problem{kind: replayUnderWay, detail: fmt.Sprintf("the replay of round %s has not ended", name)}
	}
	now := 0
	for _, r := range s.byName {
		if r.State == running {
			now++
		}
	}
	if s.closed || now >= atOnce {
		return &problem{kind: busy, detail: plural.Of(now, "round") + " " + plural.Are(now) + " being replayed"}
	}
	maps.DeleteFunc(s.byName, func(_ string, r replayed) bool { return len(s.byName) > maxKept && r.State != running })
	began := time.Now().UTC()
	s.byName[name] = replayed{State: running, StartedAt: began}
	s.wait.Go(func() { s.run(name, selection, began) })
	return nil
}

// run does the work and keeps what came of it.
func (s *replays) run(name string, selection outcome.Selection, began time.Time) {
	result, did, err := s.work(s.ctx, name, selection)
	end := replayed{State: ended, StartedAt: began, UIDs: did.UIDs, Revision: result.Revision}
	switch {
	case err != nil && s.ctx.Err() != nil:
		end = replayed{State: failed, StartedAt: began, Error: "broken off: the producer ends"}
		s.log.InfoContext(s.ctx, "a replay was broken off: the round's next replay resumes what was begun of it", "round", name, "error", err)
	case err != nil:
		end = replayed{State: failed, StartedAt: began, Error: telemetry.Scrub(err.Error())}
		s.log.WarnContext(s.ctx, "a replay failed", "round", name, "error", err)
	default:
		s.log.InfoContext(s.ctx, "a replay has ended", "round", name, "revision", result.Revision, "uids", did.UIDs,
			"complete", result.Complete)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byName[name] = end
}

// last is the last replay of a round, nil if there was none.
func (s *replays) last(name string) *replayed {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, there := s.byName[name]
	if !there {
		return nil
	}
	return &r
}

// close ends all and waits for them.
func (s *replays) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.quit()
	s.wait.Wait()
}
