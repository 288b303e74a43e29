// Package openissues counts the open issues of a round's miners in the mirror's one
// answer on the issues of all authors. It says of each miner how many issues are open in
// each repository, and whether the mirror has any to list for the round's windows. The
// answer stands in for one or two requests of each miner.
//
// Guarantees:
//   - A Tally has the counts that the miner's own answers would have given at that moment,
//     or none: if a row of the miner cannot be read, the round asks for that miner's own
//     answers.
//   - The answer is read as a stream. It keeps only counts of the round's miners, and
//     nothing of other authors.
//   - An answer that is missing, refused, too large, late, malformed or stale is not used
//     at all, and the round says why. Nothing else depends on it.
//
// How it fails: only with the error of the context that its caller has ended.
//
// One difference remains, because the answer has fewer fields: it shows no labels, date of
// an edit or solving pull request of an open issue. The client would skip an issue for a
// malformed field among these; here that issue counts as open. The mirror generates these
// fields itself, and never malformed.
package openissues
