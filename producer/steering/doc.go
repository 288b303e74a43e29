// Package steering carries out the orders of operators: pause and resume the schedule,
// pause and resume a round, begin a turn at once. The commands and the API use it for the
// same orders. Orders over HTTP go through an [Operator], which also replays, cancels, and
// stops and resumes egresses.
//
// An order to the schedule or to a round is one change of one stored value (job.Steer), made
// by compare-and-set. Producers follow the value: package schedule before each turn, package round while a round runs.
//
// Guarantees:
//   - An order that is given twice, from two terminals, or beside a standby changes
//     something once, and says the second time that nothing has changed.
//   - An order lasts: no restart of a producer, of NATS, and no takeover ends it.
//   - When an order to pause a round returns, nothing is handed out any more.
//   - An order that cannot be followed is refused, with what to do instead.
//   - Every order of an Operator is one line in the log, refused ones too: who, by which
//     token, from where, what, and why.
//   - A replay belongs to its Operator: one per round at a time, a few in all. Close ends them
//     and waits for them. What a replay will run is stored before it does anything, so that
//     the next replay resumes one that Close has interrupted.
//
// How it fails: with the first error of the streams. If its process dies after the value is
// stored, the order counts: a producer follows it.
package steering
