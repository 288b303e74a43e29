package jobstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// PlannedRounds counts the rounds of Rounds.List for a process that only looks, such as the
// doctor: it opens no Bus, and so declares no stream.
func PlannedRounds(ctx context.Context, nc *nats.Conn) (int, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return 0, fmt.Errorf("jobstream: %w", err)
	}
	stream, err := js.Stream(ctx, kv.StreamOf(job.BucketRounds))
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bucket %s: %w", job.BucketRounds, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(kv.Subject(job.BucketRounds, job.ManifestKey("*"))))
	if err != nil {
		return 0, fmt.Errorf("bucket %s: %w", job.BucketRounds, err)
	}
	return len(info.State.Subjects), nil
}
