// Package audit compares all that is held of a round with itself:
// planned = done + failed + outstanding, and each job with exactly what its phase
// asks for.
//
// Guarantees:
//   - A report is a pure function of what is held (job.Inventory): whoever audits the same
//     finds the same, in the same order. Nothing is read, and nothing mended.
//   - Every discrepancy has a kind and, where it is a job's, its miner. Each says
//     whether it is harmless: nothing is lost or counted twice by it.
//   - Holds is true only when the sum fits and all that does not is harmless.
//   - What cannot be read is named, and costs the report nothing else. Of a round
//     whose manifest is lost the jobs are those that anything is left of.
//
// In the middle of a round some discrepancies are passing: a job is published in
// two steps, and ends in three. The reconciler (package round) mends what stays.
package audit
