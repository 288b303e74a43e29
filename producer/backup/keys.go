package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"mirrorfleet/shared/jobstream/kv"
)

// atOnce bounds the questions that are under way at a time.
const atOnce = 8

// keys lists a bucket's keys that match a pattern, in order. The leader says which
// there are: a producer may not make consumers for it, and a replica may lag. It lists
// the subjects that have a message, and each is asked for: that of a key which somebody
// has deleted is the mark of its deletion.
func keys(ctx context.Context, js jetstream.JetStream, leader nats.JetStreamContext, bucket, pattern string) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, request, fmt.Errorf("no answer within %s", request))
	defer cancel()
	prefix := prefixOf(bucket)
	stream, err := js.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return nil, fmt.Errorf("looking for bucket %s: %w", bucket, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix+pattern))
	if err != nil {
		return nil, fmt.Errorf("listing %s %s: %w", bucket, pattern, err)
	}
	list := slices.Sorted(maps.Keys(info.State.Subjects))
	group, asking := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, subject := range list {
		list[i] = strings.TrimPrefix(subject, prefix)
		group.Go(func() error {
			_, err := kv.ReadLeader(asking, leader, bucket, list[i])
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				list[i] = "" // which is no key
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("listing %s %s: %w", bucket, pattern, err)
	}
	return slices.DeleteFunc(list, func(key string) bool { return key == "" }), nil
}
