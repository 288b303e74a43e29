package ratelimit

import (
	"sync/atomic"
	"time"
)

// Stats is what this process knows of itself; it costs no call.
type Stats struct {
	Granted int64 // permits handed out
	Late    int64 // reservations thrown away because their use-by had passed
	Void    int64 // reservations thrown away because a cool-down began
	Refused int64 // times told to ask again later
	Asked   int64 // calls to Redis for a slot or a cool-down
	Lost    int64 // of these, the ones without a usable answer: each may have spent a slot
	// Waiting is how many callers wait for a permit now, WaitingSince since when
	// there has been one without a break; zero for none.
	Waiting      int
	WaitingSince time.Time
	// BlockedSince is since when Redis has not answered, as seen by the last
	// call; zero while it does.
	BlockedSince time.Time
}

type counters struct {
	granted, late, void, refused, asked, lost atomic.Int64
}

// Stats returns the figures of this process.
func (l *Limiter) Stats() Stats {
	stats := Stats{
		Granted: l.count.granted.Load(), Late: l.count.late.Load(), Void: l.count.void.Load(),
		Refused: l.count.refused.Load(), Asked: l.count.asked.Load(), Lost: l.count.lost.Load(),
		BlockedSince: l.health.blocked(),
	}
	stats.Waiting, stats.WaitingSince = l.queue.look()

	return stats
}
