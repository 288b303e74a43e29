// Package openissues takes from the mirror's one answer on the issues of all authors
// what a round needs of them: of each of its miners how many issues are open in each
// repository, and whether the mirror has any to list for the round's windows. The
// answer stands in for one or two requests of each miner.
//
// Guarantees:
//   - What a Tally says of a miner is what the miner's own answers would have said at
//     that moment, or it says nothing of the miner: a miner one of whose rows cannot
//     be read is asked for by itself.
//   - The answer is read as it comes: of other authors' issues nothing is kept, of a
//     miner's no more than the counts.
//   - An answer that is missing, refused, too large, late, malformed or stale is not
//     used, in no part of it, and the round says why. Nothing else depends on it.
//
// How it fails: only with the error of the context that its caller has ended.
//
// One difference is beyond what the answer shows: of an open issue it has no labels, no
// date of an edit, no solving pull request. One that the client would skip for one of
// these alone is counted as open. The mirror makes them itself, and never malformed.
package openissues
