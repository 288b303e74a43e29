package view

import (
	"cmp"
	"slices"

	"mirrorfleet/shared/job"
)

// Jobs are the records of the round's jobs that are there by now, by uid, and the workers with
// their last signs. Any goroutine may ask. Nobody may change what a record refers to.
func (s *Subscription) Jobs() ([]job.Record, Workers) { return s.room.follow.jobs() }

func (f *Follow) jobs() ([]job.Record, Workers) {
	f.mu.Lock()
	defer f.mu.Unlock()
	records := make([]job.Record, 0, len(f.records))
	for _, r := range f.records {
		records = append(records, r.Record)
	}
	slices.SortFunc(records, func(a, b job.Record) int { return cmp.Compare(a.UID, b.UID) })
	return records, WorkersOf(f.roll)
}
