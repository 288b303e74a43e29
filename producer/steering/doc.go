// Package steering carries out the orders of operators: pause and resume the schedule,
// pause and resume a round, begin a turn at once. The commands and the API use it for the
// same orders.
//
// An order is one change of one stored value (job.Steer), made by compare-and-set. Producers
// follow the value: package schedule before each turn, package round while a round runs.
//
// Guarantees:
//   - An order that is given twice, from two terminals, or beside a standby changes
//     something once, and says the second time that nothing has changed.
//   - An order lasts: no restart of a producer, of NATS, and no takeover ends it.
//   - When an order to pause a round returns, nothing is handed out any more.
//   - An order that cannot be followed is refused, with what to do instead.
//
// How it fails: with the first error of the streams. If its process dies after the value is
// stored, the order counts: a producer follows it.
package steering
