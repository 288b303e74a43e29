package job

import (
	"fmt"
	"strconv"
	"strings"
)

// Streams and buckets, and the subjects that the streams capture.
const (
	StreamJobs       = "MINER_JOBS"
	StreamDead       = "MINER_DEAD"
	StreamAdvisory   = "MINER_ADVISORY"
	StreamWarm       = "MINER_WARM"
	BucketRounds     = "ROUNDS"
	BucketRecords    = "RECORDS"
	BucketEvaluation = "EVALUATIONS"
	BucketMiners     = "MINERS"
	BucketScores     = "SCORES"
	BucketIdentities = "IDENTITIES"
	BucketWorkers    = "WORKERS"

	SubjectJobs = "miner.job.>"
	SubjectDead = "miner.dead.>"
	SubjectWarm = "miner.warm.>"
	// SubjectAdvisory is where the server reports that a message of StreamJobs has used
	// up its deliveries. It reports this once, to those who are subscribed; a stream
	// captures the message, so that no report is lost while no producer runs.
	SubjectAdvisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + StreamJobs + ".>"

	// RoundUnnamed stands for the round of a message that names none.
	RoundUnnamed = "unnamed"

	// Consumer is the one durable consumer that every worker pulls from.
	Consumer = "workers"
	// ConsumerWarm is the one that they pull miners of a warm-up from.
	ConsumerWarm = "warmers"
)

// Subject is where a miner's job is published.
func Subject(round string, uid int) string { return fmt.Sprintf("miner.job.%s.%d", round, uid) }

// DeadSubject is where a miner's dead letter is published.
func DeadSubject(round string, uid int) string { return fmt.Sprintf("miner.dead.%s.%d", round, uid) }

// WarmSubject is where a miner of a warm-up is published.
func WarmSubject(warmUp string, uid int) string { return fmt.Sprintf("miner.warm.%s.%d", warmUp, uid) }

// RecordKey names a job's record.
func RecordKey(round string, uid int) string { return fmt.Sprintf("%s.%d", round, uid) }

// EvaluationKey names the evaluation of one claim: another claim's has
// another key, so a late finisher overwrites nothing.
func EvaluationKey(round string, uid int, claim string) string {
	return fmt.Sprintf("%s.%d.%s", round, uid, claim)
}

// ParseRecordKey is the inverse of RecordKey.
func ParseRecordKey(key string) (round string, uid int, err error) {
	round, tail, found := strings.Cut(key, ".")
	uid, numErr := strconv.Atoi(tail)
	// The number must be in its one form: 007 and +7 would be other keys.
	if !found || numErr != nil || uid < 0 || strconv.Itoa(uid) != tail || !ValidRound(round) {
		return "", 0, fmt.Errorf("record key %q: want <round>.<uid>", key)
	}
	return round, uid, nil
}

// ParseSubject is the inverse of Subject.
func ParseSubject(subject string) (round string, uid int, err error) {
	tail, found := strings.CutPrefix(subject, strings.TrimSuffix(SubjectJobs, ">"))
	if !found {
		return "", 0, fmt.Errorf("job subject %q: want miner.job.<round>.<uid>", subject)
	}
	round, uid, err = ParseRecordKey(tail)
	if err != nil {
		return "", 0, fmt.Errorf("job subject %q: want miner.job.<round>.<uid>", subject)
	}
	return round, uid, nil
}

// ManifestKey names a round's manifest.
func ManifestKey(round string) string { return round + ".manifest" }

// SnapshotKey names the stored evaluations that a round began with.
func SnapshotKey(round string) string { return round + ".stored" }

// OutcomeKey names one revision of a round's outcome.
func OutcomeKey(round string, revision int) string {
	return fmt.Sprintf("%s.outcome.%d", round, revision)
}

// HolderKey names the producer that runs a round at the moment.
func HolderKey(round string) string { return round + ".holder" }

// Schedule takes the place of a round's name in the keys that all producers share: the
// leader of the producers that serve (HolderKey), the last turn, the last conclusions,
// the last warm-up, what operators have ordered, the fleet's egresses, and the value that tests a bucket (ProbeKey).
// No round has this name: the names of rounds begin with an instant.
const Schedule = "schedule"

// EgressesKey names the egresses that the fleet has.
const EgressesKey = Schedule + ".egresses"

// FleetKey names the word that identifies the fleet in its backups. The first
// backup makes it, and it stays the same on other servers.
const FleetKey = Schedule + ".fleet"

// LastKey names when rounds were last concluded.
const LastKey = Schedule + ".last"

// ProbeKey names the value that an idle process writes to find out whether a bucket
// confirms writes. Each write replaces the last one, of any process.
const ProbeKey = Schedule + ".probe"

// TurnKey names the last turn of the schedule, NextKey when the next one is due.
const (
	TurnKey = Schedule + ".turn"
	NextKey = Schedule + ".next"
)

// SteerKey names what operators have ordered of the schedule and of the round that runs.
const SteerKey = Schedule + ".steer"

// WarmUpKey names how the last warm-up stands, WarmUpInputsKey what it is made with.
const (
	WarmUpKey       = Schedule + ".warm-up"
	WarmUpInputsKey = Schedule + ".inputs"
)

// ProducerKey names the sign of life of a producer process in BucketWorkers. It has a token
// more than the key of a worker process, which is the process's name alone: a worker's
// permission covers keys of one token (docs/secure.md#roles).
func ProducerKey(process string) string { return "producer." + process }

// ReplayKey names the plan of a round's nth replay, which leads to revision
// n+1 of its outcome.
func ReplayKey(round string, n int) string { return fmt.Sprintf("%s.replay.%d", round, n) }

// CancelKey names the orders to cancel jobs of a round (n is 0), or of its nth replay.
func CancelKey(round string, n int) string { return fmt.Sprintf("%s.cancel.%d", round, n) }

// MaintainersKey names the maintainers that were looked up for a round.
func MaintainersKey(round string) string { return round + ".maintainers" }

// ValidRound says whether a round's name can stand in subjects and keys:
// lower-case letters, digits and dashes, at most 64 of them.
func ValidRound(round string) bool {
	if round == "" || len(round) > 64 {
		return false
	}
	for _, r := range round {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}

// RoundSubject matches the jobs of one round.
func RoundSubject(round string) string { return fmt.Sprintf("miner.job.%s.*", round) }

// WarmUpSubject matches the miners of one warm-up.
func WarmUpSubject(warmUp string) string { return fmt.Sprintf("miner.warm.%s.*", warmUp) }
