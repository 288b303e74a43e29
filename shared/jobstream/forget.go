package jobstream

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"mirrorfleet/shared/crash"
	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// Known lists every round of which the bucket of rounds holds anything, sorted by name. It
// includes rounds that were forgotten half-way, and rounds without a manifest.
func (ro Rounds) Known(ctx context.Context) ([]string, error) {
	keys, err := ro.rounds().Keys(ctx, ">")
	if err != nil {
		return nil, err
	}
	return roundsOf(keys, ""), nil
}

// Left lists the rounds of which any bucket holds anything, sorted by name. It also finds
// rounds that the bucket of rounds has lost, because it counts the keys of every bucket.
func (ro Rounds) Left(ctx context.Context) ([]string, error) {
	names, err := ro.Known(ctx)
	if err != nil {
		return nil, err
	}
	for _, bucket := range []*kv.Bucket{ro.records(), ro.evaluations()} {
		keys, err := bucket.Keys(ctx, ">")
		if err != nil {
			return nil, err
		}
		names = append(names, roundsOf(keys, "")...)
	}
	subjects, err := ro.values.Subjects(ctx, ro.jobs, job.SubjectJobs)
	if err != nil {
		return nil, err
	}
	names = append(names, roundsOf(slices.Collect(maps.Keys(subjects)), strings.TrimSuffix(job.SubjectJobs, ">"))...)
	slices.Sort(names)
	return slices.Compact(names), nil
}

// roundsOf are the rounds to which keys belong, sorted by name.
func roundsOf(keys []string, prefix string) []string {
	var names []string
	for _, key := range keys {
		if name, _, of := strings.Cut(strings.TrimPrefix(key, prefix), "."); of && name != job.Schedule {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Forget removes everything that is kept of a round, except for its dead letters, which
// expire by age, and the values that later rounds use. The manifest goes first: without it,
// no other process takes the round for one. The rest of the bucket of rounds goes last, so
// that a round that was forgotten half-way is still Known. Forget may be repeated.
//
// Forget purges subjects. Deleting single keys would leave a marker for each key for ever.
func (ro Rounds) Forget(ctx context.Context, round string) error {
	for _, what := range leftovers(round) {
		if err := ro.purge(ctx, "forgetting round "+round, what); err != nil {
			return err
		}
		crash.At(crash.PartForgotten)
	}
	return nil
}

// Forget removes one revision of a round's outcome, by its key. It is for a restored backup
// that holds an outcome but older records, some of which have not ended: that round must be
// concluded again.
func (o Outcomes) Forget(ctx context.Context, key string) error {
	head := leftover{kv.StreamOf(job.BucketRounds), kv.Subject(job.BucketRounds, key)}
	for _, what := range []leftover{head, {head.stream, head.subject + ".>"}} {
		if err := o.purge(ctx, "forgetting outcome "+key, what); err != nil {
			return err
		}
	}
	return nil
}

func (l *link) purge(ctx context.Context, why string, what leftover) error {
	return l.retry(ctx, why+": "+what.stream, func(ctx context.Context) error {
		stream, err := l.js.Stream(ctx, what.stream)
		if err != nil {
			return err //nolint:wrapcheck // retry names the operation
		}
		return stream.Purge(ctx, jetstream.WithPurgeSubject(what.subject))
	})
}

// leftover is what one stream holds of a round.
type leftover struct{ stream, subject string }

// leftovers lists everything that belongs to a round, in the order of removal.
func leftovers(round string) []leftover {
	return []leftover{
		{kv.StreamOf(job.BucketRounds), kv.Subject(job.BucketRounds, job.ManifestKey(round))},
		{job.StreamJobs, job.RoundSubject(round)},
		{kv.StreamOf(job.BucketRecords), kv.Subject(job.BucketRecords, round+".>")},
		{kv.StreamOf(job.BucketEvaluation), kv.Subject(job.BucketEvaluation, round+".>")},
		{kv.StreamOf(job.BucketRounds), kv.Subject(job.BucketRounds, round+".>")},
	}
}
