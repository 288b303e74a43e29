// Package miners says who takes part in a round that a validator's
// installation serves: from the validator's file of stored access tokens, an
// export of the metagraph (uid → hotkey), and GitHub's word on whose account
// each token is. The result is the list of miners of docs/rules/scoring.md#miners,
// with the reason of each that does not take part.
//
// Guarantees:
//   - Both files are read anew for each round, and a file counts as a whole or
//     not at all: one that is half-written, malformed, missing or (the metagraph)
//     too old is ErrUnusable, never a fleet with fewer miners. What one entry of
//     the tokens file lacks costs that miner alone.
//   - What decides (Parse…, LookUps, Decide) knows no network, disk or clock.
//   - A token is a Secret from the moment it is read, which prints and encodes as
//     [secret]; it goes into the Authorization header of GET /user and nowhere
//     else. Errors about the files name places in them and never values. The
//     miners that come out hold no token.
//   - GitHub is asked by a client of its own, with its own pace: nothing of it is
//     metered by the mirror's limit. Every round asks about every token, because a
//     token may have been revoked since the last one.
//   - An answer is kept for a day, and serves only while GitHub does not answer.
//     Beside it stands a digest of the token under a random salt: with the token one can
//     confirm that it is the same; without it nobody can find it out. The answer
//     for a token that is short enough to be guessed is not kept. A digest beside
//     its salt needs no key that producers would have to share; a key held in
//     memory alone would be of no use to the producer that stands by.
//
// How it fails: whatever GitHub does is an Identity: known, refused (a 4xx that
// is no rate limit), or unreachable (everything else, rate limits too, after
// three tries, or when the time for all look-ups is over). It never fails a
// round.
package miners
