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

// Known lists every round of which the bucket of rounds holds anything, in the
// order of their names: also one that was forgotten half-way, or has lost its
// manifest.
func (ro Rounds) Known(ctx context.Context) ([]string, error) {
	keys, err := ro.rounds().Keys(ctx, ">")
	if err != nil {
		return nil, err
	}
	return roundsOf(keys, ""), nil
}

// Left lists the rounds of which anything is left anywhere, as Known does: also
// those that the bucket of rounds has lost. It counts the keys of every bucket.
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

// roundsOf are the rounds that keys are of, in the order of their names.
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

// Forget removes everything that is kept of a round, but for its dead letters,
// which go by their age, and what it has left to later ones. The manifest goes
// first: without it the round is none for everybody else. The rest of the
// bucket of rounds goes last, so that a round that was forgotten half-way is
// still Known. Doing it twice is doing it once.
//
// Subjects are purged, not keys deleted one by one: a deleted key leaves a mark
// that stays for ever.
func (ro Rounds) Forget(ctx context.Context, round string) error {
	for _, what := range leftovers(round) {
		if err := ro.purge(ctx, "forgetting round "+round, what); err != nil {
			return err
		}
		crash.At(crash.PartForgotten)
	}
	return nil
}

// Forget removes one revision of a round's outcome, by its key. A restored
// outcome may be of records that have not all ended in the backup: its round is
// then concluded again.
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

// leftovers are all that there is of a round, in the order of its removal.
func leftovers(round string) []leftover {
	return []leftover{
		{kv.StreamOf(job.BucketRounds), kv.Subject(job.BucketRounds, job.ManifestKey(round))},
		{job.StreamJobs, job.RoundSubject(round)},
		{kv.StreamOf(job.BucketRecords), kv.Subject(job.BucketRecords, round+".>")},
		{kv.StreamOf(job.BucketEvaluation), kv.Subject(job.BucketEvaluation, round+".>")},
		{kv.StreamOf(job.BucketRounds), kv.Subject(job.BucketRounds, round+".>")},
	}
}
