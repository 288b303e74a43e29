// Package kv keeps values under the keys of JetStream's buckets.
//
// A [Bucket] reads, lists, writes and watches what is stored; a [Value] is one value of
// it: a type as JSON, under one key, with the version of the build that wrote it.
//
// Guarantees:
//
//   - A value is replaced only at the revision that the caller has read: whoever comes
//     second gets ErrConflict and reads again. A write whose answer was lost is looked
//     up before it is called a conflict.
//   - A value that a later build has written is refused, not read in part.
//   - Every error names bucket and key. What cannot be read is a *ValueError; its
//     revision comes with it, so that it can be replaced.
//   - What is packed is compressed, split when it is longer than one message may be, and
//     bounded when it is unpacked. What is sealed is signed and verified, too, if there
//     are keys.
//   - Reads and lists are the leader's, but for a bucket that is said to be read
//     elsewhere (Bucket.AtLeader).
//
// How it fails: every operation is run by Link.Retry, which decides what is tried again
// and for how long.
package kv
