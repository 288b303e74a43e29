package backup

import (
	"slices"

	"mirrorfleet/shared/job"
	"mirrorfleet/shared/jobstream"
)

// part is one stream of a backup.
type part struct {
	name string
	// exact asks for a snapshot during which nothing was removed. The snapshot is repeated
	// until it is such a one, at most tries times.
	exact bool
	tries int
}

// Tries of a snapshot, retryPause apart. The bucket of rounds changes with each sign of
// life of a producer, every few seconds. The stored evaluations change for about a second
// when a round is concluded, the identities for half a minute when a round is planned.
const (
	manyTries = 120
	someTries = 5
)

// scores is the cache, which is in a backup only when it is asked for.
const scores = "KV_" + job.BucketScores

// independent are the streams to which no other refers in a way that a restore could break.
// They come first, so that the others are taken within the shortest possible time.
func independent() []part {
	return []part{
		{name: scores, tries: 1},
		{name: "KV_" + job.BucketIdentities, exact: true, tries: manyTries},
	}
}

// ordered are the other streams. doc.go gives the reasons for their order.
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

// all are the streams of a backup: those of the fleet except two whose messages are useless
// hours later.
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
