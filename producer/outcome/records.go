package outcome

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Records reads those of a manifest's jobs, without those that cannot be read. A
// record without a job is of a miner whose token GitHub has refused since: nothing
// counts it any more.
func Records(ctx context.Context, bus *jobstream.Bus, m job.Manifest) ([]job.Record, error) {
	list, _, err := readable(ctx, bus, m)
	return list, err
}

// readable reads those that can be read, and by uid those that cannot.
func readable(ctx context.Context, bus *jobstream.Bus, m job.Manifest) ([]job.Record, map[int]job.Damage, error) {
	list, damage, err := bus.Records.ListAll(ctx, m.Round)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the records: %w", err)
	}
	jobs := map[int]bool{}
	for _, j := range m.Jobs() {
		jobs[j.UID] = true
	}
	damaged := job.DamageByUID(damage)
	maps.DeleteFunc(damaged, func(uid int, _ job.Damage) bool { return !jobs[uid] })
	return slices.DeleteFunc(list, func(r job.Record) bool { return !jobs[r.UID] }), damaged, nil
}
