package crash

// Point is a step between two durable effects.
type Point string

// The points of a worker, in the order in which a delivery passes them.
const (
	// RecordPlannedAnew: a message without its record got one.
	RecordPlannedAnew Point = "record-planned-anew"
	// Claimed: the record names this worker's claim; nothing was asked yet.
	Claimed Point = "claimed"
	// Expected: the record says how many requests the attempt will make.
	Expected Point = "expected"
	// EvaluationStored: the record does not name it yet.
	EvaluationStored Point = "evaluation-stored"
	// RecordDone: the message is still in the queue.
	RecordDone Point = "record-done"
	// FailureCounted: the record is planned again, the message not given back.
	FailureCounted Point = "failure-counted"
	// DeadPublished: the dead letter is stored, the record still running.
	DeadPublished Point = "dead-published"
	// LeftoverStored: so is what the failed job could do nevertheless.
	LeftoverStored Point = "leftover-stored"
	// RecordFailed: the message is still in the queue.
	RecordFailed Point = "record-failed"
	// UnreadablePublished: as DeadPublished, of a message that is no job.
	UnreadablePublished Point = "unreadable-published"
	// UnreadableFailed: as RecordFailed, of a message that is no job.
	UnreadableFailed Point = "unreadable-failed"
	// HandedBack: the record is planned again, the message not given back.
	HandedBack Point = "handed-back"
	// Settled: the message is removed or given back.
	Settled Point = "settled"
)

// worker lists the worker's points; Points adds up all lists.
//
//nolint:gochecknoglobals // a table
var worker = []Point{
	RecordPlannedAnew, Claimed, Expected, EvaluationStored, RecordDone, FailureCounted, DeadPublished, LeftoverStored,
	RecordFailed, UnreadablePublished, UnreadableFailed, HandedBack, Settled,
}

// Points are all points that there are.
func Points() []Point { return append([]Point(nil), worker...) }
