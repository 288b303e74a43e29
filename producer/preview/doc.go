// Package preview scores a change that has no pull request yet, as a round would score
// it. It gives the scores of the files, the base score, and the gates that can be judged.
//
// Guarantees: the figures are those that a round gives the same change as a pull
// request, because the same code makes them (shared/gitdiff, worker/tokenscore,
// shared/scoring). What only a pull request decides is listed as unknown and never
// guessed. Nothing is sent anywhere.
//
// How it fails: a worker that is missing, or cannot use its grammars, is wrong usage
// with the remedy.
package preview
