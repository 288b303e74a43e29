// Package outcome reads and compares the results of concluded rounds. A result says what
// the rules computed, how the fleet obtained it, and which miners can be replayed.
//
// Guarantees:
//   - Each revision is stored once, under its own key. It names the digests of its inputs
//     and of the previous revision. Read and Latest verify a revision by its signature and
//     by the digest that the next revision has of it.
//   - Complete is true only if nothing stands in for data that could not be obtained.
//   - Stream keeps one miner at a time in memory, for a round of any size.
//   - The list of miners that can be replayed comes from the records as they are now. It
//     has each miner once: for its dead letter, else as degraded, else for its identity.
//   - Compare and Decode are pure functions of their arguments. This package writes nothing.
//
// Failures: an outcome that exists and cannot be read, or differs from its successor's
// digest, is a *jobstream.ValueError (jobstream.Damaged). A missing one is
// jobstream.ErrNotFound. A selection that names a miner or class that the round does not
// have is ErrSelection, with a list of those that it has.
package outcome
