// Package round takes one scoring round from its plan to its outcome:
// plan → publish → collect → conclude.
//
// Guarantees:
//   - Everything that a round depends on is in its manifest before the first
//     job is published: a producer that dies at any instant is followed by
//     another that goes on with the same round.
//   - Each step is idempotent. A record is made once, a job is published under
//     a message id that the stream drops the second time, an outcome has its
//     revision as key.
//   - planned = done + failed + outstanding: a round is concluded only when
//     nothing is outstanding. A miner that a rule fails has no job; it is in
//     the outcome with its reason.
//   - The outcome is one pure function of the evaluations, the registry, the
//     maintainers and as_of (scoring.Conclude). A round with a dead letter, a
//     degraded evaluation or a maintainers look-up that failed is concluded
//     like any other, and says that it is not complete.
//
// How it fails: an error of the streams or a cancelled context ends Run; the
// round stays as it is and can be resumed.
package round
