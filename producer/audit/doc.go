// Package audit checks that all stored data of a round fits together. The sum is planned
// = done + failed + outstanding, and each job has exactly what its phase requires.
//
// Guarantees:
//   - A report is a pure function of the stored data (job.Inventory): the same inventory
//     gives the same report, in the same order. It reads nothing and repairs nothing.
//   - Every discrepancy has a kind and, if it concerns a job, its miner. It says whether it
//     is harmless, which means that nothing is lost or counted twice by it.
//   - Holds is true only if the sum fits and every discrepancy is harmless.
//   - Something that cannot be read is noted, and does not affect the rest of the report. If
//     the manifest is lost, the jobs are those that have a record.
//
// In the middle of a round some discrepancies are temporary: a job is published in two
// steps, and ends in three. The reconciler (package round) repairs those that remain.
package audit
