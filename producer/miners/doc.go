// Package miners finds out which miners take part in a round, from a validator's
// installation. It reads the validator's file of stored access tokens and an export of
// the metagraph (uid → hotkey), and asks GitHub for the account of each token. The result
// is the list of miners of docs/rules/scoring.md#miners. Each miner that takes no part
// has its reason.
//
// Guarantees:
//   - Both files are read again for each round, and each counts as a whole or not at all. A
//     file that is half-written, malformed, missing or (the metagraph) too old is
//     ErrUnusable. It never makes a round with fewer miners. A fault in one entry of the
//     tokens file costs that miner alone.
//   - The decisions (Parse…, LookUps, Decide) use no network, disk or clock.
//   - A token is a Secret from the moment it is read: it prints and encodes as [secret]. It
//     is sent only in the Authorization header of GET /user. Errors about the files name
//     places in them and never values. The resulting miners hold no token.
//   - GitHub has its own client with its own pace. Its requests do not count against the
//     mirror's limit. Every round asks about every token, because a token may have been
//     revoked since the last round.
//   - An answer is kept for a day, and is used only while GitHub does not answer. It is
//     stored with a digest of the token under a random salt. With the token one can confirm
//     that it is the same one; without it nobody can find it out. The answer for a token
//     that is short enough to be guessed is not kept. A salted digest needs no key. All
//     producers would have to share a key, because one that is in a single producer's
//     memory does not help its successor.
//
// Failures: every behaviour of GitHub becomes an Identity, and none fails a round. An
// Identity is known, refused (a 4xx that is no rate limit), or unreachable: all else,
// including rate limits, after three tries or when the time for all look-ups is over.
package miners
