package doctor

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
	"mirrorfleet/shared/ratelimit"
)

// buckets compares the buckets in Redis with the egresses that the fleet has declared. If
// none are declared, it compares with those that a producer with these flags would declare.
func (r Redis) buckets(ctx context.Context, rdb *redis.Client) []Finding {
	declared, err := r.declared(ctx)
	if damage, damaged := errors.AsType[*jobstream.ValueError](err); damaged {
		return []Finding{fault(EgressUnreadable, "which egresses the fleet has cannot be read: %v", damage)}
	}
	if err != nil {
		return []Finding{skipped("NATS server")}
	}
	found, err := ratelimit.Buckets(ctx, rdb, callTimeout)
	if err != nil {
		return []Finding{warn(RedisScan, "the buckets cannot be listed: %v", err)}
	}
	// A first producer declares what its flags say. Until then there is nothing stored to
	// compare with, and these flags stand in.
	own := cmp.Or(r.Limit.Egress, ratelimit.DefaultEgress)
	who := declared.String()
	if len(declared.Names) == 0 {
		if declared.Names = r.Egresses; len(declared.Names) == 0 {
			declared.Names = []string{own}
		}
		who = strings.Join(declared.Names, ", ") + " (by these flags: no producer has declared any yet)"
	}
	return judgeEgresses(found, declared, own, who)
}

// declared reads the fleet's egresses. They are none without --nats, and before a first
// producer has declared any; neither is an error.
func (r Redis) declared(ctx context.Context) (job.Egresses, error) {
	if r.NATS == "" {
		return job.Egresses{}, nil
	}
	nc, err := connectNATS(ctx, r.NATS, r.NATSFiles, r.Wait)
	if err != nil {
		return job.Egresses{}, err
	}
	defer nc.Close()
	return jobstream.DeclaredEgresses(ctx, nc)
}

// judgeEgresses compares buckets in use, and the egress of these flags (own), with the
// fleet's. who says where the fleet's are declared. An undeclared egress can go over the
// limit: if it sends from an address that has a bucket already, each of the two buckets
// grants the whole limit. A bucket that nobody has used for a day does no harm.
func judgeEgresses(buckets []ratelimit.State, fleet job.Egresses, own, who string) []Finding {
	var found []Finding
	var names []string
	for _, b := range buckets {
		if b.InUse() && fleet.Admit(b.Egress) != nil {
			found = append(found, warn(EgressUndeclared, "somebody sends under %s, which is not one of the fleet's egresses: %s", b.Egress, who))
		}
		names = append(names, b.Egress)
	}
	if unread := ratelimit.Unread(buckets); unread != nil {
		found = append(found, warn(NotLookedAt, "the addresses of the egresses are not compared: %v", unread))
	}
	odd := ratelimit.Compare(buckets)
	for _, s := range odd.Shared {
		found = append(found, warn(EgressShared,
			"the egresses %s send from one address, %s: each has a bucket, and together they may exceed the limit",
			strings.Join(s.Egresses, " and "), s.Text()))
	}
	for _, name := range odd.Split {
		found = append(found, warn(EgressSplit, "processes of egress %s send from different addresses: a part of the limit is not used", name))
	}
	if fleet.Admit(own) != nil {
		found = append(found, warn(EgressUndeclared, "a process with --egress %s would be refused: the fleet's egresses are %s", own, who))
	}
	return unless(found, "the fleet's egresses are %s; with a bucket: %s", who, cmp.Or(strings.Join(names, ", "), "none"))
}
