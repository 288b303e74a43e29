// Package round takes one scoring round from its plan to its outcome: plan → publish →
// collect → conclude. It also replays what failed in a concluded round, which makes the
// round's next revision.
//
// Guarantees:
//   - Everything that a round depends on is in its manifest before the first job is
//     published, and everything that a replay will do is in its plan. A producer may die
//     at any instant; the next one continues with the same inputs.
//   - One producer at a time works on a round (package leadership). If two ever did, only
//     work would be lost, because each step is idempotent: a record is created once, the
//     stream drops a second message with a job's id, and an outcome is created once under
//     its revision.
//   - Jobs are queued in the plan's order, which is that of the miners file.
//   - planned = done + failed + outstanding, and a round is concluded only when nothing is
//     outstanding. A miner that a rule fails has no job; the outcome lists it with its
//     reason. Package audit compares everything that is stored of a round with itself; the
//     reconciler repairs what a crash has left incomplete, and says so.
//   - A job whose worker died is queued again within its lease and 2 s, whatever the
//     server's clock does: the producer counts by its own monotonic clock. A claim that
//     shows no sign of life on its record is taken back. A message that the server
//     withholds from waiting workers is replaced by a copy. The server may redeliver the
//     same job at the same time; the record then decides which of the two counts. A job
//     that lapses as often as a message may be delivered becomes a dead letter of class
//     poison.
//   - The outcome is one pure function of the evaluations, the registry, the maintainers
//     and as_of (scoring.Conclude). A round with a dead letter, a degraded evaluation or a
//     failed look-up of maintainers is concluded like any other, and is marked as not
//     complete.
//   - A replay that fails leaves every earlier revision as it was.
//   - Damage costs only the damaged part. An outcome is made of the stored data, which is
//     read once more when all jobs have ended. What is gone or unreadable is restored from
//     what this process has seen, or run again; in an overdue round it becomes a dead
//     letter of class damaged. What cannot be repaired is listed in the outcome. Only a
//     manifest that is lost to every producer ends a round (ErrLost), and no other round.
//   - A round with a deadline ends. Jobs that are outstanding then become dead letters of
//     class overdue, and planned = done + failed holds at once: a worker that is still at
//     such a job can no longer commit it.
//   - A round, or jobs of it, that an operator cancels end in the same way, as dead letters of
//     class cancelled. The order is stored first, once for each run of the round; whoever
//     runs the round carries it out. A cancelled replay leaves what counted before it.
//
// The durable steps, in order. A crash may follow each of them: package crash names them,
// and a test kills a producer at each.
//
//	manifest written ▶ round held ▶ snapshot kept ▶ record planned ▶ job published ▶ …
//	maintainers kept ▶ stored evaluations changed ▶ outcome written ▶ round released
//	replay planned ▶ record opened again ▶ job published ▶ … as above
//	cancelled: order stored ▶ dead letter published ▶ record failed ▶ … outcome as above
//	used up: dead letter published ▶ record failed ▶ message removed
//	passed over, or withheld: copy queued ▶ message removed
//	silent: record planned ▶ copy queued ▶ message removed
//	damaged: manifest restored; snapshot restored; record restored; record opened again ▶ message queued
//
// How it fails: an error of the streams or a cancelled context ends the work; the round
// stays as it is and can be resumed.
package round
