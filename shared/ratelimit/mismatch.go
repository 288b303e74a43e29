package ratelimit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// mismatch knows whether this process's parameters are those that its egress goes by,
// and tells the log when they are not, and when they are again, once each.
type mismatch struct {
	log *slog.Logger
	cfg Config

	mu    sync.Mutex
	since time.Time // zero while they agree
}

func (m *mismatch) heard(ctx context.Context, reply bucket.Reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch differs := reply.Verdict == bucket.Differs; {
	case differs && m.since.IsZero():
		m.since = time.Now()
		m.log.ErrorContext(ctx, "the egress is in use with other parameters: this process sends nothing until nobody uses those. "+
			"All processes of an egress need the same --limit-requests, --limit-window, --limit-rate and --limit-horizon",
			"egress", m.cfg.Egress, "this_process", params(m.cfg.request().Params()), "in_force", params(reply.Params))
	case !differs && !m.since.IsZero():
		m.log.InfoContext(ctx, "the egress goes by this process's parameters", "egress", m.cfg.Egress, "after", time.Since(m.since))
		m.since = time.Time{}
	}
}

// params are bucket.Params as a person reads them.
type params bucket.Params

// LogValue names each parameter by its flag.
func (p params) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("limit_requests", p.Limit), slog.Duration("limit_window", micros(p.Window)),
		slog.Float64("limit_rate", rate(micros(p.Interval))), slog.Duration("limit_horizon", micros(p.Horizon)),
	)
}

// rate is permits per second, as precise as anybody reads it.
func rate(interval time.Duration) float64 {
	const thousandths = 1000
	return float64(int64(thousandths/interval.Seconds())) / thousandths
}
