package crash

import "slices"

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

// The points of a producer, in the order in which an operator's order, a round, its replay, the
// keeper of exhausted deliveries and the reconciler pass them.
const (
	// SteerWritten: an operator's order is stored; nobody has followed it.
	SteerWritten Point = "steer-written"
	// TurnOrdered: the producer has seen the order to begin a turn; the turn is not begun.
	TurnOrdered Point = "turn-ordered"
	// TurnTaken: the schedule's turn is begun; its round has no manifest.
	TurnTaken Point = "turn-taken"
	// ManifestWritten: the round can be resumed; nobody holds it yet.
	ManifestWritten Point = "manifest-written"
	// RoundHeld: the round is this producer's; nothing was done with it yet.
	RoundHeld Point = "round-held"
	// SnapshotStored: what the round begins with is kept; no job has a record.
	SnapshotStored Point = "snapshot-stored"
	// RecordPlanned: the record is there, its message is not.
	RecordPlanned Point = "record-planned"
	// JobPublished: so is the message.
	JobPublished Point = "job-published"
	// MaintainersKept: the outcome can be made from stored data alone.
	MaintainersKept Point = "maintainers-kept"
	// OneStoredChanged: one stored evaluation is the round's, others may not be.
	OneStoredChanged Point = "one-stored-changed"
	// StoredChanged: all of them are; the outcome is not written.
	StoredChanged Point = "stored-changed"
	// OutcomeWritten: the round is concluded, and still held.
	OutcomeWritten Point = "outcome-written"
	// ConclusionNoted: so it is said for who looks from outside.
	ConclusionNoted Point = "conclusion-noted"
	// RoundReleased: nothing is left to do, but to say so.
	RoundReleased Point = "round-released"
	// ReplayPlanned: the miners to run again are stored, and none has begun.
	ReplayPlanned Point = "replay-planned"
	// CancelOrdered: the order to cancel is stored; nothing of it is carried out.
	CancelOrdered Point = "cancel-ordered"
	// RecordReplanned: the record is open again, its new message not there.
	RecordReplanned Point = "record-replanned"
	// Mended: one lost record or message is restored.
	Mended Point = "mended"
	// ManifestRestored: a manifest that was gone or unreadable is there again.
	ManifestRestored Point = "manifest-restored"
	// SnapshotRestored: so are the stored evaluations that the round began with.
	SnapshotRestored Point = "snapshot-restored"
	// RecordRestored: so is a record; its message may be missing.
	RecordRestored Point = "record-restored"
	// RecordReopened: the record of a job whose evaluation is gone or unreadable is
	// planned again, its message not there.
	RecordReopened Point = "record-reopened"
	// CopyQueued: a message passed over has a copy, and is still there.
	CopyQueued Point = "copy-queued"
	// TakenBack: a job whose worker is silent is planned again; its message is
	// still withheld.
	TakenBack Point = "taken-back"
	// Freed: one message that nobody would have been given is dealt with.
	Freed Point = "freed"
	// BurialPlanned: a job whose deliveries are used up got the record that it
	// had lost.
	BurialPlanned Point = "burial-planned"
	// BurialPublished: its dead letter is stored, the record not ended.
	BurialPublished Point = "burial-published"
	// BurialRecorded: the record is failed, the message still in the queue.
	BurialRecorded Point = "burial-recorded"
	// ExhaustedRemoved: the message is gone; the server's advisory is not settled.
	ExhaustedRemoved Point = "exhausted-removed"
	// PartForgotten: one of the places that kept something of an old round is
	// empty, the others may not be.
	PartForgotten Point = "part-forgotten"
)

// worker lists the worker's points; Points adds up all lists.
//
//nolint:gochecknoglobals // a table
var worker = []Point{
	RecordPlannedAnew, Claimed, Expected, EvaluationStored, RecordDone, FailureCounted, DeadPublished, LeftoverStored,
	RecordFailed, UnreadablePublished, UnreadableFailed, HandedBack, Settled,
}

// producer lists the producer's.
//
//nolint:gochecknoglobals // a table
var producer = []Point{
	SteerWritten, TurnOrdered, TurnTaken, ManifestWritten, RoundHeld, SnapshotStored, RecordPlanned, JobPublished, MaintainersKept,
	OneStoredChanged, StoredChanged, OutcomeWritten, ConclusionNoted, RoundReleased, ReplayPlanned, CancelOrdered, RecordReplanned, Mended,
	ManifestRestored, SnapshotRestored, RecordRestored, RecordReopened, CopyQueued, TakenBack, Freed, BurialPlanned, BurialPublished,
	BurialRecorded,
	ExhaustedRemoved, PartForgotten,
}

// Points are all points that there are.
func Points() []Point { return slices.Concat(worker, producer) }
