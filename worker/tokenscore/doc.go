// Package tokenscore scores the files of pull requests by their syntax trees, in child
// processes. A crash, a hang or a memory hog takes down a child, and nothing else is
// lost.
//
// Guarantees:
//   - A pull request has its own budget of processor time, and a child to itself. If the
//     budget runs out or the child dies, the scores of that pull request are zeros with a
//     reason (scoring.MethodSkippedTimeout), and no other pull request is affected. A
//     wall-clock limit far above the budget ends hangs.
//   - A text that takes too much processor time to parse has no nodes, and its
//     file says so (scoring.FileFigures.OutOfTime).
//   - A pull request that runs out of time or memory is tried once more, alone in a fresh
//     child.
//   - Pull requests may share a budget; when it is spent, the remaining files count as
//     out of time.
//   - Scores that no text can have are refused.
//   - A child that dies or hangs between two pull requests affects none: a pull request
//     is lost only if the child has reported that it begins it.
//   - A language of the rules is never scored as unsupported: a missing grammar is an error
//     of New or Score, not a zero. tokens.Weights.Without names the languages that the
//     validator itself cannot load.
//   - No score comes from a program or grammars that were replaced while the process
//     runs: Score returns ErrReplaced.
//   - A child serves one author, under one set of weights, and ends before another
//     author's turn. So a file that takes over its child can change only the scores
//     of its own author's files. The pool keeps only the scores of the files that it asked
//     for.
//   - A child has no secret, no network and no files but its grammars, and everything that
//     it uses is bounded: see package sandbox. Parts that the kernel lacks are reported.
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
