package ratelimit

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed rights.lua
var rightsSource string

// Rights are what Redis' user may not do that the limiter needs, and what it may do
// that nothing of the product does.
type Rights struct{ Missing, Excess []string }

// TryRights finds out what the user of a client may do for an egress, and runs none
// of it: Redis judges each command without running it (7 or later).
func TryRights(ctx context.Context, rdb redis.UniversalClient, egress string, timeout time.Duration) (Rights, error) {
	var found Rights
	for _, command := range needed(key(egress)) {
		may, err := mayRun(ctx, rdb, command, timeout)
		if err != nil {
			return found, err
		}
		if !may {
			found.Missing = append(found.Missing, command)
		}
	}
	for _, command := range needless {
		may, err := mayRun(ctx, rdb, command, timeout)
		if err != nil {
			return found, err
		}
		if may {
			found.Excess = append(found.Excess, command)
		}
	}
	return found, nil
}

// TryGrant looks at the bucket of an egress, and says in a sentence, as [Trouble] does,
// why Redis would grant no permit of it; nil if it would. Like [Limiter.Check] it spends
// none. A bucket that exists keeps its parameters; a new one begins with those of cfg.
func TryGrant(ctx context.Context, rdb redis.UniversalClient, cfg Config, timeout time.Duration) (State, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return State{}, err
	}
	r := newRecord(rdb, cfg.Egress, timeout)
	found, err := r.look(ctx)
	if err != nil {
		return State{}, Trouble(err)
	}
	in := cfg.request()
	if found.Known {
		in = inForce(found)
	}
	_, err = r.ask(ctx, in)
	return found, Trouble(err)
}

// needed is all that the limiter's client and scripts do, and what lists buckets.
func needed(key string) []string {
	channel := key + channelSuffix
	return []string{
		"PING", "TIME", "INFO server", "EVAL - 1 " + key, "EVALSHA - 1 " + key, "HGET " + key + " f", "HMGET " + key + " f",
		"HSET " + key + " f v", "PUBLISH " + channel + " word", "SUBSCRIBE " + channel, "UNSUBSCRIBE " + channel,
	}
}

// needless stand for what would let somebody change the limit, or take more than it.
//
//nolint:gochecknoglobals // a list
var needless = []string{
	"CONFIG GET *", "FLUSHALL", "KEYS *", "SCRIPT FLUSH", "SET another 1", "GET another", "ACL LIST", "SHUTDOWN", "REPLICAOF NO ONE",
}

// mayRun asks about one command. A script of its own for each would fill Redis' cache;
// its arguments do not.
func mayRun(ctx context.Context, rdb redis.UniversalClient, command string, timeout time.Duration) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var args []any
	for word := range strings.FieldsSeq(command) {
		args = append(args, word)
	}
	may, err := redis.NewScript(rightsSource).Run(ctx, rdb, nil, args...).Bool()
	if err != nil {
		return false, fmt.Errorf("ratelimit: asking for the right to %s: %w", command, err)
	}
	return may, nil
}
