package ratelimit

import "time"

// Stats is what this process knows of itself; it costs no call.
type Stats struct {
	Granted int64 // permits handed out, of both classes
	Late    int64 // reservations thrown away because their use-by had passed
	Void    int64 // reservations thrown away because a cool-down began
	Refused int64 // times told to ask again later
	Asked   int64 // calls to Redis for a slot or a cool-down
	Lost    int64 // of these, the ones without a usable answer: each may have spent a slot
	// Background is how many of Granted went to the background.
	Background int64
	// Waiting is how many callers wait for a permit of the round now, TurnSince since
	// when the first in line has been first; zero for none.
	Waiting   int
	TurnSince time.Time
	// BlockedSince is since when Redis has granted nothing, as seen by the last
	// call, zero while it does; Trouble is why: it refuses, or does not answer.
	BlockedSince time.Time
	Trouble      error
}

// Stats returns what this process counted.
func (l *Limiter) Stats() Stats {
	stats := Stats{
		Asked: l.count.asked.n.Load(), Lost: l.count.lost.n.Load(), Background: l.background[0].count.granted.n.Load(),
	}
	for _, count := range []*permitCounters{l.round.count, l.background[0].count} {
		stats.Granted += count.granted.n.Load()
		stats.Late += count.late.n.Load()
		stats.Void += count.void.n.Load()
		stats.Refused += count.refused.n.Load()
	}
	stats.BlockedSince, stats.Trouble = l.health.blocked()
	now := l.round.queue.look()
	stats.Waiting, stats.TurnSince = now.waiting, now.turn
	return stats
}
