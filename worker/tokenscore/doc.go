// Package tokenscore scores the files of pull requests by their syntax trees,
// in child processes that a crash, a hang or a memory hog can take down without
// anything else being lost.
//
// Guarantees:
//   - A pull request has a budget of wall clock and a child to itself. When the
//     budget runs out or the child dies, that pull request's figures are zeros
//     with a reason (scoring.MethodSkippedTimeout); no other one is touched.
//   - A child that died or hangs between two pull requests costs nobody anything:
//     a pull request is only lost to a child that said that it begins with it.
//   - A language of the rules is never scored as unsupported: a missing grammar
//     is an error, at New or from Score, not a zero. What the validator itself
//     cannot load is named by scoring.Weights.Without.
//   - A child serves one author, under one set of weights, and ends when it is
//     another's turn: a file that takes its child over decides no figures but
//     those of its own author's files. Of a child nothing is kept but the figures
//     of the files that it was asked for.
//   - A child remembers the author's texts and what it found in them: figures are
//     the same with it and without.
//   - Children end with their parent, whether it closes the pool or dies; Close
//     waits for every one of them, and for the pull requests under way.
//
// A child reads frames from its standard input and answers on its standard
// output, one request at a time; its standard error is logged. It opens the
// runtime and the grammars with dlopen, a grammar when its first text comes, so
// that building this package needs neither.
//
// How it fails: New and Score return an error when a child cannot be started or
// says that it cannot do its work, and when the context ends.
package tokenscore
