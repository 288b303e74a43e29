package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// keys lists a bucket's keys that match a pattern, in order. The library's own
// list says nothing when it is broken off.
func keys(ctx context.Context, kv jetstream.KeyValue, pattern string) (list []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, request, fmt.Errorf("no answer within %s", request))
	defer cancel()
	watcher, err := kv.Watch(ctx, pattern, jetstream.MetaOnly(), jetstream.IgnoreDeletes())
	if err != nil {
		return nil, fmt.Errorf("listing %s %s: %w", kv.Bucket(), pattern, err)
	}
	defer func() { _ = watcher.Stop() }() // it only fails when it has ended
	list = []string{}
	for {
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("listing %s %s: %w", kv.Bucket(), pattern, context.Cause(ctx))
		case entry, open := <-watcher.Updates():
			if !open {
				return nil, fmt.Errorf("listing %s %s: %w", kv.Bucket(), pattern, ErrCutOff)
			}
			if entry == nil { // all that there were have come
				slices.Sort(list)
				return list, nil
			}
			list = append(list, entry.Key())
		}
	}
}
