package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/certs"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/pause"
	"mirrorfleet/shared/plural"
	"mirrorfleet/shared/ratelimit"
	"mirrorfleet/shared/secret"
)

// Redis checks the Redis server and the limiter's buckets in it.
type Redis struct {
	URL   string
	Files ratelimit.Files
	// Limit is the egress, with the parameters of these flags.
	Limit ratelimit.Config
	// NATS is where the fleet's egresses are declared; "" if that is unknown. Egresses are
	// those that the first producer with these flags would declare. Default: the egress of
	// Limit.
	NATS      string
	NATSFiles jobstream.Files
	Egresses  []string
	// Wait is how long a server that is away is retried. Default: 3 s.
	Wait time.Duration
	// Embedded says that the server is the one inside a local round. It has no users and
	// says little of itself in INFO.
	Embedded bool
}

// Checks are the server, the user's rights, the round trip, the egress's bucket and whether
// it would grant a permit, the buckets of all egresses, and whether these tell of rounds
// that are gone.
func (r Redis) Checks() []Check {
	checks := []Check{
		{redisServer, r.with(r.server)}, {"Redis calls", r.after(r.trip)}, {theEgress, r.after(r.bucket)},
		{"all egresses", r.after(r.buckets)},
	}
	if !r.Embedded {
		checks = slices.Insert(checks, 1, Check{"Redis rights", r.after(r.rights)})
	}
	if r.NATS == "" {
		return checks
	}
	return append(checks, Check{"rounds", r.after(r.past)})
}

const (
	redisServer = "Redis server"
	theEgress   = "the egress"
)

// callTimeout bounds each call. It is longer than a worker's timeout: for a person a late
// answer is better than none.
const callTimeout = 2 * time.Second

// with opens a client, waits until the server answers, and runs look.
func (r Redis) with(look func(context.Context, *redis.Client) []Finding) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		rdb, err := ratelimit.NewSecureClient(r.URL, callTimeout, r.Files)
		if err != nil {
			return []Finding{redisUnreachable("--redis", err)}
		}
		defer func() { _ = rdb.Close() }() // nothing was written through it
		if err := r.reached(ctx, rdb); err != nil {
			return []Finding{redisUnreachable(rdb.Options().Addr, err)}
		}
		return look(ctx, rdb)
	}
}

// between is the pause between two attempts to reach a server that is away.
const between = 500 * time.Millisecond

// reached waits for a server that is away. A server that answers with a refusal is not
// waited for: it would refuse again.
func (r Redis) reached(ctx context.Context, rdb *redis.Client) error {
	waiting, cancel := context.WithTimeout(ctx, cmp.Or(r.Wait, DefaultWait))
	defer cancel()
	for {
		trouble := ratelimit.Trouble(rdb.Ping(ctx).Err())
		if trouble == nil || ratelimit.Code(trouble) != "" || pause.For(waiting, between) != nil {
			return trouble
		}
	}
}

// redisUnreachable turns an error of Redis into a finding with the code of its cause.
func redisUnreachable(where string, err error) Finding {
	_, exposed := errors.AsType[*secret.ExposedError](err)
	_, tls := errors.AsType[*certs.Error](err)
	refused, refuses := errors.AsType[*ratelimit.RefusedError](err)
	code := RedisUnreachable
	switch {
	case exposed:
		code = FileExposed
	case tls:
		code = RedisCertificate
	case refuses && refused.Code == "NOPERM":
		code = RedisPermission
	case refuses && refused.Code == "READONLY":
		code = RedisReplica
	case refuses && strings.Contains(err.Error(), "unknown command"):
		code = RedisScripts
	case refuses:
		code = RedisRefuses
	}
	return fault(code, "%s: %v", where, err)
}

// after is with for all checks but the first. If the server cannot be reached, they only
// refer to the first check, which says why.
func (r Redis) after(look func(context.Context, *redis.Client) []Finding) func(context.Context) []Finding {
	return func(ctx context.Context) []Finding {
		reached := false
		found := r.with(func(ctx context.Context, rdb *redis.Client) []Finding { reached = true; return look(ctx, rdb) })(ctx)
		if !reached {
			return []Finding{skipped(redisServer)}
		}
		return found
	}
}

// minRedis is the lowest major version that the product is tested with.
const minRedis = 7

func (r Redis) server(ctx context.Context, rdb *redis.Client) []Finding {
	info, err := rdb.Info(ctx).Result()
	if err != nil && !r.Embedded {
		return []Finding{warn(RedisVersion, "%s does not tell its version and settings: %v", rdb.Options().Addr, err)}
	}
	said := parseInfo(info)
	if r.Embedded {
		return []Finding{fine("%s, inside the local round", rdb.Options().Addr)}
	}
	return unless(JudgeRedis(said), "%s, Redis %s, maxmemory-policy %s, %s", rdb.Options().Addr, said["redis_version"],
		said["maxmemory_policy"], said["role"])
}

// rights checks that the user may do what the limiter needs, and nothing more.
func (r Redis) rights(ctx context.Context, rdb *redis.Client) []Finding {
	found, err := ratelimit.TryRights(ctx, rdb, cmp.Or(r.Limit.Egress, ratelimit.DefaultEgress), callTimeout)
	if err != nil { // no scripts, or a version below 7: other checks report both
		return []Finding{skipped(theEgress)}
	}
	var judged []Finding
	if len(found.Missing) > 0 {
		judged = append(judged, fault(RedisPermission, "the user may not %s, which the limiter needs", plural.Some(found.Missing, maxNamed)))
	}
	if len(found.Excess) > 0 {
		judged = append(judged, warn(RedisExcess, "the user may %s, which no process needs", plural.Some(found.Excess, maxNamed)))
	}
	return unless(judged, "the user may do what the limiter needs, and nothing else that was tried")
}

