package ratelimit

import (
	"context"
	"log/slog"
	"time"

	"mirrorfleet/shared/ratelimit/bucket"
)

// The values with which tests outside the package compare.
var (
	ReserveSource = reserveSource
	Key           = key
)

// Interval is the distance of two slots of a Config.
func Interval(c Config) int64 { return c.withDefaults().interval().Microseconds() }

// Usable says whether l would hand out a reservation with this use-by at now.
func Usable(l *Limiter, useBy, now time.Time) bool {
	return l.usable(context.Background(), &l.round, reservation{bucket.Reservation{UseBy: useBy}, bucket.Reply{}, l.cool.watch()}, now)
}

// ParamsOf is how the parameters of a Config are logged.
func ParamsOf(c Config) slog.LogValuer { return params(c.withDefaults().request().Params()) }

// Rest waits as a process does that was told to ask again after d.
func Rest(ctx context.Context, l *Limiter, d time.Duration) error { return l.rest(ctx, d) }

// Channel is where the notices of an egress are published.
func Channel(egress string) string { return key(egress) + channelSuffix }

// MaxInWindow is what no window of a Config may exceed: L − spare.
func MaxInWindow(c Config) int {
	c = c.withDefaults()
	return c.Limit - c.Spare
}
