package doctor

import (
	"context"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// Reading is one look at another clock: this machine's before and after it.
type Reading struct {
	Before, After time.Time
	Server        time.Time
}

func trip(r Reading) time.Duration { return r.After.Sub(r.Before) }

// Clock is how far a clock is ahead of this machine's: not less than Min and not
// more than Max. What is not known of the way there and back is between them.
type Clock struct {
	Name     string
	Min, Max time.Duration
	// Foreign says that it is not the fleet's: nobody here can set it.
	Foreign bool
}

// ClockOf is a clock by a reading that is exact to so much.
func ClockOf(name string, r Reading, exact time.Duration) Clock {
	return Clock{Name: name, Min: r.Server.Sub(r.After), Max: r.Server.Add(exact).Sub(r.Before)}
}

// Clocks compares this machine's clock, those of the NATS servers and of Redis, and
// the mirror's, with each other.
type Clocks struct {
	// NATS and Redis are their addresses, "" for what has this machine's clock.
	NATS, Redis string
	NATSFiles   jobstream.Files
	RedisFiles  ratelimit.Files
	// Wait is how long a NATS server that is away is tried. Default 3 s.
	Wait time.Duration
	// Mirror gives the mirror's clock once it has been asked, and is closed if there
	// is none to give; nil where nobody asks.
	Mirror <-chan Clock
}

// Check compares them.
func (c Clocks) Check() Check { return Check{"clocks", c.look} }

func (c Clocks) look(ctx context.Context) []Finding {
	clocks := []Clock{{Name: "this machine"}}
	if c.NATS != "" {
		told, _, err := askServers(ctx, c.NATS, c.NATSFiles, c.Wait)
		if err == nil { // the check of the server says why it is not told
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
		case <-ctx.Done(): // those that are known are compared
		}
	}
	if len(clocks) == 1 {
		return []Finding{skipped("NATS server, Redis server and the mirror")}
	}
	return JudgeClocks(clocks)
}

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

// looks is how often Redis' clock is read: one of them is not held up.
const looks = 7

// readRedis is the reading of Redis' clock that took the shortest time.
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

// The clocks. Rounds are named, and sorted, by the producer's clock: a producer
// that takes over after 15 s with a clock so far behind would begin a round that
// seems older than the last. NATS' servers redeliver by theirs.
const (
	clockOff    = 15 * time.Second
	clockUneven = 2 * time.Second
)

// JudgeClocks compares clocks with each other and names the two of the fleet that
// are furthest apart. Doubt counts for them. A clock that is not the fleet's is no
// fault of the fleet, and worth a warning: it may be the only one that is right.
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

// furthest are the two clocks, among those pairs, that are certainly the furthest
// apart.
func furthest(clocks []Clock, among func(a, b Clock) bool) (ahead, behind Clock, by time.Duration) {
	for _, a := range clocks {
		for _, b := range clocks {
			if certain := a.Min - b.Max; among(a, b) && certain > by {
				ahead, behind, by = a, b, certain
			}
		}
	}
	return ahead, behind, by
}

func apart(ahead, behind Clock, by time.Duration) string {
	return "the clock of " + ahead.Name + " is at least " + by.Truncate(time.Millisecond).String() + " ahead of that of " + behind.Name
}

// agreed says within how much the fleet's clocks are, and the mirror's apart: it
// tells whole seconds.
func agreed(clocks []Clock) string {
	var own, foreign []string
	minimum, maximum := clocks[0].Min, clocks[0].Max
	for _, c := range clocks {
		if c.Foreign {
			foreign = append(foreign, "; "+c.Name+"'s is within "+upTo(max(c.Max, -c.Min))+" of this machine's")
			continue
		}
		own, minimum, maximum = append(own, c.Name), min(minimum, c.Min), max(maximum, c.Max)
	}
	last := len(own) - 1
	text := strings.Join(own[:last], ", ") + " and " + own[last] + " are within " + upTo(maximum-minimum) + " of each other"
	if last == 0 {
		text = "no clock of the fleet but this machine's could be read"
	}
	return text + strings.Join(foreign, "")
}

// upTo rounds up to what is worth reading.
func upTo(d time.Duration) string {
	unit := time.Millisecond
	if d < time.Millisecond {
		unit = 100 * time.Microsecond
	}
	return (d + unit - 1).Truncate(unit).String()
}
