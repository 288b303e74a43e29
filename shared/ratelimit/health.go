package ratelimit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// health knows since when Redis does not answer and tells the log of the loss
// and of the return, once each.
type health struct {
	log    *slog.Logger
	egress string
	mu     sync.Mutex
	since  time.Time // zero while Redis answers
}

func (h *health) lost(ctx context.Context, now time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.since.IsZero() {
		return
	}
	h.since = now
	trace.SpanFromContext(ctx).AddEvent("no answer from redis")
	h.log.WarnContext(ctx, "Redis does not answer: nothing is sent until it returns",
		"egress", h.egress, "error", err)
}

func (h *health) back(ctx context.Context, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return
	}
	h.log.InfoContext(ctx, "Redis answers again", "egress", h.egress, "after", now.Sub(h.since))
	h.since = time.Time{}
}

// blocked returns since when Redis has not answered, zero while it does.
func (h *health) blocked() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()

	return h.since
}
