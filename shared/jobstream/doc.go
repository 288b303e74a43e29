// Package jobstream keeps jobs, their records and what comes of them in NATS
// JetStream: the streams, their consumers and the key-value buckets.
//
// Guarantees:
//
//   - A message published twice is queued once (message ids), for as long as
//     the server remembers the first; after that the job's record settles it.
//   - What is kept under keys is kept as package kv says: a record, for one, is changed
//     only at the revision that the caller has read, and whoever comes second gets
//     ErrConflict and reads again. Which values there are is said in values.go.
//   - A message handed to this process is handed to the caller or given back:
//     a fetch is never broken off, because the server counts what it has sent
//     as delivered and would wait a whole AckWait for nobody.
//   - Acks, naks, terminations and heartbeats are confirmed by the server. A
//     nil error means that it happened; another one leaves it open. An
//     unconfirmed nak is not sent again: it could end a later delivery.
//   - Values are compressed, split when they are longer than one message may
//     be, and checked when read; a damaged one is a *ValueError with its key. It
//     costs no list that it is in, and is replaced at its revision.
//   - Everything declared exists after Open, with the declared settings, whole: what
//     cannot be brought there is an error that names it.
//   - What is gone is declared again, empty, by the producer's operation that misses
//     it, and by Restore. The reconciler fills it. A worker, or a viewer, waits for that.
//   - Reads and lists are the leader's: no replica that lags has a say. Only what
//     workers read of rounds any replica answers (declare.go, rounds).
//
// How it fails: while the server is away, operations wait and try again until
// their context ends, logging once per outage. A write whose answer was lost
// is looked up before it is called a conflict. Nothing is buffered while
// disconnected: an ack that arrives after its lease would be worse than none.
//
// Traps of JetStream that the settings avoid are written beside each setting
// in declare.go.
package jobstream
