package doctor

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
)

// aPast is the number of permits above which a bucket must have served a round. Each run
// of doctor takes one, so a new installation has a few; a round takes at least three for
// each miner.
const aPast = 100

// past compares the rounds in the streams with what Redis remembers of earlier work.
func (r Redis) past(ctx context.Context, rdb *redis.Client) []Finding {
	nc, err := connectNATS(ctx, r.NATS, r.NATSFiles, r.Wait)
	if err != nil {
		return []Finding{skipped("NATS server")}
	}
	defer nc.Close()
	rounds, err := jobstream.PlannedRounds(ctx, nc)
	if err != nil {
		return []Finding{skipped("streams")}
	}
	buckets, err := ratelimit.Buckets(ctx, rdb, callTimeout)
	if err != nil {
		return []Finding{skipped("all egresses")}
	}
	return JudgePast(rounds, buckets)
}

// JudgePast finds a fleet that has worked before and has no round. The last concluded round
// is never removed, so the streams themselves must have been.
func JudgePast(rounds int, buckets []ratelimit.State) []Finding {
	if rounds > 0 {
		return []Finding{fine("rounds held: %d", rounds)}
	}
	var busiest ratelimit.State
	for _, b := range buckets {
		if b.Granted > busiest.Granted {
			busiest = b
		}
	}
	if busiest.Granted < aPast {
		return []Finding{fine("no round is held, and no bucket tells of one")}
	}
	return []Finding{warn(FleetEmpty, "no round is held, but Redis' bucket of egress %s has granted %s, the last one %s ago: "+
		"were the streams removed? A single server removes its streams when it starts with a cluster block",
		busiest.Egress, plural.Of(busiest.Granted, "permit"), max(busiest.LastGrant, 0).Round(time.Second))}
}
