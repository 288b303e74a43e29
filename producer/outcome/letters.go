package outcome

import (
	"cmp"
	"slices"

	"mirrorfleet/shared/job"
)

// DeadLetters are the dead letters of the jobs that have failed, one each, by
// uid: the last of the record's own replay. A job whose letter is gone, for
// they are kept for a while only, has what its record says.
func DeadLetters(records map[int]job.Record, letters []job.DeadLetter) []job.DeadLetter {
	last := map[int]job.DeadLetter{}
	for _, letter := range letters { // oldest first
		if record, there := records[letter.UID]; there && record.Phase == job.Failed && letter.Replay == record.Replay {
			last[letter.UID] = letter
		}
	}
	dead := []job.DeadLetter{}
	for uid, record := range records {
		if record.Phase != job.Failed {
			continue
		}
		letter, there := last[uid]
		if !there {
			letter = DeadLetter(record)
		}
		dead = append(dead, letter)
	}
	slices.SortFunc(dead, func(a, b job.DeadLetter) int { return cmp.Compare(a.UID, b.UID) })
	return dead
}

// DeadLetter tells of a failed job what its record knows.
func DeadLetter(r job.Record) job.DeadLetter {
	letter := job.DeadLetter{
		Version:  job.Version,
		Round:    r.Round,
		UID:      r.UID,
		Replay:   r.Replay,
		Attempts: r.Deliveries,
		Trace:    r.Trace,
	}
	if r.Failure != nil {
		letter.Class = r.Failure.Class
		letter.Error = r.Failure.Error
		letter.At = r.Failure.At
	}
	if r.Claim != nil {
		letter.Worker = r.Claim.Worker
	}
	return letter
}
