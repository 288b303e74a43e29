package outcome

import (
	"context"
	"errors"
	"fmt"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Latest reads the latest outcome of a round; its Revision is 0 if there is
// none. Beside a *jobstream.ValueError it is the one that cannot be read.
func Latest(ctx context.Context, bus *jobstream.Bus, round string) (Result, error) {
	revisions, err := bus.Outcomes.Revisions(ctx, round)
	if err != nil || len(revisions) == 0 {
		return Result{}, err
	}
	revision := revisions[len(revisions)-1]
	result, err := Read(ctx, bus, round, revision)
	if errors.Is(err, jobstream.ErrNotFound) { // a list has it that was deleted by hand
		err = &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.OutcomeKey(round, revision), Err: err}
	}
	if err != nil {
		return Result{Round: round, Revision: revision}, err
	}
	return result, nil
}

// Read reads one revision of a round's outcome, and verifies it.
func Read(ctx context.Context, bus *jobstream.Bus, round string, revision int) (Result, error) {
	stored, err := bus.Outcomes.LoadSigned(ctx, round, revision)
	if err == nil {
		err = CheckNext(ctx, bus, round, revision, stored.SHA256)
	}
	if err != nil {
		return Result{}, fmt.Errorf("reading the outcome of round %s: %w", round, err)
	}
	result, err := Decode(stored.Data)
	if err != nil {
		return Result{}, &jobstream.ValueError{Bucket: job.BucketRounds, Key: job.OutcomeKey(round, revision), Err: err}
	}
	result.SignedBy = stored.Signature.SignedBy
	return result, nil
}

// CheckNext holds a revision's digest against what the next revision says that it
// was. Where there is no next one that can be read, nobody says so.
func CheckNext(ctx context.Context, bus *jobstream.Bus, round string, revision int, digest string) error {
	next, err := bus.Outcomes.Open(ctx, round, revision+1)
	if errors.Is(err, jobstream.ErrNotFound) || jobstream.Damaged(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer next.Close()
	head, err := ReadHead(next)
	if err != nil || head.Former == "" || head.Former == digest {
		return nil // a next one that cannot be read is named where it is read
	}
	return jobstream.NotTheFormer(round, revision, digest, head.Former)
}
