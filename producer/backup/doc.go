// Package backup writes what a fleet keeps in JetStream to a directory, while
// rounds go on, and puts it into other servers: by the servers' own snapshots
// of streams, one file for each, and a manifest.
//
// # What a backup is
//
// Snapshots are per stream, so each shows another instant, and what is read
// later may say more than what was read before. They are taken in an order
// (see order) in which nothing names what is missing, as far as one order can:
//
//   - Records come before evaluations and dead letters: what a record that has
//     ended names was stored before the record ended.
//   - Records come before messages. A claim in a record names its message by the
//     place in the stream, and a later one takes it over only from a later place.
//     In the other order a record could name a place that the restored stream has
//     yet to reach, and its job would be refused to every worker until then.
//   - Advisories come before messages: one that names a place which the restored
//     stream gives to another message would bury that one.
//   - Everything comes before the bucket of rounds: whatever names a round finds
//     its manifest there, and whatever names a replay its plan.
//
// One thing is then the wrong way round: an outcome that was written while the
// backup went on is of records that have not all ended in it. So the outcomes
// that there were before the first record was read are listed in the manifest,
// and a restore removes every other one: its round is restored as one that is
// not concluded yet, or as a replay that was broken off, and comes to the same
// outcome again.
//
// What a restore leaves, and who deals with it:
//
//   - a record without message (the job ended, or was published, meanwhile): the
//     reconciler publishes it again
//   - a message without record, or a job without either: the reconciler plans and
//     publishes it
//   - a message of an ended job, an evaluation or a dead letter that no record
//     names: harmless by the audit; the next worker removes the message
//   - a lease that was out: the server hands the job out again after AckWait. A
//     record may hold the claim of the lost delivery; a delivery that is not
//     later than it is refused, and the next one has the job
//   - a round that was forgotten meanwhile, whole or half-way: its manifest goes
//     first, so it is not in the bucket of rounds, and the restore forgets the rest
//   - a holder that will not come back: who resumes the round takes it over when
//     that one has been silent for its time
//
// The server reads a stream from its first message to the last that there was
// when it began. A key that is written anew in between is at neither place. So
// the archive's messages are counted: where a value must not be missed (rounds,
// stored evaluations, identities) the snapshot is taken again until nothing was
// removed under it, and where the reconciler makes the value anew (records), it
// is tried a few times.
//
// # Guarantees
//
//   - The manifest is written last, whole or not at all, with size and SHA-256 of
//     each file: a backup that was broken off has none. Each archive is read back
//     to its end before that.
//   - The directory is its owner's alone (0700, files 0600): there are digests of
//     tokens in it.
//   - A restore verifies all of a backup before it writes anything. It writes
//     streams that are not there, and no other; it deletes none. A stream that is
//     there already must be what the backup has, as a restore that was broken off
//     leaves it; the restore then goes on with the next one.
//   - After a restore every stream has its declared settings, all of its copies are
//     complete, and the backup's fleet is the servers' fleet.
//   - Both hold a few chunks in memory, whatever the size.
//
// How it fails: a backup that cannot be restored here is an error that matches
// ErrRefused, before anything is written. A connection that is lost, or silent
// for too long, ends either: chunks of a snapshot are not sent again. A single
// server then keeps a part of the stream that was being restored. The next restore
// names it, and the producer's user may not delete it: its servers are to start
// empty again.
package backup
