package steering

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"mirrorfleet/producer/outcome"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/telemetry"
)

// Replayed is the last replay of a round that this process was asked for. Other processes
// do not know of it.
type Replayed struct {
	// State is ReplayRunning, ReplayEnded or ReplayFailed.
	State     string    `json:"state"`
	StartedAt time.Time `json:"started_at"`
	// UIDs are the miners that ran again. Revision is the outcome that the replay made.
	UIDs     []int  `json:"uids,omitempty"`
	Revision int    `json:"revision,omitempty"`
	Error    string `json:"error,omitempty"`
}

// How a replay stands.
const (
	ReplayRunning = "running"
	ReplayEnded   = "ended"
	ReplayFailed  = "failed"
)

// Why a replay or a cancel is not begun, though it could be later.
var (
	ErrReplaying = errors.New("the round is being replayed")
	ErrBusy      = errors.New("too many orders are being carried out")
)

// maxKept bounds how many ended replays are remembered. A month of rounds is fewer.
const maxKept = 1000

// replays owns the replays that an Operator has begun.
type replays struct {
	work Replayer
	now  func() time.Time
	log  *slog.Logger
	ctx  context.Context //nolint:containedctx // the life of the replays, which outlast the requests for them
	quit context.CancelFunc
	wait sync.WaitGroup

	mu     sync.Mutex
	closed bool
	byName map[string]Replayed
}

func newReplays(ctx context.Context, cfg Config) *replays {
	ctx, quit := context.WithCancel(ctx)
	return &replays{
		work:   cfg.Replay,
		now:    cfg.Now,
		log:    cfg.Log,
		ctx:    ctx,
		quit:   quit,
		byName: map[string]Replayed{},
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
	if s.byName[name].State == ReplayRunning {
		return fmt.Errorf("%w: the replay of round %s has not ended", ErrReplaying, name)
	}
	now := 0
	for _, r := range s.byName {
		if r.State == ReplayRunning {
			now++
		}
	}
	if s.closed || now >= atOnce {
		return fmt.Errorf("%w: %s %s being replayed", ErrBusy, plural.Of(now, "round"), plural.Are(now))
	}
	maps.DeleteFunc(s.byName, func(_ string, r Replayed) bool { return len(s.byName) > maxKept && r.State != ReplayRunning })
	began := s.now().UTC()
	s.byName[name] = Replayed{State: ReplayRunning, StartedAt: began}
	s.wait.Go(func() { s.run(name, selection, began) })
	return nil
}

// run runs the replay and remembers how it ended.
func (s *replays) run(name string, selection outcome.Selection, began time.Time) {
	result, did, err := s.work(s.ctx, name, selection)
	end := Replayed{
		State:     ReplayEnded,
		StartedAt: began,
		UIDs:      did.UIDs,
		Revision:  result.Revision,
	}
	switch {
	case err != nil && s.ctx.Err() != nil:
		end = Replayed{State: ReplayFailed, StartedAt: began, Error: "interrupted: the producer is stopping"}
		s.log.InfoContext(s.ctx, "a replay was interrupted: the round's next replay resumes it", "round", name, "error", err)
	case err != nil:
		end = Replayed{State: ReplayFailed, StartedAt: began, Error: telemetry.Scrub(err.Error())}
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
func (s *replays) last(name string) *Replayed {
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
