// Package evaluate turns one miner's job into its evaluation: list the pull
// requests, load them by the rules, fetch and score their files, concurrently
// and within bounds.
//
// Guarantees:
//   - Every loaded pull request has its figures or a reason why not; nothing is
//     dropped silently. What could not be read is listed as malformed.
//   - What the mirror does not give, or gives in part, makes the attempt fail, so
//     that another one may find it whole. Only the final attempt commits what there
//     is: a degraded evaluation, with the list of what is missing.
//   - Only a files answer that has settled is kept (settle): the mirror's own word
//     that it has all files is not enough.
//   - What could not be scored within its budget is no reason for another
//     attempt, which would end the same: it is listed as missing.
//   - An answer that is final (4xx) is not asked for again: the pull request
//     stays unscored, as the rules say, and is listed as missing.
//   - The evaluation depends on the answers alone, not on the order in which
//     they arrive: pull requests stand in the order received.
//   - The mirror client and the scorer are handed in; they are never replaced
//     and never closed here.
//
// How it fails: a miner whose pull requests cannot be listed fails the attempt
// with the class that decides its fate (job.Class); a cancelled context ends
// everything that was started before Evaluate returns.
package evaluate