// parseInfo reads INFO: lines of name:value.
func parseInfo(text string) map[string]string {
	said := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			said[name] = value
		}
	}
	return said
}

// JudgeRedis judges what a server says of itself in INFO. A value that is missing is not
// judged.
func JudgeRedis(said map[string]string) []Finding {
	var found []Finding
	major, _, _ := strings.Cut(said["redis_version"], ".")
	if version, err := strconv.Atoi(major); err == nil && version < minRedis {
		found = append(found, fault(RedisVersion, "Redis %s, want %d or later", said["redis_version"], minRedis))
	}
	if said["role"] == "slave" {
		found = append(found, fault(RedisReplica, "it is a replica, which takes no writes"))
	}
	// A bucket has no expiry, so the volatile-… policies never evict it; allkeys-… ones do.
	if policy := said["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys-") {
		maxMemory, err := strconv.ParseInt(said["maxmemory"], 10, 64)
		if err == nil && maxMemory > 0 {
			found = append(found, fault(RedisPolicy,
				"maxmemory-policy %s with maxmemory %s: an evicted bucket costs a pause of a horizon, and a hold by hand is forgotten",
				policy, size(maxMemory)))
		} else {
			found = append(found, warn(RedisPolicy, "maxmemory-policy %s: without maxmemory it evicts nothing yet", policy))
		}
	}
	return found
}

// Round trips. The limiter gives a call up after 200 ms, and sends nothing then; above 50
// ms, permits come noticeably late.
const (
	tripLost = 200 * time.Millisecond
	tripLong = 50 * time.Millisecond
)

// JudgeTrip judges the shortest time that a call has taken.
func JudgeTrip(trip time.Duration) []Finding {
	switch {
	case trip >= tripLost:
		return []Finding{fault(RedisRoundTrip, "a call takes %s at best; the limiter gives up after %s", trip.Round(time.Millisecond), tripLost)}
	case trip >= tripLong:
		return []Finding{warn(RedisRoundTrip, "a call takes %s at best: permits come late", trip.Round(time.Millisecond))}
	}
	return []Finding{fine("a call takes %s at best", upTo(trip))}
}

func (r Redis) trip(ctx context.Context, rdb *redis.Client) []Finding {
	best, err := readRedis(ctx, rdb)
	if err != nil {
		return []Finding{redisUnreachable(rdb.Options().Addr, ratelimit.Trouble(err))}
	}
	return JudgeTrip(trip(best))
}

func (r Redis) bucket(ctx context.Context, rdb *redis.Client) []Finding {
	pace, err := r.Limit.Effective()
	if err != nil {
		return []Finding{skipped("the limit")}
	}
	state, err := ratelimit.TryGrant(ctx, rdb, r.Limit, callTimeout)
	if err != nil {
		return []Finding{redisUnreachable(rdb.Options().Addr+" grants no permit", err)}
	}
	return JudgeBucket(state, pace)
}

// JudgeBucket compares the parameters in force in the bucket with those of these flags. All
// processes of an egress must have the same ones (docs/limit.md).
func JudgeBucket(s ratelimit.State, pace ratelimit.Effective) []Finding {
	if !s.Known {
		return []Finding{fine("%s has no bucket yet: the first request begins it, with a pause of %s", s.Egress, pace.Horizon)}
	}
	var found []Finding
	if !pace.InForce(s) {
		found = append(found, fault(LimitFigures,
			"%s uses %s; these flags say %s: a process with them gets no permits until the others are gone", s.Egress,
			parameters(s.Limit, s.Window, s.Interval, s.Horizon), parameters(pace.Limit, pace.Window, pace.Interval, pace.Horizon)))
	}
	switch {
	case s.Hold > 0:
		found = append(found, warn(LimitStopped, "%s is held by hand for %s more", s.Egress, s.Hold.Round(time.Second)))
	case s.CoolDown > 0:
		found = append(found, warn(LimitStopped, "%s is cooling down for %s more, because the mirror asked for it", s.Egress,
			s.CoolDown.Round(time.Second)))
	}
	return unless(found, "%s uses the parameters of these flags; %s granted, %s", s.Egress,
		plural.Of(s.Granted, "permit"), plural.Of(s.CoolDowns, "cool-down"))
}

// parameters prints the four parameters of a limit.
func parameters(limit int, window, interval, horizon time.Duration) string {
	return fmt.Sprintf("%s in %s, %.3f permits a second, horizon %s", plural.Of(limit, "request"), window, 1/interval.Seconds(), horizon)
}

// Formula checks the limit's parameters against the formula of docs/limit.md, without
// Redis.
func Formula(cfg ratelimit.Config) Check {
	return Check{"the limit", func(context.Context) []Finding {
		pace, err := cfg.Effective()
		if err != nil {
			return []Finding{fault(LimitFormula, "%v", err)}
		}
		return []Finding{fine("%s; the formula allows %.3f", parameters(pace.Limit, pace.Window, pace.Interval, pace.Horizon), pace.Highest)}
	}}
}
