package backup

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// keys lists a bucket's keys that match a pattern, in order. The leader says which
// there are: a producer may not make consumers for it, and a replica may lag.
func keys(ctx context.Context, js jetstream.JetStream, bucket, pattern string) ([]string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, request, fmt.Errorf("no answer within %s", request))
	defer cancel()
	prefix := "$KV." + bucket + "."
	stream, err := js.Stream(ctx, "KV_"+bucket)
	if err != nil {
		return nil, fmt.Errorf("looking for bucket %s: %w", bucket, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(prefix+pattern))
	if err != nil {
		return nil, fmt.Errorf("listing %s %s: %w", bucket, pattern, err)
	}
	list := slices.Sorted(maps.Keys(info.State.Subjects))
	for i, subject := range list {
		list[i] = strings.TrimPrefix(subject, prefix)
	}
	return list, nil
}
