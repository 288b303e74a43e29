// Package scorecache stores the token scores of pull requests by content, so that a round
// fetches only changed files. It is a key-value bucket of JetStream.
//
// Guarantees:
//   - A key names everything that the figures follow from: the repository, the
//     number, both commits, and what scored them (weights, languages without
//     nodes, grammars, the scorer's version). Another one of these is another
//     key; nothing is ever invalidated.
//   - A value gives back what the fetch gave, to the last bit. It carries its
//     own key and a checksum: what is damaged, of another version or under a
//     wrong key counts as absent, is logged once, and is overwritten.
//   - Figures that a dead child or an ended budget left are never kept: they
//     say something of a machine, not of the content. Whether an answer is
//     final is its caller's to say, who hands over only what may be kept.
//   - An answer that may still change leaves a sighting: its digest and the
//     instant at which it was first seen, and no scores.
//
// The bucket's own age limit removes what nobody needs; keys have none of
// theirs.
//
// How it fails: it never fails a job. While the connection to NATS is down, it
// waits for it, as everything else does: to fetch what is probably there would
// spend the mirror's limit on an attempt that cannot commit. Any other trouble
// with the bucket costs at most Config.Timeout an operation and one log line per
// outage; then the pull request is fetched as if there were no cache. The only
// error is the end of the context.
package scorecache
