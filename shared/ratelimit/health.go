package ratelimit

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// fresh is for how long an answer tells how Redis is. A question that comes sooner is
// answered from the last one, so that no page can make a process call Redis more often.
const fresh = 2 * time.Second

// health knows how the last call to Redis ended, and tells the log when the trouble
// begins, when it changes its kind, and when it ends.
type health struct {
	log    *slog.Logger
	egress string

	mu    sync.Mutex
	since time.Time // zero while Redis grants
	err   error     // of the last call, as Trouble says it
	at    time.Time // of the last call

	checking sync.Mutex // one check at a time
}

func (h *health) lost(ctx context.Context, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, began := h.err, h.since.IsZero()
	h.err, h.at = Trouble(err), now
	if began {
		h.since = now
		trace.SpanFromContext(ctx).AddEvent("no answer from redis")
	}
	code := Code(h.err)
	switch {
	case !began && code == Code(before):
	case code == "":
		h.log.WarnContext(ctx, "Redis does not answer: nothing is sent until it returns", "egress", h.egress, "error", err)
	default:
		h.log.WarnContext(ctx, "Redis refuses: nothing is sent until it grants permits again",
			"egress", h.egress, "code", code, "error", h.err)
	}
}

func (h *health) back(ctx context.Context, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = now
	if h.since.IsZero() {
		return
	}
	message := "Redis answers again"
	if Code(h.err) != "" {
		message = "Redis grants permits again"
	}
	h.log.InfoContext(ctx, message, "egress", h.egress, "after", now.Sub(h.since))
	h.since, h.err = time.Time{}, nil
}

// blocked returns since when Redis has not granted, zero while it does, and why.
func (h *health) blocked() (time.Time, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.since, h.err
}

// recent says how Redis was a moment ago, if that is known.
func (h *health) recent(now time.Time) (err error, known bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err, !h.at.IsZero() && now.Sub(h.at) < fresh
}

// Check says why no permit would be granted now, nil if one would. It spends none: the
// script takes down the bucket's time and nothing else, by the same rights and the same
// kind of write as a permit's. Where a call was answered a moment ago, that answer
// counts. Waits that are in force (a full queue, a cool-down, a hold) are no error.
func (l *Limiter) Check(ctx context.Context) error {
	l.health.checking.Lock()
	defer l.health.checking.Unlock()
	if err, known := l.health.recent(time.Now()); known {
		return err
	}
	asked := time.Now()
	reply, err := l.record.ask(ctx, l.session.fill(l.cfg.request(), asked))
	answered := time.Now()
	if err != nil {
		if ctx.Err() != nil { // the caller has gone, and nothing is known of Redis
			return fmt.Errorf("ratelimit: checking: %w", context.Cause(ctx))
		}
		l.health.lost(ctx, answered, err)
		_, err = l.health.blocked()
		return err
	}
	l.health.back(ctx, answered)
	if l.session.learn(reply, answered) {
		l.count.lostStates.add(ctx)
	}
	return nil
}
