package ratelimit

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/ratelimit/bucket"
)

var (
	//go:embed reserve.lua
	reserveSource string
	//go:embed state.lua
	stateSource string

	reserveScript = redis.NewScript(reserveSource)
	stateScript   = redis.NewScript(stateSource)
)

var errReply = errors.New("ratelimit: Redis answered what the script never returns")

// key is the one key of an egress. The braces make it a hash tag: whatever is
// added for an egress lies in the same slot of a cluster.
func key(egress string) string { return "limit:{" + egress + "}" }

// ask sends one request to the bucket, within the timeout. A script that the
// server does not know has not run, so sending it along then is no resend.
func (l *Limiter) ask(ctx context.Context, in bucket.Request) (bucket.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	l.count.asked.Add(1)
	got, err := reserveScript.Run(ctx, l.rdb, []string{key(l.cfg.Egress)},
		flag(in.Reserve), in.Interval, in.Horizon, in.Cool, in.MaxCool,
		in.Born, in.Next, in.Now, in.Elapsed, flag(in.Doubt),
		bucket.StepTolerance, bucket.DriftShare, bucket.CellLength, bucket.Cells,
	).Int64Slice()
	if err != nil {
		l.count.lost.Add(1)

		return bucket.Reply{}, fmt.Errorf("ratelimit: reserve for egress %s: %w", l.cfg.Egress, err)
	}
	if len(got) != 5 {
		return bucket.Reply{}, fmt.Errorf("%w: %d values, want 5", errReply, len(got))
	}

	return bucket.Reply{
		Verdict: bucket.Verdict(got[0]), Wait: got[1], Now: got[2], Next: got[3], Born: got[4],
	}, nil
}

func flag(set bool) int {
	if set {
		return 1
	}

	return 0
}
