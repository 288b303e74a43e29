// Package outcome is what a concluded round says: what the rules made of it, with
// how the fleet came by it; and who of it can be replayed.
//
// Guarantees:
//   - Each revision is stored once, under a key of its own, and names the digests of
//     what it was made of and of the revision before. Reading one (Read, Latest) holds
//     it against its signature and against what the next revision says of it.
//   - Complete is true only when nothing stands in for what could not be had.
//   - Stream holds one miner at a time in memory, however large the round is.
//   - What can be replayed is read from the records as they are now. A miner is
//     listed once: with its dead letter, else as degraded, else for its identity.
//   - Compare and Decode are pure functions of their arguments. Nothing here
//     writes.
//
// How it fails: an outcome that is there and cannot be read, or is another than
// its successor says, is a *jobstream.ValueError (jobstream.Damaged); one that is
// not there is jobstream.ErrNotFound. A selection that names what there is not is
// ErrSelection, with a list of what there is.
package outcome
