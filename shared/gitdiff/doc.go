// Package gitdiff reads the files that differ between two commits of a git repository, in
// the form in which the mirror answers for a pull request: docs/rules/mirror.md#items.
// The simulated mirror serves them, and `producer preview` scores them, so that both see
// the same.
//
// Guarantees:
//   - The answer follows from the commits alone. Work tree, index, attributes and the
//     configuration of the machine, the user or the repository do not change it.
//   - Nothing of a repository is run: no hook, filter, external diff, text conversion,
//     pager or monitor. Nothing is fetched, even if objects are missing. So it does not
//     matter whose repository it is.
//   - Texts are valid UTF-8, as they are in JSON: each byte that is none is U+FFFD.
//   - What git prints is bounded; a text over 1 MB is not kept.
//
// How it fails: what the caller of a command can mend is an *Error that says how. Any other
// error names the directory and what was being read.
package gitdiff
