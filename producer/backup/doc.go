// Package backup copies what a fleet keeps in JetStream to a directory while rounds run,
// and restores it into other servers. A backup has one file for each stream, made by the
// servers' own snapshots, and a manifest.
//
// # The order of a backup
//
// Each stream has its own snapshot and so shows its own instant. A later snapshot may know
// more than an earlier one. The order of the snapshots (see order) keeps references whole,
// as far as an order can:
//
//   - Records come before evaluations and dead letters. An ended record names one of these,
//     and it was stored before the record ended.
//   - Records come before messages. A claim in a record names its message by the sequence
//     in the stream, and only a later sequence can take the claim over. In the other order,
//     a record could name a sequence that the restored stream has yet to reach, and every
//     worker would be refused the job until then.
//   - Advisories come before messages. Otherwise an advisory could name a sequence that the
//     restored stream gives to another message, and that message's job would be made dead.
//   - The bucket of rounds comes last. All that names a round finds its manifest there, and
//     all that names a replay finds its plan.
//
// This leaves one wrong order: an outcome that was written during the backup is built from
// records that have not all ended in the backup. So the manifest lists the outcomes that
// existed before the first record was read, and a restore removes all others. Their rounds
// are restored as not yet concluded, or as interrupted replays, and reach the same outcome
// again.
//
// # After a restore
//
// A restore can leave the following, and each has something that deals with it:
//
//   - A record without a message (the job ended, or was published, during the backup): the
//     reconciler publishes the message again.
//   - A message without a record, or a job with neither: the reconciler plans and publishes
//     it.
//   - A message of an ended job, or an evaluation or dead letter that no record names: the
//     audit counts it as harmless, and the next worker removes the message.
//   - A lease that was held: the server hands the job out again after AckWait. The record
//     may have the claim of the lost delivery. A delivery that is not later than that one
//     is refused, and the next one gets the job.
//   - A round that was forgotten during the backup, wholly or in part: its manifest is
//     deleted first, so the bucket of rounds does not have it. The restore removes the rest.
//   - A holder that no longer runs: the producer that resumes the round takes over after
//     the holder's own takeover time.
//
// A snapshot reads a stream from its first message to the message that was last when it
// began. A key that is rewritten in between is at neither place. So the archive's messages
// are counted. Where no value may be missing (rounds, stored evaluations, identities), the
// snapshot is repeated until nothing was removed during it. Where the reconciler can make
// the value again (records), it is repeated a few times.
//
// # Guarantees
//
//   - The manifest is written last, whole or not at all, with the size and SHA-256 of each
//     file. So an interrupted backup has no manifest. Each archive is read back to its end
//     first.
//   - Only the owner can read the directory (0700, files 0600), because it contains digests
//     of tokens.
//   - A restore verifies the whole backup before it writes anything. It creates streams
//     that do not exist, and deletes none. A stream that exists must equal the backup's, as
//     an interrupted restore leaves it; the restore then continues with the next stream.
//   - After a restore every stream has its declared settings, all of its copies are
//     complete, and the servers belong to the backup's fleet.
//   - Both keep only a few chunks in memory, for any size.
//
// # Failures
//
// A backup that cannot be restored to these servers is an error that matches ErrRefused,
// before anything is written. A connection that is lost, or silent for too long, ends a
// backup or a restore, because the chunks of a snapshot are not sent again. A single server
// then keeps a part of the stream that was being restored. The next restore names that
// stream. The producer's user may not delete it, so its servers must start empty again.
package backup
