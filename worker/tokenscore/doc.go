// Package tokenscore scores the files of pull requests by their syntax trees,
// in child processes that a crash, a hang or a memory hog can take down without
// anything else being lost.
//
// Guarantees:
//   - A pull request has a budget of processor time and a child to itself. When
//     the budget runs out or the child dies, that pull request's scores are
//     zeros with a reason (scoring.MethodSkippedTimeout); no other one is
//     affected. A wall-clock bound far above it ends hangs.
//   - A text that takes too much processor time to parse has no nodes, and its
//     file says so (scoring.FileFigures.OutOfTime).
//   - What ran out of time or memory is tried once more, alone in a fresh child.
//   - Pull requests may share a budget; when it is spent, the remaining files count as
//     out of time.
//   - Scores that no text can have are refused.
//   - A child that died or hangs between two pull requests costs nothing:
//     a pull request is only lost to a child that said that it begins with it.
//   - A language of the rules is never scored as unsupported: a missing grammar
//     is an error, at New or from Score, not a zero. What the validator itself
//     cannot load is named by tokens.Weights.Without.
//   - A child serves one author, under one set of weights, and ends before another
//     author's turn. So a file that takes over its child can change only the scores
//     of its own author's files. The pool keeps nothing of what a child says but the
//     scores of the files that it was asked for.
//   - A child has no secret, no network, no files but its grammars, and bounds on all
//     that it uses: see package sandbox. What the kernel lacks of that is said.
//   - A child remembers the author's texts and what it found in them. Scores do not
//     depend on what it remembers.
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
