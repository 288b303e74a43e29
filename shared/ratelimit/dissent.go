package ratelimit

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// dissent knows whether this process's figures are those that its egress goes by,
// and tells the log when they are not, and when they are again, once each.
type dissent struct {
	log *slog.Logger
	cfg Config

	mu    sync.Mutex
	since time.Time // zero while they agree
}

func (d *dissent) heard(ctx context.Context, reply bucket.Reply) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch differs := reply.Verdict == bucket.Differs; {
	case differs && d.since.IsZero():
		d.since = time.Now()
		d.log.ErrorContext(ctx, "the egress is in use with other figures: this process sends nothing until nobody uses those. "+
			"All processes of an egress need the same --limit-requests, --limit-window, --limit-rate and --limit-horizon",
			"egress", d.cfg.Egress, "this_process", figures(d.cfg.request().Figures()), "in_force", figures(reply.Figures))
	case !differs && !d.since.IsZero():
		d.log.InfoContext(ctx, "the egress goes by this process's figures", "egress", d.cfg.Egress, "after", time.Since(d.since))
		d.since = time.Time{}
	}
}

// figures are bucket.Figures as a person reads them.
type figures bucket.Figures

// LogValue names each figure by its flag.
func (f figures) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Int64("limit_requests", f.Limit), slog.Duration("limit_window", micros(f.Window)),
		slog.Float64("limit_rate", rate(micros(f.Interval))), slog.Duration("limit_horizon", micros(f.Horizon)),
	)
}

// rate is permits per second, as precise as anybody reads it.
func rate(interval time.Duration) float64 {
	const thousandths = 1000

	return float64(int64(thousandths/interval.Seconds())) / thousandths
}
