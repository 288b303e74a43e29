package backup

import (
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// part is one stream of a backup.
type part struct {
	name string
	// exact wants a snapshot under which nothing was removed, and which is taken
	// again until it is one; tries is how often it is taken at most.
	exact bool
	tries int
}

// Tries of a snapshot, a pause of retryPause apart. The keys of rounds change
// with each sign of life of a producer, which is seconds apart; those of the
// stored evaluations for about a second when a round is concluded, those of
// identities for half a minute when one is planned.
const (
	manyTries = 120
	someTries = 5
)

// scores is the cache, which is in a backup only when it is asked for.
const scores = "KV_" + job.BucketScores

// independent are what nothing refers to in a way that a restore could break.
// They come first, so that the rest is taken within as short a time as can be.
func independent() []part {
	return []part{
		{name: scores, tries: 1},
		{name: "KV_" + job.BucketIdentities, exact: true, tries: manyTries},
	}
}

// ordered are the others, in the order that the package's documentation gives
// the reasons for.
func ordered() []part {
	return []part{
		{name: "KV_" + job.BucketRecords, tries: someTries},
		{name: "KV_" + job.BucketEvaluation, tries: 1},
		{name: "KV_" + job.BucketMiners, exact: true, tries: manyTries},
		{name: job.StreamDead, tries: 1},
		{name: job.StreamAdvisory, tries: 1},
		{name: job.StreamJobs, tries: 1},
		{name: "KV_" + job.BucketRounds, exact: true, tries: manyTries},
	}
}

// all are the streams that a backup is of: those of the fleet without the two whose
// messages are of no use to anybody hours later.
func all() []string {
	return slices.DeleteFunc(jobstream.StreamNames(), func(name string) bool {
		return name == job.StreamWarm || name == "KV_"+job.BucketWorkers
	})
}

// Order are the names of all streams of a backup, in the order in which they are
// taken and restored. A restore ends with the rounds, so that a producer that
// is started too early finds none.
func Order() []string {
	var names []string
	for _, parts := range [][]part{independent(), ordered()} {
		for _, p := range parts {
			names = append(names, p.name)
		}
	}
	return names
}
