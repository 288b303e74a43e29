package outcome

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// Records are those of a manifest's jobs. A record without a job is of a miner whose token
// GitHub has refused since: nothing counts it any more.
type Records struct {
	// List has the records that can be read.
	List []job.Record
	// Damage has the errors of the others, by uid.
	Damage map[int]job.Damage
}

// ReadRecords reads the records of a manifest's jobs.
func ReadRecords(ctx context.Context, bus *jobstream.Bus, m job.Manifest) (Records, error) {
	list, damage, err := bus.Records.ListAll(ctx, m.Round)
	if err != nil {
		return Records{}, fmt.Errorf("reading the records: %w", err)
	}
	return RecordsOf(m, list, damage), nil
}

// RecordsOf are those of a manifest's jobs, among what a round's bucket holds.
func RecordsOf(m job.Manifest, list []job.Record, damage []job.Damage) Records {
	jobs := map[int]bool{}
	for _, j := range m.Jobs() {
		jobs[j.UID] = true
	}
	damaged := job.DamageByUID(damage)
	maps.DeleteFunc(damaged, func(uid int, _ job.Damage) bool { return !jobs[uid] })
	return Records{slices.DeleteFunc(list, func(r job.Record) bool { return !jobs[r.UID] }), damaged}
}
