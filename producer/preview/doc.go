// Package preview says what a round would make of a change that has no pull request
// yet: the scores of its files, its base score, and the gates that can be judged.
//
// Guarantees: the figures are those that a round gives the same change as a pull
// request, because the same code makes them (shared/gitdiff, worker/tokenscore,
// shared/scoring). What only a pull request decides is listed as unknown and never
// guessed. Nothing is sent anywhere.
//
// How it fails: a worker that is missing, or cannot use its grammars, is wrong usage
// with the remedy.
package preview
