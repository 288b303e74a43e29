package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// Reading is one reading of another clock, with this machine's time before the request and
// after the answer.
type Reading struct {
	Before, After time.Time
	Server        time.Time
}

// trip is how long the reading took, and so how uncertain it is.
func trip(r Reading) time.Duration { return r.After.Sub(r.Before) }

// Clock is how far a clock is ahead of this machine's: at least Min and at most Max. The
// server may have read it at any instant between request and answer.
type Clock struct {
	Name     string
	Min, Max time.Duration
	// Foreign says that the clock is not the fleet's: its operator is somebody else.
	Foreign bool
}

// ClockOf judges a clock by one reading. exact is the clock's resolution: a clock of whole
// seconds may be up to 1 s further than it says.
func ClockOf(name string, r Reading, exact time.Duration) Clock {
	return Clock{Name: name, Min: r.Server.Sub(r.After), Max: r.Server.Add(exact).Sub(r.Before)}
}

// Clocks compares the clocks of this machine, the NATS servers, Redis and the mirror with
// each other.
type Clocks struct {
	// NATS and Redis are the servers' addresses; "" leaves a server out.
	NATS, Redis string
	NATSFiles   jobstream.Files
	RedisFiles  ratelimit.Files
	// Wait is how long a NATS server that is away is retried. Default: 3 s.
	Wait time.Duration
	// Mirror delivers the mirror's clock, which the mirror's check has read; it is closed
	// without one if that check has failed. Nil: the mirror is not asked.
	Mirror <-chan Clock
}

// Check compares the clocks.
func (c Clocks) Check() Check { return Check{"clocks", c.look} }

func (c Clocks) look(ctx context.Context) []Finding {
	clocks := []Clock{{Name: "this machine"}}
	if c.NATS != "" {
		told, _, err := askServers(ctx, c.NATS, c.NATSFiles, c.Wait)
		if err == nil { // the check of the NATS server reports the error
			for _, s := range told {
				clocks = append(clocks, ClockOf("NATS server "+s.Name, Reading{Before: s.Asked, After: s.Answered, Server: s.Now}, 0))
			}
		}
	}
	if clock, known := c.redis(ctx); known {
		clocks = append(clocks, clock)
	}
	if c.Mirror != nil {
		select {
		case clock, known := <-c.Mirror:
			if known {
				clocks = append(clocks, clock)
			}
		case <-ctx.Done(): // the others are compared without it
		}
	}
	if len(clocks) == 1 {
		return []Finding{skipped("NATS server, Redis server and the mirror")}
	}
	return JudgeClocks(clocks)
}

// redis reads the clock of Redis; false if it cannot be read, which the server's own check
// reports.
func (c Clocks) redis(ctx context.Context) (Clock, bool) {
	if c.Redis == "" {
		return Clock{}, false
	}
	rdb, err := ratelimit.NewSecureClient(c.Redis, callTimeout, c.RedisFiles)
	if err != nil {
		return Clock{}, false
	}
	defer func() { _ = rdb.Close() }() // nothing was written through it
	r, err := readRedis(ctx, rdb)
	return ClockOf("Redis", r, 0), err == nil
}

// looks is how often Redis' clock is read. The first reading opens the connection, and any
// other may be delayed; of seven, one is likely not to be.
const looks = 7

// readRedis returns the reading of Redis' clock that took the shortest time, which is the
// most exact one. Its time is also the round trip that JudgeTrip judges.
func readRedis(ctx context.Context, rdb *redis.Client) (best Reading, err error) {
	for i := range looks {
		before := time.Now()
		server, err := rdb.Time(ctx).Result()
		if err != nil {
			return best, err //nolint:wrapcheck // the finding says of what
		}
		if r := (Reading{Before: before, After: time.Now(), Server: server}); i == 0 || trip(r) < trip(best) {
			best = r
		}
	}
	return best, nil
}

// How far clocks may be apart. Rounds are named and sorted by the producer's clock. A
// producer whose clock is behind by the takeover time (15 s) would begin a round, after a
// takeover, that sorts before the last one: that is a fault. NATS redelivers by its
// servers' clocks, where 2 s are noticed.
const (
	clockOff    = 15 * time.Second
	clockUneven = 2 * time.Second
)

// JudgeClocks compares clocks with each other and names the two of the fleet that are
// furthest apart. Only a difference that is certain counts. The mirror's clock can only
// give a warning: its operator may be at fault, or the whole fleet.
func JudgeClocks(clocks []Clock) []Finding {
	var found []Finding
	ahead, behind, by := furthest(clocks, func(a, b Clock) bool { return !a.Foreign && !b.Foreign })
	switch {
	case by >= clockOff:
		found = append(found, fault(ClocksDiffer, "%s", apart(ahead, behind, by)))
	case by >= clockUneven:
		found = append(found, warn(ClocksDiffer, "%s", apart(ahead, behind, by)))
	}
	ahead, behind, by = furthest(clocks, func(a, b Clock) bool { return a.Foreign != b.Foreign })
	if by >= clockUneven {
		found = append(found, warn(ClocksDiffer, "%s", apart(ahead, behind, by)))
	}
	return unless(found, "%s", agreed(clocks))
}

// furthest returns the two clocks with the largest certain difference among the pairs that
// among accepts; by is 0 if no difference is certain.
func furthest(clocks []Clock, among func(a, b Clock) bool) (ahead, behind Clock, by time.Duration) {
	for _, a := range clocks {
		for _, b := range clocks {
			if certain := a.Min - b.Max; among(a, b) && certain > by {
				ahead = a
				behind = b
				by = certain
			}
		}
	}
	return ahead, behind, by
}

func apart(ahead, behind Clock, by time.Duration) string {
	return "the clock of " + ahead.Name + " is at least " + by.Truncate(time.Millisecond).String() + " ahead of that of " + behind.Name
}

// agreed says within how much the fleet's clocks agree. The mirror's is named apart,
// because it is known only to a second.
func agreed(clocks []Clock) string {
	var own, foreign []string
	minimum, maximum := clocks[0].Min, clocks[0].Max
	for _, c := range clocks {
		if c.Foreign {
			foreign = append(foreign, "; "+c.Name+"'s is within "+upTo(max(c.Max, -c.Min))+" of this machine's")
			continue
		}
		own = append(own, c.Name)
		minimum = min(minimum, c.Min)
		maximum = max(maximum, c.Max)
	}
	last := len(own) - 1
	text := strings.Join(own[:last], ", ") + " and " + own[last] + " are within " + upTo(maximum-minimum) + " of each other"
	if last == 0 {
		text = "no clock of the fleet but this machine's could be read"
	}
	return text + strings.Join(foreign, "")
}

// upTo rounds a bound up, to 1 ms, or to 0.1 ms below that.
func upTo(d time.Duration) string {
	unit := time.Millisecond
	if d < time.Millisecond {
		unit = 100 * time.Microsecond
	}
	return (d + unit - 1).Truncate(unit).String()
}
