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

// replayed is the last replay of a round that this process was asked for. Other processes
// do not know of it.
type replayed struct {
	State     string    `json:"state"` // running, ended, failed
	StartedAt time.Time `json:"started_at"`
	// UIDs are the miners that ran again. Revision is the outcome that the replay made.
	UIDs     []int  `json:"uids,omitempty"`
	Revision int    `json:"revision,omitempty"`
	Error    string `json:"error,omitempty"`
}

const (
	running = "running"
	ended   = "ended"
	failed  = "failed"
)

// maxKept bounds how many ended replays are remembered. A month of rounds is fewer.
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
	return &replays{
		work:   work,
		log:    log,
		ctx:    ctx,
		quit:   quit,
		byName: map[string]replayed{},
	}
}

// atOnce is how many rounds one process replays at the same time. More would gain nothing:
// they share one limit.
const atOnce = 4

// start begins a replay, unless this process is replaying the round already. If another
// process is, the new replay stands by until that one has ended: leadership of the round
// sees to that.
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

// run runs the replay and remembers how it ended.
func (s *replays) run(name string, selection outcome.Selection, began time.Time) {
	result, did, err := s.work(s.ctx, name, selection)
	end := replayed{
		State:     ended,
		StartedAt: began,
		UIDs:      did.UIDs,
		Revision:  result.Revision,
	}
	switch {
	case err != nil && s.ctx.Err() != nil:
		end = replayed{State: failed, StartedAt: began, Error: "interrupted: the producer is stopping"}
		s.log.InfoContext(s.ctx, "a replay was interrupted: the round's next replay resumes it", "round", name, "error", err)
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

// last returns the last replay of a round; nil if this process has run none.
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
