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
//   - What a child found in a text is remembered by weights, language and the
//     whole text, for all children: figures are the same with it and without.
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
