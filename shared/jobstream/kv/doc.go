// Package kv stores and reads values in JetStream's key-value buckets.
//
// A [Bucket] reads, lists, writes and watches stored bytes. A [Value] is one value of a
// bucket: a Go type as JSON, under one key, with the version of the build that wrote it.
//
// Guarantees:
//
//   - A value is replaced only at the revision that the caller has read. The second of
//     two writers gets ErrConflict, and reads again. A write whose answer was lost is
//     looked up before it counts as a conflict.
//   - A value that a later build has written is refused, not read in part.
//   - Every error names bucket and key. A value that cannot be read is a *ValueError. Its
//     revision comes with the error, so that the value can be replaced.
//   - A packed value is compressed, split if it is longer than one message may be, and
//     bounded when it is unpacked. A sealed value is also signed and verified, if there
//     are keys.
//   - Reads and lists go to the leader, except for a bucket that any replica may answer
//     (Bucket.AtLeader).
//
// How it fails: Link.Retry runs every operation, and decides which errors it retries, and
// for how long.
package kv
