package jobstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream/kv"
)

// CreateManifest claims a round by storing its manifest; ErrExists if another producer has
// claimed it.
func (ro Rounds) CreateManifest(ctx context.Context, m job.Manifest) error {
	if !job.ValidRound(m.Round) {
		return fmt.Errorf("round %q: want lower-case letters, digits and dashes, at most 64", m.Round)
	}
	return ro.manifest(m.Round).Create(ctx, m)
}

// Manifest reads a round's manifest; ErrNotFound if nobody has planned the round.
func (ro Rounds) Manifest(ctx context.Context, round string) (job.Manifest, error) {
	m, stored, err := ro.manifest(round).Load(ctx)
	if err == nil {
		m.SHA256, m.SignedBy = stored.SHA256, stored.Signature.SignedBy
	}
	return m, err
}

// RestoreManifest stores a manifest again if it is gone or cannot be read, and says whether
// it did. It is for the producer that still has the manifest in memory.
func (ro Rounds) RestoreManifest(ctx context.Context, m job.Manifest) (bool, error) {
	return ro.manifest(m.Round).Restore(ctx, m)
}

// Mark tells states of what the bucket holds of a round apart (kv.Mark): its plan, who runs it,
// what was ordered, and its outcomes.
func (ro Rounds) Mark(ctx context.Context, round string) (kv.Mark, error) {
	return ro.rounds().Mark(ctx, round+".>")
}

// List lists the rounds that were planned, in the order of their names.
func (ro Rounds) List(ctx context.Context) ([]string, error) {
	keys, err := ro.rounds().Keys(ctx, job.ManifestKey("*"))
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		keys[i] = strings.TrimSuffix(key, job.ManifestKey(""))
	}
	slices.Sort(keys)
	return keys, nil
}

// Concluded lists the rounds that have an outcome, in the order of their
// names.
func (ro Rounds) Concluded(ctx context.Context) ([]string, error) {
	last, err := ro.LastRevisions(ctx)
	return slices.Sorted(maps.Keys(last)), err
}

// LastRevisions has the number of the last revision of each round that has an outcome. It
// takes one list of keys, however many rounds there are.
func (ro Rounds) LastRevisions(ctx context.Context) (map[string]int, error) {
	keys, err := ro.rounds().Keys(ctx, "*.outcome.*")
	if err != nil {
		return nil, err
	}
	last := map[string]int{}
	for _, key := range keys {
		name, revision, _ := strings.Cut(key, ".outcome.")
		if n, err := strconv.Atoi(revision); err == nil && n > 0 && job.OutcomeKey(name, n) == key {
			last[name] = max(last[name], n)
		}
	}
	return last, nil
}
