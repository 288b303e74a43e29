package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
)

var (
	//go:embed reserve.lua
	reserveSource string
	//go:embed state.lua
	stateSource string
)

var errReply = errors.New("ratelimit: Redis answered what the script never returns")

// key is the one key of an egress. The braces make it a hash tag: whatever is
// added for an egress lies in the same slot of a cluster.
func key(egress string) string { return keyPrefix + egress + keySuffix }

const keyPrefix, keySuffix = "limit:{", "}"

// record is the record of one egress in Redis; each call ends at the timeout. The
// scripts are called by their digest and sent along only when the server does not
// know them.
type record struct {
	rdb            redis.UniversalClient
	egress         string
	timeout        time.Duration
	reserve, state *redis.Script
}

func newRecord(rdb redis.UniversalClient, egress string, timeout time.Duration) record {
	return record{rdb, egress, timeout, redis.NewScript(reserveSource), redis.NewScript(stateSource)}
}

// ask sends one request to the bucket. A script that the server does not know has
// not run, so sending it along then is no resend.
func (r record) ask(ctx context.Context, in bucket.Request) (bucket.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	got, err := r.reserve.Run(ctx, r.rdb, []string{key(r.egress)},
		flag(in.Reserve), in.Interval, in.Horizon, in.Tolerance, in.Cool, in.MaxCool,
		in.Epoch, in.NextSlot, in.Now, in.Skew, in.Elapsed,
		in.Params().String(), in.Hold, in.Right, in.Spacing, in.Note,
	).Int64Slice()
	if err != nil {
		return bucket.Reply{}, fmt.Errorf("ratelimit: reserve for egress %s: %w", r.egress, err)
	}
	return parseReply(got)
}

// ask counts what it asks.
func (l *Limiter) ask(ctx context.Context, in bucket.Request) (bucket.Reply, error) {
	l.count.asked.add(ctx)
	reply, err := l.record.ask(ctx, in)
	if err != nil {
		l.count.lost.add(ctx)
	}
	return reply, err
}

// parseReply reads what reserve.lua returns.
func parseReply(got []int64) (bucket.Reply, error) {
	if len(got) != 6 && len(got) != 10 {
		return bucket.Reply{}, fmt.Errorf("%w: %d values, want 6 or 10", errReply, len(got))
	}
	reply := bucket.Reply{
		Verdict:  bucket.Verdict(got[0]),
		Wait:     got[1],
		Now:      got[2],
		Skew:     got[3],
		NextSlot: got[4],
		Epoch:    got[5],
	}
	if len(got) == 10 {
		reply.Params = bucket.Params{
			Interval: got[6],
			Horizon:  got[7],
			Limit:    got[8],
			Window:   got[9],
		}
	}
	return reply, nil
}

func flag(set bool) int {
	if set {
		return 1
	}
	return 0
}
