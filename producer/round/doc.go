// Package round takes one scoring round from its plan to its outcome:
// plan → publish → collect → conclude; and a concluded one, by a replay of what
// failed, to the next revision of it.
//
// Guarantees:
//   - Everything that a round depends on is in its manifest before the first
//     job is published, and everything that a replay will do in its plan: a
//     producer that dies at any instant is followed by another that goes on
//     with the same.
//   - One producer at a time works on a round (package leadership). Only work is at
//     stake in that: each step is idempotent. A record is made once, a job is
//     published under a message id that the stream drops the second time, an
//     outcome has its revision as key and is written once.
//   - Jobs are queued in the plan's order, which is that of the miners file.
//   - planned = done + failed + outstanding: a round is concluded only when
//     nothing is outstanding. A miner that a rule fails has no job; it is in
//     the outcome with its reason. Package audit compares all that is held of a
//     round with itself; the reconciler restores what a crash took, and says so.
//   - A job whose worker died comes back within its lease and 2 s, counted by the
//     monotonic clock of the producer that holds the round, whatever the server's
//     clock does: a claim that shows no sign of life on its record is taken back,
//     and a message that workers are not given though they wait is replaced by a
//     copy. The server's own redelivery may come at the same time: the record
//     decides who is second. A job that ends so as often as a message has
//     deliveries is dead as poison.
//   - The outcome is one pure function of the evaluations, the registry, the
//     maintainers and as_of (scoring.Conclude). A round with a dead letter, a
//     degraded evaluation or a maintainers look-up that failed is concluded
//     like any other, and says that it is not complete.
//   - A replay that fails leaves no less than there was.
//   - Damage costs its own part. An outcome is made of what is stored, which is
//     read once more when all jobs have ended: what is gone or cannot be read is
//     put back from what this process has seen, or run again, or, when the round
//     has to end, dead as damaged; what could not be put right marks the outcome.
//     Only a manifest that no producer has any more ends its round (ErrLost), and
//     no other.
//   - A round that has a time to end by ends: what is outstanding then is dead
//     as overdue, and goes the way of every dead letter. Whoever still works on
//     it commits nothing, and planned = done + failed holds at once.
//
// The durable steps, in order, each of which a crash may follow (package crash
// names them, and a test kills a producer at each):
//
//	manifest written ▶ round held ▶ snapshot kept ▶ record planned ▶ job published ▶ …
//	maintainers kept ▶ stored evaluations changed ▶ outcome written ▶ round released
//	replay planned ▶ record opened again ▶ job published ▶ … as above
//	used up: dead letter published ▶ record failed ▶ message removed
//	passed over, or withheld: copy queued ▶ message removed
//	silent: record planned ▶ copy queued ▶ message removed
//	damaged: manifest restored; snapshot restored; record restored; record opened again ▶ message queued
//
// How it fails: an error of the streams or a cancelled context ends Run; the
// round stays as it is and can be resumed.
package round
