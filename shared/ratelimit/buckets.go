package ratelimit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Buckets reads the bucket of every egress that has one, in the order of their
// names, with the addresses that its processes have told. Each call ends at the timeout.
// No permit depends on the addresses: a bucket is listed without those that cannot be read,
// with the reason (State.Unread).
func Buckets(ctx context.Context, rdb redis.UniversalClient, timeout time.Duration) ([]State, error) {
	if err := validateClient(rdb); err != nil {
		return nil, err
	}
	names, err := egresses(ctx, rdb, timeout)
	if err != nil {
		return nil, fmt.Errorf("ratelimit: listing the egresses: %w", err)
	}
	states := make([]State, 0, len(names))
	for _, name := range names {
		r := newRecord(rdb, name, timeout)
		state, err := r.look(ctx)
		if err != nil {
			return nil, err
		}
		if !state.Known {
			continue
		}
		state.Processes, state.Unread = r.addresses(ctx)
		states = append(states, state)
	}
	return states, nil
}

// maxEgresses is how many buckets are listed. A fleet has a few; whoever has the password of a
// worker can make a million.
const maxEgresses = 1000

// egresses finds the egresses by the names of their keys. In a cluster each master
// has some of them.
func egresses(ctx context.Context, rdb redis.UniversalClient, timeout time.Duration) ([]string, error) {
	var (
		mu    sync.Mutex
		names = map[string]bool{} // a key may be found twice
	)
	scan := func(ctx context.Context, node redis.Cmdable) error {
		for cursor := uint64(0); ; {
			call, cancel := context.WithTimeout(ctx, timeout)
			found, next, err := node.Scan(call, cursor, key("*"), 1000).Result()
			cancel()
			if err != nil {
				return fmt.Errorf("scanning for the keys of egresses: %w", err)
			}
			mu.Lock()
			for _, name := range egressesOf(found) {
				names[name] = true
			}
			many := len(names) > maxEgresses
			mu.Unlock()
			if many {
				return fmt.Errorf("there are more than %d, and no fleet has so many: somebody with a password of Redis makes them: "+
					"change the passwords, and restart Redis empty", maxEgresses)
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	var err error
	if cluster, ok := rdb.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, master *redis.Client) error { return scan(ctx, master) })
	} else {
		err = scan(ctx, rdb)
	}
	return slices.Sorted(maps.Keys(names)), err
}

// egressesOf are those that keys are named after; what lies beside them is passed
// over.
func egressesOf(keys []string) []string {
	var names []string
	for _, key := range keys {
		name := strings.TrimSuffix(strings.TrimPrefix(key, keyPrefix), keySuffix)
		if CheckEgress(name) == nil {
			names = append(names, name)
		}
	}
	return names
}

// forgotten is how long after its last use a bucket no longer counts: its key stays
// in Redis when an egress gets another name.
const forgotten = 24 * time.Hour

// InUse says whether somebody has used the bucket within a day.
func (s *State) InUse() bool { return s.LastUse() < forgotten }

// LastUse is how long ago the last slot of the bucket was. Where there has been
// none, it is how long ago the bucket began.
func (s *State) LastUse() time.Duration {
	if s.Granted == 0 {
		return s.Age
	}
	return max(s.LastGrant, 0)
}
