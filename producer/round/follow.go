package round

import (
	"time"

	"mirrorfleet/shared/job"
)

// Follower derives the progress of a round from its records, for a reader that follows a round
// that another process runs.
type Follower struct{ tally *tally }

// NewFollower follows the jobs of a manifest. All of them are queued until their records
// are taken.
func NewFollower(m job.Manifest) *Follower { return &Follower{newTally(m.Jobs())} }

// Take replaces a job's record by one that was seen at an instant.
func (f *Follower) Take(r job.Record, now time.Time) { f.tally.take(r, now) }

// Progress is how far the round is.
func (f *Follower) Progress() Progress { return f.tally.progress() }
