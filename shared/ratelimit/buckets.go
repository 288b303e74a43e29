package ratelimit

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Buckets reads the bucket of every egress that has one, in the order of their
// names. Each call ends at the timeout.
func Buckets(ctx context.Context, rdb redis.UniversalClient, timeout time.Duration) ([]State, error) {
	if err := validateClient(rdb); err != nil {
		return nil, err
	}
	names, err := egresses(ctx, rdb)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: listing the egresses: %w", err)
	}
	states := make([]State, 0, len(names))
	for _, name := range names {
		state, err := newRecord(rdb, name, timeout).look(ctx)
		if err != nil {
			return nil, err
		}
		if state.Known {
			states = append(states, state)
		}
	}

	return states, nil
}

// egresses finds the egresses by the names of their keys. In a cluster each master
// has some of them.
func egresses(ctx context.Context, rdb redis.UniversalClient) ([]string, error) {
	var (
		mu    sync.Mutex
		names []string
	)
	scan := func(ctx context.Context, node redis.Cmdable) error {
		all := node.Scan(ctx, 0, key("*"), 1000).Iterator()
		for all.Next(ctx) {
			name := strings.TrimSuffix(strings.TrimPrefix(all.Val(), keyPrefix), keySuffix)
			if CheckEgress(name) == nil {
				mu.Lock()
				names = append(names, name)
				mu.Unlock()
			}
		}

		return all.Err()
	}
	var err error
	if cluster, ok := rdb.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return scan(ctx, master) })
	} else {
		err = scan(ctx, rdb)
	}
	slices.Sort(names)

	return slices.Compact(names), err
}

// forgotten is when a bucket that nobody asks is nobody's: the key stays in Redis
// after an egress has got another name.
const forgotten = 24 * time.Hour

// InUse says whether somebody has used the bucket within a day.
func (s State) InUse() bool { return s.LastUse() < forgotten }

// LastUse is how long ago the last slot of the bucket was, or its begin where
// there has been none.
func (s State) LastUse() time.Duration {
	if s.Granted == 0 {
		return s.Age
	}

	return max(s.LastGrant, 0)
}
