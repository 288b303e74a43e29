// Package jobstream stores jobs, their records and their results in NATS JetStream. It
// declares the streams, their consumers and the key-value buckets.
//
// Guarantees:
//
//   - A message that is published twice is queued once (message ids), for as long as the
//     server remembers the first. After that, the job's record decides.
//   - Values under keys have the guarantees of package kv. A record, for example, is
//     changed only at the revision that the caller has read. The second of two writers
//     gets ErrConflict, and reads again. values.go lists the values.
//   - Every message that the server delivers to this process reaches the caller, or is
//     given back. A fetch is never interrupted: the server counts sent messages as
//     delivered, and would wait a whole AckWait for them.
//   - The server confirms acks, naks, terminations and heartbeats. After a nil error they
//     have happened; after any other error they may have. An unconfirmed nak is not sent
//     again: it could end a later delivery.
//   - Values are compressed, split if they are longer than one message may be, and checked
//     when they are read. A damaged one is a *ValueError with its key. It fails no list
//     that contains it, and can be replaced at its revision.
//   - After Open, everything that is declared exists with the declared settings. If a
//     setting cannot be changed, Open fails with an error that names it.
//   - A stream that is gone is declared again, empty, by the producer's operation that
//     misses it, and by Restore. The reconciler fills it. Workers wait for that; viewers
//     get ErrUndeclared.
//   - Reads and lists go to the leader, so a replica that lags decides nothing. Any replica
//     answers only the workers' reads of rounds (declare.go, rounds).
//
// How it fails: while the server is away, operations wait and try again until their
// context ends, and log once per outage. A write whose answer was lost is looked up before
// it counts as a conflict. Nothing is buffered while there is no connection: an ack that
// arrives after its lease would be worse than none.
//
// The settings avoid several traps of JetStream. declare.go explains each trap beside its
// setting.
package jobstream
